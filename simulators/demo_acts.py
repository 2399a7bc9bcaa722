"""What is done to the running demo, in real seconds: traffic, the line cut for a third of the time, the agent killed in the middle of it, then rest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from simulators.agent_keeper import AgentKeeper
from simulators.decision_cut import DecisionCut
from simulators.demo_plan import DemoPlan, Progress
from simulators.evidence import count_acknowledged, count_log
from simulators.gateway_watch import GatewayState, GatewayWatch
from simulators.network import Direction, Flow, Line
from simulators.programs import Program
from simulators.web_traffic import WebTraffic

ON_THEIR_WAY_S = 0.2
ONE_SIDED_S = 10.0
QUIET_S = 300.0
PARKING_S = 10.0
Status = Mapping[str, object]


@dataclass(slots=True, kw_only=True)
class DemoActs:
    """The acts and the parts that they act on. `web` None: nobody books.

    `line_down` are the spells without a line, each until the backlog was drained, `line_cut` the same until the line was back.
    """

    plan: DemoPlan
    progress: Progress
    tell: Callable[[str, str], None]
    line: Line
    cut: DecisionCut
    web: WebTraffic | None
    keeper: AgentKeeper
    lot: Program
    ledger: Path
    watch: GatewayWatch
    line_down: list[tuple[float, float]] = field(default_factory=list)
    line_cut: list[tuple[float, float]] = field(default_factory=list)
    drain_s: float | None = None

    async def traffic(self) -> None:
        """Cars come and go for as long as was asked, with the line cut in the middle third."""
        third_s = self.plan.seconds / 3
        self.progress.started_s = time.monotonic()
        self.tell("▲", "traffic")
        ordering = asyncio.create_task(self._orders())
        booking = asyncio.create_task(self._bookings(self.progress.started_s))
        try:
            await self._until_s(third_s)
            if self.plan.cut_line:
                await self._cut()
            await self._until_s(1.5 * third_s)
            if self.plan.kill_agent:
                await self._kill()
            await self._until_s(2 * third_s)
            mending = asyncio.create_task(self._mend()) if self.plan.cut_line else None
            await self._until_s(3 * third_s)
            if mending is not None:
                await mending
            await booking
        finally:
            for task in (ordering, booking):
                task.cancel()
            await asyncio.gather(ordering, booking, return_exceptions=True)

    async def come_to_rest(self) -> None:
        """Nobody arrives or sets off any more; who is at a lane goes through and parks; then everything is uploaded.

        Raises:
            TimeoutError: it does not come to rest; the message says what still moves.
        """
        self.tell("▬", "traffic ends")
        self.lot.tell(do="hold")
        await self._wait_for(_lanes_are_empty, QUIET_S, "cars are still at the lanes")
        with suppress(TimeoutError):  # whoever finds no place drives around for ever, and no sensor sees him
            await self._wait_for(_all_are_parked, PARKING_S, "cars still look for a place")
        await self._status_after(time.monotonic() + 1)  # a sensor notices a moment later
        for _ in range(2):  # once for what the last car did, once for what followed from it
            await self.watch.wait_until(partial(_is_applied, await self._logged()), QUIET_S)
            await self.watch.wait_until_quiet(1.0, QUIET_S)

    async def _cut(self) -> None:
        """First the centre's answers are lost while the lot's words still arrive, as a dying line does it; then nothing passes.

        It waits for facts that were applied without the gateway ever being told: they come a second time when the line is back.
        """
        if self.web is not None and await self.web.doubt(self.cut, self.line):
            self.tell("✂", "the lot has voted, the decision is made, and its telling is lost on the line")
        self._line_is(up=False)
        self.tell("✂", "the centre's answers are lost")
        self.line.flow(Direction.DOWN, Flow.SWALLOW)
        await asyncio.sleep(ON_THEIR_WAY_S)
        heard = await asyncio.to_thread(count_acknowledged, self.ledger)
        with suppress(TimeoutError):
            await self.watch.wait_until(lambda state: state.acknowledged_seq > heard, ONE_SIDED_S)
        self.line.cut()
        unanswered = self.watch.state.acknowledged_seq - heard
        self.tell("✂", f"the line is cut; {unanswered} facts arrived and the lot does not know it")

    async def _kill(self) -> None:
        self.tell("■", "the agent is killed with -9")
        await self.keeper.kill()

    async def _mend(self) -> None:
        await self.keeper.serves()
        logged = await self._logged()
        self.progress.waited = logged - self.watch.state.acknowledged_seq
        self.line.restore()
        mended_s = time.monotonic()
        self._line_is(up=True)
        self.tell("▲", f"the line is back; {self.progress.waited} records wait")
        await self.watch.wait_until(partial(_is_applied, logged), QUIET_S)
        self.drain_s = self.progress.drain_s = round(time.monotonic() - mended_s, 3)
        self.line_down[-1] = (self.line_down[-1][0], time.monotonic())
        self.tell("✓", f"drained in {self.drain_s:.1f} s")

    async def _bookings(self, started_s: float) -> None:
        if self.web is not None:
            await self.web.run(started_s)
            await self.web.ended()

    async def _orders(self) -> None:
        for at_s, order in sorted(self.plan.orders, key=lambda each: each[0]):
            await self._until_s(at_s)
            self.lot.tell(**order)

    def _line_is(self, *, up: bool) -> None:
        self.progress.line_up = up
        self.progress.line_down_s = None if up else time.monotonic()
        if up:
            self.line_cut[-1] = (self.line_cut[-1][0], time.monotonic())
        else:
            self.line_down.append((time.monotonic(), float("inf")))
            self.line_cut.append((time.monotonic(), float("inf")))

    async def _logged(self) -> int:
        return await asyncio.to_thread(count_log, self.ledger)

    async def _until_s(self, at_s: float) -> None:
        """Wait for a real second of the traffic."""
        started_s = self.progress.started_s or time.monotonic()
        await asyncio.sleep(max(0.0, started_s + at_s - time.monotonic()))

    async def _wait_for(self, holds: Callable[[Status], bool], within_s: float, why_not: str) -> None:
        """Wait until the lot says so of itself, in a status that came after this was asked."""
        until = time.monotonic() + within_s
        while not holds(await self._status_after(time.monotonic())):
            if time.monotonic() > until:
                raise TimeoutError(f"after {within_s:g} s {why_not}")

    async def _status_after(self, at_s: float) -> Status:
        await asyncio.sleep(max(0.0, at_s - time.monotonic()))
        known = len(self.lot.heard)
        while True:
            status = next((said for said in self.lot.heard[known:] if said.get("event") == "status"), None)
            if status is not None:
                return status
            await asyncio.sleep(0.1)


def _is_applied(seq: int, state: GatewayState) -> bool:
    return state.acknowledged_seq >= seq


def _lanes_are_empty(status: Status) -> bool:
    queues = status.get("queues")
    waiting = sum(int(str(length)) for length in queues.values()) if isinstance(queues, Mapping) else 0
    return waiting == 0 and status.get("readings_waiting") == 0


def _all_are_parked(status: Status) -> bool:
    return _lanes_are_empty(status) and status.get("inside") == status.get("parked")
