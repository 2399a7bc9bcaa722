"""A gateway's WebSocket: the shell around `sync.cloud_session`. Next in its story: sync/inbox, then cloud/gateways/service.

The session says what to do, this does it: frames to and from the socket, effects to the service. One thing at a time: the next frame
is taken when the effects of the last are done, so a slow database slows the line and nothing queues. A database that does not answer
is told as `Busy`; a newer session ends this one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog
from psycopg import DataError, IntegrityError, OperationalError
from psycopg_pool import PoolTimeout
from starlette.websockets import WebSocket, WebSocketDisconnect

from cloud.errors import SessionReplaced
from cloud.gateways.service import Gateways, Known, SessionKey
from cloud.observability import Metrics
from parking.clock import Clock
from sync.cloud_session import CloudEffect, CloudSession, CloudState, StoreStates
from sync.codec import encode
from sync.errors import Busy, LocalError, MalformedFrame, RemoteError
from sync.failpoints import Failpoints
from sync.inbox import ApplyPage
from sync.instants import to_us
from sync.messages import (
    CommandResult,
    Decision,
    DecisionAck,
    Frame,
    FromCoordinator,
    GateCommand,
    Hello,
    Inquiry,
    Prepare,
    TransferRequest,
    Vote,
)
from sync.session import (
    Begin,
    Close,
    Deliver,
    DocumentsAcknowledged,
    FrameRefused,
    Identify,
    PeerComplained,
    Quarantine,
    ReadDocuments,
    Send,
    StoreLayout,
)

LOG = structlog.get_logger(__name__)

HELLO_WITHIN_S = 15.0
COMMAND_WITHIN_S = 10.0
"""A gate command that waits longer for its turn on the line is dropped: whoever sent it is told `unknown` (cloud/gateways/commands)."""
PREPARE_BEFORE_SENT = "cloud.link.prepare_before_sent"
PREPARE_SENT = "cloud.link.prepare_sent"
DECISION_BEFORE_TOLD = "cloud.link.decision_before_told"
DECISION_TOLD = "cloud.link.decision_told"
SAID: dict[type[object], tuple[str, str]] = {
    Prepare: (PREPARE_BEFORE_SENT, PREPARE_SENT),
    Decision: (DECISION_BEFORE_TOLD, DECISION_TOLD),
}
GOING_AWAY = 1001
TRY_AGAIN_LATER = 1013
ABOUT: dict[type[object], str] = {
    StoreLayout: "layout",
    StoreStates: "states",
    ApplyPage: "page",
    Deliver: "commit",
}


class Notice(StrEnum):
    """What reaches a link from our own side."""

    DOCUMENTS = "documents"
    MISSED = "missed"
    REPLACED = "replaced"
    DRAIN = "drain"


class Link:
    """One gateway's connection."""

    def __init__(
        self,
        *,
        socket: WebSocket,
        links: Links,
        gateways: Gateways,
        clock: Clock,
        metrics: Metrics,
        failpoints: Failpoints,
        session: CloudSession,
    ) -> None:
        self._socket = socket
        self._links = links
        self._gateways = gateways
        self._clock = clock
        self._metrics = metrics
        self._failpoints = failpoints
        self._session = session
        self._known: Known | None = None
        self._hello: Hello | None = None
        self._key: SessionKey | None = None
        self._notices: asyncio.Queue[Notice | FromCoordinator] = asyncio.Queue()
        self._command_until_s: dict[str, float] = {}
        self._drain_ms = 0
        self.ended = asyncio.Event()

    @property
    def gateway(self) -> str:
        """Whose connection it is, empty before the hello was believed."""
        return "" if self._key is None else self._key.origin.gateway

    @property
    def lot(self) -> UUID | None:
        """Whose lot's it is."""
        return None if self._key is None else self._key.origin.lot

    def notify(self, notice: Notice, *, drain_ms: int = 0) -> None:
        """Tell the link something between two frames."""
        self._drain_ms = drain_ms or self._drain_ms
        self._notices.put_nowait(notice)

    def say(self, frame: FromCoordinator, *, session: int) -> None:
        """Send a frame of the commit, in `session` (0: this one) or never."""
        if self._key is not None and session in {0, self._key.session}:
            if isinstance(frame, GateCommand):
                self._command_until_s[frame.command] = self._clock.monotonic() + COMMAND_WITHIN_S
            self._notices.put_nowait(frame)

    async def run(self) -> None:
        """Serve the connection until it ends."""
        await self._socket.accept()
        try:
            await self._carry_out(self._session.start())
            await self._converse()
        except WebSocketDisconnect:
            LOG.info("link lost", gateway=self.gateway)
        except (OperationalError, PoolTimeout) as error:
            LOG.warning("link given up: the database does not answer", gateway=self.gateway, error=str(error))
            await self._close(TRY_AGAIN_LATER, "the database does not answer")
        finally:
            await self._end()

    async def _converse(self) -> None:
        frame: asyncio.Future[bytes] = asyncio.ensure_future(self._receive())
        notice: asyncio.Future[Notice | FromCoordinator] = asyncio.ensure_future(self._notices.get())
        try:
            while self._session.state is not CloudState.CLOSED:
                timeout_s = None if self._key is not None else HELLO_WITHIN_S
                both: set[asyncio.Future[Any]] = {frame, notice}
                done, _ = await asyncio.wait(both, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    await self._close(GOING_AWAY, "no hello came")
                    return
                if notice in done:
                    told, notice = notice.result(), asyncio.ensure_future(self._notices.get())
                    if told is Notice.MISSED and self._key is not None:
                        await self._say_transfers(self._key)
                    await self._carry_out(self._told(told))
                elif frame in done:
                    data, frame = frame.result(), asyncio.ensure_future(self._receive())
                    await self._carry_out(self._session.receive(data))
        finally:
            for waiting in (frame, notice):
                waiting.cancel()
            await asyncio.gather(frame, notice, return_exceptions=True)

    async def _receive(self) -> bytes:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or 1006)
        data = message.get("bytes")
        return data if data is not None else str(message.get("text", "")).encode()

    def _told(self, notice: Notice | FromCoordinator) -> list[CloudEffect]:
        if isinstance(notice, GateCommand) and self._is_too_late(notice):
            LOG.warning(
                "gate command dropped: the line was busy", gateway=self.gateway, command=notice.command
            )
            return []
        if not isinstance(notice, Notice):
            return self._session.say(notice)
        match notice:
            case Notice.DOCUMENTS | Notice.MISSED:
                return self._session.documents_added()
            case Notice.REPLACED:
                return self._session.superseded()
            case Notice.DRAIN:
                return self._session.drain(self._drain_ms)

    def _is_too_late(self, command: GateCommand) -> bool:
        return self._clock.monotonic() > self._command_until_s.pop(command.command, 0.0)

    async def _carry_out(self, effects: list[CloudEffect]) -> None:
        waiting = deque(effects)
        while waiting:
            effect = waiting.popleft()
            try:
                waiting.extend(await self._do(effect))
            except SessionReplaced as error:
                LOG.info("session over", gateway=self.gateway, reason=str(error))
                waiting.extend(self._session.superseded())
            except RemoteError as error:
                waiting.extend(self._session.refused(ABOUT.get(type(effect), "frame"), error))
            except (OperationalError, PoolTimeout) as error:
                if type(effect) not in ABOUT:
                    raise
                LOG.warning("database busy", gateway=self.gateway, error=str(error))
                busy = Busy("database", "does not answer in time")
                waiting.extend(self._session.refused(ABOUT[type(effect)], busy))
            except (DataError, IntegrityError) as error:
                if type(effect) not in ABOUT:
                    raise
                about = ABOUT[type(effect)]
                LOG.warning("frame cannot be stored", gateway=self.gateway, about=about, error=str(error))
                field = error.diag.constraint_name or error.diag.column_name or about
                problem = error.diag.message_primary or "cannot be stored"
                waiting.extend(self._session.refused(about, MalformedFrame(field, problem)))

    async def _do(self, effect: CloudEffect) -> list[CloudEffect]:
        match effect:
            case Send(frame=frame):
                await self._send(frame)
            case Close(reason=reason):
                await self._close(GOING_AWAY, reason)
            case FrameRefused(code=code, field=field, about=about):
                self._metrics.frames_refused.labels(code, about).inc()
                LOG.warning("frame refused", gateway=self.gateway, code=code, field=field, about=about)
            case PeerComplained(error=error):
                self._metrics.frames_complained.labels(error.code, error.about).inc()
                LOG.warning("gateway complains", gateway=self.gateway, code=error.code, message=error.message)
            case _:
                return await self._ask(effect)
        return []

    async def _send(self, frame: Frame) -> None:
        labels = SAID.get(type(frame))
        if labels is not None:
            self._failpoints.hit(labels[0])
        await self._socket.send_bytes(encode(frame))
        if labels is not None:
            self._failpoints.hit(labels[1])

    async def _ask(self, effect: CloudEffect) -> list[CloudEffect]:
        """Effects that the service answers."""
        match effect:
            case Identify(hello=hello):
                self._hello = hello
                self._known = await self._gateways.identify(hello)
                return self._session.identified(None if self._known is None else self._known.record)
            case Begin(verdict=verdict, reason=reason):
                return await self._begin(verdict, reason)
            case Quarantine(reason=reason):
                await self._gateways.quarantine(self._held(), reason)
                return []
            case StoreLayout(hash=layout_hash, body=body):
                await self._gateways.store_layout(self._held(), layout_hash, body)
                return self._session.layout_stored(layout_hash)
            case StoreStates(states=states):
                await self._gateways.store_states(self._held(), states)
                return self._session.states_stored(to_us(self._clock.now()))
            case ApplyPage():
                return await self._apply(effect)
            case ReadDocuments(after_n=after_n, limit=limit):
                return self._session.documents_read(
                    await self._gateways.documents_after(self._held(), after_n, limit)
                )
            case Deliver(frame=CommandResult() as result):
                await self._gateways.command_answered(self._held(), result)
                return []
            case Deliver(frame=Vote() | DecisionAck() | Inquiry() as frame):
                await self._gateways.converse(self._held(), frame)
                return []
            case Deliver(frame=TransferRequest() as request):
                await self._gateways.ask_for_spots(self._held(), request)
                return []
            case DocumentsAcknowledged(n=n):
                await self._gateways.documents_acknowledged(self._held(), n)
                return []
            case _:
                raise LocalError(f"{type(effect).__name__} is no effect of this side")

    async def _say_transfers(self, key: SessionKey) -> None:
        """Spots that are on their way to this lot are said, for they may not have been."""
        for transfer in await self._gateways.transfers_to_say(key):
            self.say(transfer, session=key.session)

    async def _begin(self, verdict: str, reason: str) -> list[CloudEffect]:
        if self._known is None or self._hello is None:
            raise LocalError("begin before a hello")
        self._key = await self._gateways.begin(self._known, self._hello, verdict, reason)
        self._links.joined(self)
        LOG.info("link open", gateway=self.gateway, session=self._key.session, verdict=verdict, reason=reason)
        if verdict == "ok":
            await self._say_transfers(self._key)
        return self._session.begun(self._key.session, to_us(self._clock.now()))

    async def _apply(self, effect: ApplyPage) -> list[CloudEffect]:
        started_s = self._clock.monotonic()
        applied = await self._gateways.apply_page(self._held(), effect.rows)
        if applied.forked_at is not None:
            return self._session.forked(applied.forked_at)
        self._metrics.page_durations_s.observe(self._clock.monotonic() - started_s)
        self._metrics.events_applied.inc(applied.new)
        self._metrics.events_quarantined.inc(applied.quarantined)
        return self._session.page_applied()

    def _held(self) -> SessionKey:
        if self._key is None:
            raise LocalError("no session has begun")
        return self._key

    async def _close(self, code: int, reason: str) -> None:
        try:
            await self._socket.close(code, reason[:100])
        except (RuntimeError, WebSocketDisconnect):
            # The other side closed first: there is no line left to close.
            LOG.debug("line was closed already", gateway=self.gateway)

    async def _end(self) -> None:
        self._links.left(self)
        if self._key is not None:
            try:
                await self._gateways.end(self._key)
            except (OperationalError, PoolTimeout) as error:
                LOG.warning("end of session not kept", gateway=self.gateway, error=str(error))
        self.ended.set()


class Links:
    """The gateways connected to this process, one link each."""

    def __init__(
        self,
        *,
        gateways: Gateways,
        clock: Clock,
        metrics: Metrics,
        failpoints: Failpoints,
        cloud: str,
        new_nonce: Callable[[], bytes],
    ) -> None:
        self._gateways = gateways
        self._clock = clock
        self._metrics = metrics
        self._failpoints = failpoints
        self._cloud = cloud
        self._new_nonce = new_nonce
        self._open: dict[str, Link] = {}
        self._all: set[Link] = set()
        self._draining_ms: int | None = None

    async def serve(self, socket: WebSocket) -> None:
        """A gateway has connected."""
        session = CloudSession(cloud=self._cloud, nonce=self._new_nonce(), time_us=to_us(self._clock.now()))
        link = Link(
            socket=socket,
            links=self,
            gateways=self._gateways,
            clock=self._clock,
            metrics=self._metrics,
            failpoints=self._failpoints,
            session=session,
        )
        self._all.add(link)
        if self._draining_ms is not None:
            link.notify(Notice.DRAIN, drain_ms=self._draining_ms)
        await link.run()

    def joined(self, link: Link) -> None:
        """The link's session has begun; an older one of the same gateway ends."""
        older = self._open.get(link.gateway)
        self._open[link.gateway] = link
        if older is not None:
            older.notify(Notice.REPLACED)
        self._metrics.link_sessions.set(len(self._open))

    def left(self, link: Link) -> None:
        """The link is gone."""
        self._all.discard(link)
        if self._open.get(link.gateway) is link:
            del self._open[link.gateway]
        self._metrics.link_sessions.set(len(self._open))

    def documents_added(self, lot: UUID | None) -> None:
        """There may be new documents for the lot's gateway; None: for any."""
        for link in self._open.values():
            if lot is None or link.lot == lot:
                link.notify(Notice.DOCUMENTS)

    def words_missed(self) -> None:
        """Nothing was heard from the database for a while: each link looks for what waits for its gateway."""
        for link in self._open.values():
            link.notify(Notice.MISSED)

    def say(self, lot: UUID, frame: FromCoordinator, *, session: int) -> None:
        """Send a frame of the commit to the lot, where its link is here, in `session` (0: whichever is open) or never."""
        for link in self._open.values():
            if link.lot == lot:
                link.say(frame, session=session)

    async def drain(self, *, delay_ms: int, within_s: float) -> None:
        """Send every gateway away, to come back after `delay_ms`; wait until they went, at most `within_s` real seconds."""
        self._draining_ms = delay_ms
        leaving = tuple(self._all)
        for link in leaving:
            link.notify(Notice.DRAIN, drain_ms=delay_ms)
        if leaving:
            await asyncio.wait(
                {asyncio.ensure_future(link.ended.wait()) for link in leaving}, timeout=within_s
            )
