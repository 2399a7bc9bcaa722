"""Keeps the line to the centre up. Next in its story: sync/reconnect, then edge/line, sync/outbox, sync/session, cloud/gateways/link.

Theory. One connection is `edge.line`'s; this goes around it: it dials when `sync.reconnect` says so and never gives up. Nothing is copied out of
the ledger and nothing is polled: each durable change wakes the line of the moment. All that a lost line needs to go on is in the ledger, so
a line can end at any instant. A line that carries nothing is found by three bounds: the WebSocket's own pings, the session's wait for answers,
and the time that a send may take.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Literal

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from edge.centre_tls import judge_dates
from edge.change import Change
from edge.errors import CertificateOutOfDate
from edge.line import Line, LineParts, LinkSettings, Wakeup
from edge.line_ports import Commit, Documents, GateDesk, LinkLedger, SpotOwners
from edge.link_picture import LinkPicture
from parking.clock import TrustedClock
from sync.errors import LocalError
from sync.failpoints import Failpoints
from sync.keys import SigningKey
from sync.layout import layout_body
from sync.messages import MAX_FRAME_BYTES
from sync.pace import Pace
from sync.reconnect import Reconnect, ReconnectEvent, step
from sync.session import Close, Opened, VerdictGiven

LOG = structlog.stdlib.get_logger("edge.link")

Dial = Callable[[LinkSettings], AbstractAsyncContextManager[ClientConnection]]
"""Opens a connection for as long as the block lasts. OSError or WebSocketException: it cannot be opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """What a status page says of the line. `problem` is why it is down, or what the centre said last; civil instants."""

    state: Literal["up", "down"]
    since_at: datetime
    backlog: int
    acknowledged_at: datetime | None = None
    session: int = 0
    verdict: str = "ok"
    problem: str = ""
    connections: int = 0


class Link:
    """Keeps the line up. All methods belong to the event loop's thread."""

    def __init__(
        self,
        settings: LinkSettings,
        *,
        ledger: LinkLedger,
        documents: Documents,
        commit: Commit,
        owners: SpotOwners | None = None,
        gates: GateDesk | None = None,
        picture: LinkPicture,
        key: SigningKey,
        clock: TrustedClock,
        random: Random,
        clock_quality: Callable[[], str],
        failpoints: Failpoints,
        on_time: Callable[[int, float], None] | None = None,
        dial: Dial | None = None,
    ) -> None:
        self._settings = settings
        self._dial = dial or dial_centre
        self._ledger = ledger
        self._clock = clock
        self._random = random
        self._wakeup = Wakeup()
        self._watchers: list[Callable[[LinkStatus], None]] = []
        self._status = LinkStatus(state="down", since_at=clock.now(), backlog=0, problem="not dialled yet")
        self._up_since_s: float | None = None
        self.refused: Counter[str] = Counter()
        self._parts = LineParts(
            settings=settings,
            ledger=ledger,
            documents=documents,
            commit=commit,
            owners=owners,
            gates=gates,
            picture=picture,
            key=key,
            clock=clock,
            clock_quality=clock_quality,
            failpoints=failpoints,
            layout=layout_body(ledger.lot),
            pace=Pace(settings.pace, clock.monotonic()),
            wakeup=self._wakeup,
            refused=self.refused,
            on_up=self._is_up,
            on_acknowledged=self._is_acknowledged,
            on_time=on_time or _nobody_listens,
        )

    @property
    def status(self) -> LinkStatus:
        """How the line is now."""
        return replace(self._status, backlog=self._ledger.last_seq - self._ledger.acknowledged_seq)

    def subscribe(self, watcher: Callable[[LinkStatus], None]) -> Callable[[], None]:
        """Call back when the line comes up, goes down or has an acknowledgement; the answer ends it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def picture_changed(self) -> None:
        """Something that stands in no change of the ledger (a lane's state) is new in the picture."""
        self._wakeup.call(states_changed=True)

    async def run(self) -> None:
        """Keep the line up until cancelled."""
        unsubscribe = self._ledger.subscribe(self._committed)
        self._ledger.line_lost()
        plan = Reconnect.start(self._clock.monotonic())
        try:
            while True:
                await asyncio.sleep(max(0.0, plan.until_s - self._clock.monotonic()))
                plan = await self._one_line(self._step(plan, ReconnectEvent.TIME_CAME))
        finally:
            unsubscribe()

    async def _one_line(self, plan: Reconnect) -> Reconnect:
        """Dial, live, and say when to dial again."""
        self._up_since_s = None
        close = await self._live()
        up_since_s = self._last_up_s()
        if up_since_s is not None:
            plan = step(plan, ReconnectEvent.OPENED, up_since_s, self._random)
            self._ledger.line_lost()
        self._is_down(close.reason)
        if close.delay_s is not None:
            return self._step(plan, ReconnectEvent.DRAINED, delay_s=close.delay_s)
        return self._step(plan, ReconnectEvent.FAILED if up_since_s is None else ReconnectEvent.LOST)

    async def _live(self) -> Close:
        """One line, from the dial to its end. A fault of ours on the line ends the line, never the gates."""
        try:
            async with self._dial(self._settings) as connection:
                if self._settings.tls is not None:
                    judge_dates(_certificate(connection), self._clock)
                return await Line(connection, self._parts).run()
        except (OSError, WebSocketException) as error:
            return Close(reason=f"{type(error).__name__} {error}".strip())
        except CertificateOutOfDate as error:
            self.refused["certificate_out_of_date"] += 1
            return Close(reason=str(error))
        except LocalError as error:
            LOG.error("link_fault", problem=str(error))  # noqa: TRY400 - the sentence says it all
            self.refused["local"] += 1
            return Close(reason=str(error))

    def _last_up_s(self) -> float | None:
        return self._up_since_s

    def _committed(self, change: Change) -> None:
        """A change is durable. What the link itself writes (acknowledgements, uploads) has neither events nor states and wakes nobody."""
        if change.spot_states or change.events:
            self._wakeup.call(states_changed=True)

    def _is_up(self, opened: Opened, verdict: VerdictGiven) -> None:
        self._up_since_s = self._clock.monotonic()
        self._ledger.line_back()
        self._tell(
            replace(
                self._status,
                state="up",
                since_at=self._clock.now(),
                session=opened.session,
                verdict=verdict.verdict,
                problem=verdict.reason,
                connections=self._status.connections + 1,
            )
        )
        LOG.info("link_up", session=opened.session, verdict=verdict.verdict, backlog=self.status.backlog)

    def _is_acknowledged(self) -> None:
        self._tell(replace(self._status, acknowledged_at=self._clock.now()))

    def _is_down(self, reason: str) -> None:
        since_at = self._clock.now() if self._status.state == "up" else self._status.since_at
        self._tell(replace(self._status, state="down", since_at=since_at, problem=reason))
        LOG.info("link_down", reason=reason, backlog=self.status.backlog)

    def _tell(self, status: LinkStatus) -> None:
        self._status = status
        for watcher in tuple(self._watchers):
            watcher(self.status)

    def _step(self, plan: Reconnect, event: ReconnectEvent, *, delay_s: float | None = None) -> Reconnect:
        return step(plan, event, self._clock.monotonic(), self._random, delay_s=delay_s)


def dial_centre(settings: LinkSettings) -> connect:
    """A WebSocket to the centre, with its pings."""
    return connect(
        settings.url,
        ssl=settings.tls,
        ping_interval=settings.heartbeat_s,
        ping_timeout=settings.heartbeat_answer_s,
        open_timeout=settings.dial_s,
        close_timeout=settings.close_s,
        max_size=MAX_FRAME_BYTES,
        proxy=None,
    )


def _certificate(connection: ClientConnection) -> Mapping[str, object] | None:
    tls: ssl.SSLObject | None = connection.transport.get_extra_info("ssl_object")
    return None if tls is None else tls.getpeercert()


def _nobody_listens(_time_us: int, _round_trip_s: float) -> None:
    """A gateway without a clock of its own to set."""
