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

from edge.barrier_witness import BarrierWitness
from edge.clock_record import ClockRecord
from edge.commitments import Commitments
from edge.crew import Crew
from edge.heartbeat import Heartbeat
from edge.housekeeping import Housekeeping
from edge.kiosk_sales import KioskSales
from edge.lane_log import LotLaneLog
from edge.ledger import Ledger
from edge.local_server import LocalServer
from edge.memory import give_back_freed
from edge.notify import ServiceNotifier
from edge.payments import Payments
from edge.promises import Promises
from edge.reload import Reload
from edge.sign_pictures import SignPictures
from edge.street import Street
from edge.suspects import Suspects

LOG = structlog.stdlib.get_logger("edge.agent")

PAYMENTS_EVERY_S = 5.0
FIRST_COMMIT_S = 2.0
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
    crew: Crew
    reload: Reload
    signs: SignPictures
    witness: BarrierWitness
    suspects: Suspects
    street: Street | None
    promises: Promises
    housekeeping: Housekeeping
    payments: Payments
    sales: KioskSales
    commitments: Commitments
    clock_record: ClockRecord
    server: LocalServer
    link: LinkTask | None
    notifier: ServiceNotifier
    heartbeat: Heartbeat
    lane_log: LotLaneLog
    lane_failed: asyncio.Future[None]
    follow: tuple[Callable[[], None], ...]
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT; SIGHUP takes up a changed configuration.

        Raises:
            ExceptionGroup: something ended that must not.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload.ask)
        # A full disk takes nothing now: then the lot starts degraded, and its gates work.
        await asyncio.wait({self.ledger.durable()}, timeout=FIRST_COMMIT_S)
        _keep_the_loop_lively()
        for follow in self.follow:
            follow()
        try:
            await self._run_all()
        finally:
            self.lane_log.tell_what_repeated()
            await self.ledger.close()

    async def _run_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in self._parts()]
            LOG.info("agent_ready", port=self.server.port, seq=self.ledger.last_seq, lot=self.ledger.lot.name)
            self.notifier.ready(self.heartbeat.status())
            await self._stopping.wait()
            self.notifier.stopping()
            for task in tasks:
                task.cancel()

    def _parts(self) -> Sequence[Coroutine[object, object, None]]:
        parts = [
            self.ledger.failed(),
            self._lanes_live(),
            self.server.run(),
            self.promises.run(),
            self.commitments.run(),
            self.clock_record.run(),
            self.housekeeping.run(),
            self.heartbeat.run(),
            self._finish_payments(),
            self.crew.run(),
            self.reload.run(),
            self.signs.run(),
            self.witness.run(),
            self.suspects.run(),
        ]
        return [*parts, *(part.run() for part in (self.street, self.link) if part is not None)]

    async def _lanes_live(self) -> None:
        """Return never; raise what a lane could not expect."""
        await self.lane_failed

    async def _finish_payments(self) -> None:
        """Resolve what a power cut or a lost answer left open; a terminal that does not know yet, or is not there, is asked again."""
        while True:
            await self.payments.resolve_pending()
            await self.sales.resolve_pending()
            await asyncio.sleep(PAYMENTS_EVERY_S)


def _keep_the_loop_lively() -> None:
    """What is in memory now stays: the collector need not walk it again (80 ms each time). The writer's thread hands the interpreter over
    after half a millisecond instead of five, so that a lane never waits that long for a group of readings.
    """
    gc.collect()
    gc.freeze()
    give_back_freed()
    sys.setswitchinterval(THREADS_TURN_S)
