"""Writes down how good the time is: one fact at each start and at each change, so that every row's instant can be judged by those before it.

When the time becomes known, what was written in the dark is put right in the same transaction (parking/rebasing.py). Next: edge/ledger.py.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from edge.change import Change, fact
from edge.ledger import Ledger
from edge.lot_clock import LotClock
from parking.rebasing import Rebased, rebased
from parking.trusted_time import TrustedTime
from sync.events import EventDraft, EventKind
from sync.instants import to_us

LOOK_EVERY_S = 1.0


@dataclass(slots=True, kw_only=True)
class ClockRecord:
    """Keeps the log's word on the clock."""

    ledger: Ledger
    clock: LotClock

    def begin(self) -> None:
        """Tell how the time is at this start, and from now on each change: the first may come at once, where a machine without a centre is set."""
        now = self.clock.time
        self._write(now, now, Rebased())
        self.clock.subscribe(self._changed)
        self.clock.tick()

    async def run(self) -> None:
        """Look every second whether the centre fell silent; the agent's TaskGroup holds this."""
        while True:
            self.clock.tick()
            await asyncio.sleep(LOOK_EVERY_S)

    def _changed(self, before: TrustedTime, after: TrustedTime) -> None:
        ledger = self.ledger
        moved = (
            Rebased() if before.known else rebased(ledger.book, before, after, voided=ledger.voided_stays())
        )
        self._write(before, after, moved)

    def _write(self, before: TrustedTime, after: TrustedTime, moved: Rebased) -> None:
        change = Change.record(
            at=after.estimate_at, claims=moved.claims, stays=moved.stays, events=(_told(before, after),)
        )
        self.ledger.commit(change, urgent=True)


def _told(before: TrustedTime, after: TrustedTime) -> EventDraft:
    """`shift_us` is by how much the estimate moved: what was written before this row, in this boot, moves by it."""
    shift_us = to_us(after.estimate_at) - to_us(before.estimate_at)
    return fact(
        EventKind.CLOCK_CHANGED,
        to_us(after.estimate_at),
        quality=after.quality.value,
        lower_bound_us=to_us(after.lower_at),
        estimate_us=to_us(after.estimate_at),
        was=before.quality.value,
        shift_us=shift_us,
        machine_boot=after.boot,
    )
