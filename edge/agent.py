"""The agent of one lot: everything that runs, in one TaskGroup. What ends unexpectedly ends the process; systemd starts it again.

Expected trouble has its own place: a driver's is its supervisor's, the line's is the link's, a full disk's is the writer's. What is left
is a fault of ours or of the machine, and then truth is on disk and a restart is the right answer.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from drivers.supervisor import Supervisor
from edge.housekeeping import Housekeeping
from edge.lane_runner import LaneRunner
from edge.lanes import LanePhase
from edge.ledger import Ledger
from edge.local_server import LocalServer
from edge.notify import ServiceNotifier
from edge.payments import Payments
from edge.promises import Promises
from parking.clock import Clock

LOG = structlog.stdlib.get_logger("edge.agent")

LONGEST_DECISION_S = 30.0
STATUS_EVERY_S = 2.0
PAYMENTS_RETRY_S = 10.0
THREADS_TURN_S = 0.000_5


class LinkTask(Protocol):
    """The line to the centre."""

    async def run(self) -> None:
        """Keep it up until cancelled."""
        ...


@dataclass(slots=True, kw_only=True)
class Agent:
    """One lot at work. Made by edge/bootstrap.py."""

    ledger: Ledger
    supervisors: Sequence[Supervisor]
    runners: Sequence[LaneRunner]
    promises: Promises
    housekeeping: Housekeeping
    payments: Payments
    server: LocalServer
    link: LinkTask | None
    notifier: ServiceNotifier
    clock: Clock
    lane_failed: asyncio.Future[None]
    follow: Callable[[], None]
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            ExceptionGroup: something ended that must not.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        await self.ledger.durable()
        _keep_the_loop_lively()
        self.follow()
        try:
            await self._run_all()
        finally:
            self.notifier.stopping()
            await self.ledger.close()

    async def _run_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in self._parts()]
            LOG.info("agent_ready", port=self.server.port, seq=self.ledger.last_seq, lot=self.ledger.lot.name)
            self.notifier.ready(self._status())
            await self._stopping.wait()
            for task in tasks:
                task.cancel()

    def _parts(self) -> Sequence[Coroutine[object, object, None]]:
        parts = [
            self.ledger.failed(),
            self._lanes_live(),
            self.server.run(),
            self.promises.run(),
            self.housekeeping.run(),
            self._tell_systemd(),
            self._finish_payments(),
            *(supervisor.run() for supervisor in self.supervisors),
        ]
        return parts if self.link is None else [*parts, self.link.run()]

    async def _lanes_live(self) -> None:
        """Return never; raise what a lane could not expect."""
        await self.lane_failed

    async def _finish_payments(self) -> None:
        """Resolve what a power cut left open; a terminal that is not there yet is asked again."""
        while await self.payments.resolve_pending():  # noqa: ASYNC110 - a terminal tells nobody that it is back
            await asyncio.sleep(PAYMENTS_RETRY_S)

    async def _tell_systemd(self) -> None:
        """Feed the watchdog while the loop turns and every lane decides in time."""
        every_s = self.notifier.watchdog_interval_s or STATUS_EVERY_S
        while True:
            self.notifier.status(self._status())
            if all(self._decides_in_time(runner) for runner in self.runners):
                self.notifier.alive()
            await asyncio.sleep(every_s)

    def _decides_in_time(self, runner: LaneRunner) -> bool:
        """A lane that has been deciding for long hangs, unless the disk is what it waits for: that is the degraded state."""
        if runner.state.phase is not LanePhase.DECIDING or self.ledger.degraded is not None:
            return True
        return self.clock.monotonic() - runner.last_step_at < LONGEST_DECISION_S

    def _status(self) -> str:
        trouble = self.ledger.degraded or self.ledger.fenced_because
        state = f"DEGRADED: {trouble}" if trouble else "parking works"
        return f"{state}; {len(self.ledger.open_stays())} inside; {self.ledger.backlog} records to upload"


def _keep_the_loop_lively() -> None:
    """What is in memory now stays: the collector need not walk it again (80 ms each time). The writer's thread hands the interpreter over
    after half a millisecond instead of five, so that a lane never waits that long for a group of readings.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(THREADS_TURN_S)
