"""One connection to the centre, from its first byte to its last: the hands of `sync.edge_session`. Next in its story: sync/outbox.

Three things can come: a frame, a durable change of the ledger, an instant that the session named. Each is told to the session, and its effects are
carried out in their order. A send that does not get through in time ends the connection, since a line can be open and carry nothing. A
document is applied beside the rest, so that a disk that waits does not silence the line.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from edge.change import SpotState
from edge.line_ports import Commit, Documents, GateDesk, LinkLedger, SpotOwners
from edge.link_picture import LinkPicture
from parking.clock import Clock
from sync.codec import encode, kind_of
from sync.edge_session import EdgeEffect, EdgeFacts, EdgeSession, EdgeState, EdgeTimes
from sync.failpoints import Failpoints
from sync.incarnation import Verdict
from sync.instants import to_us
from sync.keys import SigningKey
from sync.messages import (
    Answer,
    Decision,
    Document,
    Frame,
    FromParticipant,
    GateCommand,
    Page,
    Prepare,
    Transfer,
    Vote,
)
from sync.pace import Pace, PaceSettings
from sync.session import (
    Acknowledged,
    ApplyDocument,
    Close,
    Deliver,
    FrameRefused,
    Opened,
    PeerComplained,
    ReadPage,
    ReadStates,
    Send,
    StatesStored,
    TimeTold,
    VerdictGiven,
)

LOG = structlog.stdlib.get_logger("edge.line")

PAGE_SENT = "edge.line.page_sent"
BEFORE_ACKNOWLEDGED = "edge.line.before_acknowledged"
BEFORE_VOTE = "edge.line.before_vote"
VOTE_SENT = "edge.line.vote_sent"
DOCUMENT_ARRIVED = "edge.line.document_arrived"
DOCUMENT_DURABLE = "edge.line.document_durable"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """Where the centre is, and the real seconds after which a line is dead. `tls`: for wss, see edge/centre_tls."""

    url: str
    gateway: str
    cloud: str
    software: str
    heartbeat_s: float = 20.0
    heartbeat_answer_s: float = 20.0
    dial_s: float = 15.0
    close_s: float = 1.0
    times: EdgeTimes = field(default_factory=EdgeTimes)
    pace: PaceSettings = field(default_factory=PaceSettings)
    tls: ssl.SSLContext | None = None


@dataclass(slots=True, kw_only=True)
class Wakeup:
    """Something became durable, or the picture changed: set by the link, taken by the line of the moment."""

    event: asyncio.Event = field(default_factory=asyncio.Event)
    states_changed: bool = False

    def call(self, *, states_changed: bool) -> None:
        """Wake whoever waits."""
        self.states_changed = self.states_changed or states_changed
        self.event.set()

    def take(self) -> bool:
        """Whether the picture changed since the last time this was asked."""
        changed, self.states_changed = self.states_changed, False
        self.event.clear()
        return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class LineParts:
    """What every line of a link works with; `pace` and `refused` outlive the line."""

    settings: LinkSettings
    ledger: LinkLedger
    documents: Documents
    commit: Commit
    owners: SpotOwners | None
    gates: GateDesk | None
    picture: LinkPicture
    key: SigningKey
    clock: Clock
    clock_quality: Callable[[], str]
    failpoints: Failpoints
    layout: bytes
    pace: Pace
    wakeup: Wakeup
    refused: Counter[str]
    on_up: Callable[[Opened, VerdictGiven], None]
    on_acknowledged: Callable[[], None]
    on_time: Callable[[int, float], None]


class Line:
    """One connection and its session."""

    def __init__(self, connection: ClientConnection, parts: LineParts) -> None:
        self._connection = connection
        self._parts = parts
        self._close: Close | None = None
        self._verdict = VerdictGiven(verdict="ok", reason="")
        self._states_sent: dict[tuple[str, int], SpotState] = {}
        self._applying: asyncio.Task[int] | None = None
        self._said: deque[FromParticipant] = deque()
        self._session = EdgeSession(
            self._facts(),
            sign=parts.key.sign,
            pace=parts.pace,
            times=parts.settings.times,
            now_s=parts.clock.monotonic(),
        )

    async def run(self) -> Close:
        """Live until the session or the connection ends; why, and when to come back where the centre named it."""
        try:
            return await self._converse()
        except ConnectionClosed as error:
            return Close(reason=str(error))
        finally:
            self._session.lost()
            self._parts.commit.link_lost()
            if self._parts.owners is not None:
                self._parts.owners.link_lost()
            if self._parts.gates is not None:
                self._parts.gates.link_lost()
            if self._applying is not None:
                self._applying.cancel()

    async def _converse(self) -> Close:
        frame = asyncio.ensure_future(self._connection.recv())
        woken = asyncio.ensure_future(self._parts.wakeup.event.wait())
        try:
            while self._close is None:
                await self._wait_for(frame, woken)
                if woken.done():
                    await self._wake(states_changed=self._parts.wakeup.take())
                    woken = asyncio.ensure_future(self._parts.wakeup.event.wait())
                if frame.done():
                    data = frame.result()
                    frame = asyncio.ensure_future(self._connection.recv())
                    await self._carry_out(self._session.receive(_as_bytes(data), self._now_s()))
                if self._applying is not None and self._applying.done():
                    applied, self._applying = self._applying.result(), None
                    await self._carry_out(self._session.document_applied(applied))
                await self._wake(states_changed=False)
        finally:
            for waiting in (frame, woken):
                waiting.cancel()
            await asyncio.gather(frame, woken, return_exceptions=True)
        return self._close

    async def _wait_for(self, *futures: asyncio.Future[Any]) -> None:
        """Until one of them is done, a document is durable, or the session's instant has come."""
        timer_s = self._session.timer(self._now_s())
        timeout_s = None if timer_s is None else max(0.0, timer_s - self._now_s())
        waited: set[asyncio.Future[Any]] = {*futures, *([self._applying] if self._applying else [])}
        await asyncio.wait(waited, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)

    async def _wake(self, *, states_changed: bool) -> None:
        last_seq = self._parts.ledger.last_seq
        effects = self._session.wake(self._now_s(), last_seq=last_seq, states_changed=states_changed)
        await self._carry_out(effects)
        while self._said and self._session.state is EdgeState.OPEN:
            await self._carry_out(self._session.say(self._said.popleft()))

    def _say(self, frame: FromParticipant) -> None:
        """Send a frame of the commit in this session, as soon as it is open; nowhere once it is over."""
        if self._session.state not in {EdgeState.CLOSED, EdgeState.FENCED}:
            self._said.append(frame)
            self._parts.wakeup.call(states_changed=False)

    async def _carry_out(self, effects: Sequence[EdgeEffect]) -> None:
        waiting = deque(effects)
        while waiting and self._close is None:
            waiting.extend(await self._do(waiting.popleft()))

    async def _do(self, effect: EdgeEffect) -> Sequence[EdgeEffect]:
        parts = self._parts
        match effect:
            case Send(frame=frame):
                await self._send(frame)
            case Close():
                self._close = effect
            case ReadStates(snapshot=snapshot, limit=limit):
                content, self._states_sent = parts.picture.read(snapshot=snapshot, limit=limit)
                return self._session.states_read(content, self._now_s())
            case ReadPage(after_seq=after_seq, limit=limit):
                rows, previous = parts.ledger.log_page(after_seq, limit), parts.ledger.hash_at(after_seq)
                return self._session.page_read(rows, previous, self._now_s())
            case Acknowledged(seq=seq, hash=row_hash):
                parts.failpoints.hit(BEFORE_ACKNOWLEDGED)
                parts.ledger.acknowledge(seq, row_hash)
                parts.on_acknowledged()
            case StatesStored(rows=rows_stored):
                words = [self._states_sent.get((row.spot, row.n)) for row in rows_stored]
                parts.ledger.mark_uploaded([word for word in words if word is not None])
            case ApplyDocument(document=document):
                parts.failpoints.hit(DOCUMENT_ARRIVED)
                self._applying = asyncio.create_task(self._apply(document))
            case Deliver(frame=Prepare() | Decision() | Answer() as delivered):
                parts.commit.hear(delivered)
            case Deliver(frame=Transfer() as transfer) if parts.owners is not None:
                parts.owners.hear(transfer)
            case Deliver(frame=GateCommand() as command) if parts.gates is not None:
                parts.gates.hear(command)
            case _:
                self._note(effect)
        return []

    def _note(self, effect: EdgeEffect) -> None:
        """What is only to be known."""
        match effect:
            case VerdictGiven(verdict=verdict, reason=reason):
                self._verdict = effect
                if verdict == Verdict.FENCED and self._parts.ledger.verdict == "ok":
                    LOG.error("fenced_by_the_centre", reason=reason)
                    self._parts.ledger.fence(reason)
            case TimeTold(time_us=time_us, round_trip_s=round_trip_s):
                self._parts.on_time(time_us, round_trip_s)
            case Opened():
                self._parts.on_up(effect, self._verdict)
                self._parts.commit.link_opened(self._say)
                if self._parts.owners is not None:
                    self._parts.owners.link_opened(self._say)
                if self._parts.gates is not None:
                    self._parts.gates.link_opened(self._say)
            case FrameRefused(code=code, field=name, about=about):
                self._parts.refused[code] += 1
                LOG.warning("frame_refused", code=code, field=name, about=about)
            case Deliver(frame=delivered):
                self._parts.refused["nobody_here"] += 1
                LOG.warning("frame_for_nobody", kind=kind_of(delivered))
            case PeerComplained(error=error):
                self._parts.refused[f"by_centre_{error.code}"] += 1
                LOG.warning("centre_complains", code=error.code, field=error.field, message=error.message)

    async def _send(self, frame: Frame) -> None:
        answer_s = self._parts.settings.times.answer_s
        if isinstance(frame, Vote):
            self._parts.failpoints.hit(BEFORE_VOTE)
        try:
            async with asyncio.timeout(answer_s):
                await self._connection.send(encode(frame))
        except TimeoutError:
            self._close = Close(reason=f"a {kind_of(frame)} did not get through in {answer_s:g} s")
            return
        if isinstance(frame, Page):
            self._parts.failpoints.hit(PAGE_SENT)
        elif isinstance(frame, Vote):
            self._parts.failpoints.hit(VOTE_SENT)

    async def _apply(self, document: Document) -> int:
        await self._parts.documents.apply(document)
        self._parts.failpoints.hit(DOCUMENT_DURABLE)
        return document.n

    def _facts(self) -> EdgeFacts:
        parts, ledger = self._parts, self._parts.ledger
        return EdgeFacts(
            gateway=parts.settings.gateway,
            cloud=parts.settings.cloud,
            epoch=ledger.epoch,
            boot=ledger.boot,
            last_seq=ledger.last_seq,
            acknowledged_seq=ledger.acknowledged_seq,
            acknowledged_hash=ledger.acknowledged_hash,
            document_n=ledger.document_n,
            layout=parts.layout,
            time_us=to_us(parts.clock.now()),
            clock_quality=parts.clock_quality(),
            software=parts.settings.software,
        )

    def _now_s(self) -> float:
        return self._parts.clock.monotonic()


def _as_bytes(data: str | bytes) -> bytes:
    """A text message is no frame; the codec says so."""
    return data if isinstance(data, bytes) else data.encode()
