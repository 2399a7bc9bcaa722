"""Tells systemd that the lot is alive: the watchdog is fed while the event loop turns and every lane decides in time. Next: edge/notify.py.

A disk that cannot be written is a degraded state, told in STATUS, and no reason to restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from edge.lane_runner import LaneRunner
from edge.lanes import LanePhase
from edge.ledger import Ledger
from edge.notify import ServiceNotifier
from parking.clock import Clock

LONGEST_DECISION_S = 30.0
STATUS_EVERY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The beat of one lot. `longest_decision_s`: real seconds after which a lane that still decides hangs."""

    ledger: Ledger
    runners: Sequence[LaneRunner]
    notifier: ServiceNotifier
    clock: Clock
    longest_decision_s: float = LONGEST_DECISION_S

    async def run(self) -> None:
        """Beat until cancelled."""
        every_s = self.notifier.watchdog_interval_s or STATUS_EVERY_S
        while True:
            self.beat()
            await asyncio.sleep(every_s)

    def beat(self) -> None:
        """Say how it is, and feed the watchdog where all is alive."""
        self.notifier.status(self.status())
        if all(self._decides_in_time(runner) for runner in self.runners):
            self.notifier.alive()

    def status(self) -> str:
        """One line for `systemctl status`."""
        trouble = self.ledger.degraded or self.ledger.fenced_because
        state = f"DEGRADED: {trouble}" if trouble else "parking works"
        return f"{state}; {len(self.ledger.open_stays())} inside; {self.ledger.backlog} records to upload"

    def _decides_in_time(self, runner: LaneRunner) -> bool:
        """A lane that has been deciding for long hangs, unless the disk is what it waits for: that is the degraded state."""
        if runner.state.phase is not LanePhase.DECIDING or self.ledger.degraded is not None:
            return True
        return self.clock.monotonic() - runner.phase_since < self.longest_decision_s
