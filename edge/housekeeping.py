"""Keeps the ledger's file small: what may go goes, in small steps, and what may not go stops the sale before the disk ends.

What was acknowledged 14 days ago goes, with the closed stays and released claims that it told; plates go two days after their stay; of
reading keys and of what was kept aside only the newest stay. Nothing else ever goes. Where that is not enough, the ledger is
degraded: nothing is sold, gates go on, and it ends by itself once the centre has taken the backlog. A lot without a centre
acknowledges its own log: it has nobody to keep it for. While the time is unknown nothing is old.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

from edge.change import Change, Tidy
from edge.ledger import Ledger
from edge.reading_keys import MOST_KEYS
from edge.store.opening import Witness, write_witness
from edge.store.store import HOUR_US, Store
from parking.clock import TrustedClock
from sync.instants import to_us

LOG_KEPT = timedelta(days=14)
PLATES_KEPT = timedelta(days=2)
TOKENS_KEPT = timedelta(days=400)
TRANSACTIONS_KEPT = timedelta(days=30)
LOG_ROWS_A_STEP = 1_000
KEEP_ASIDE = 1_000
EVERY_S = 30.0


class Housekeeping:
    """Tidies one ledger."""

    def __init__(self, ledger: Ledger, store: Store, *, clock: TrustedClock, max_bytes: int) -> None:
        """`max_bytes` is what the file may hold."""
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._max_bytes = max_bytes

    async def run(self, *, every_s: float = EVERY_S) -> None:
        """Tidy for ever; the agent's TaskGroup holds this."""
        while True:
            while await self.step():
                pass
            await asyncio.sleep(every_s)

    async def step(self) -> bool:
        """Let go of at most a thousand rows and look at the bound; whether there is more to let go."""
        now = self._clock.released_before()
        if not self._ledger.gateway and self._ledger.backlog and self._clock.known:
            self._ledger.acknowledge(self._ledger.last_seq, self._ledger.last_hash)
        hour = to_us(now - LOG_KEPT) // HOUR_US
        epoch = self._ledger.epoch
        may_go = self._store.rows("acknowledged_before", epoch=epoch, hour=hour)[0]["seq"] or 0
        scarce = self.over_bound() is not None
        known = Witness(epoch=epoch, seq=self._ledger.last_seq)
        await self._ledger.commit(
            Change(
                tidy=Tidy(
                    log_seq=may_go,
                    acknowledged_hour=hour,
                    plates_before=now - PLATES_KEPT,
                    tokens_before=now - TOKENS_KEPT,
                    transactions_before=now - TRANSACTIONS_KEPT,
                    keep_reading_keys=MOST_KEYS // 10 if scarce else MOST_KEYS,
                    keep_quarantine=KEEP_ASIDE // 10 if scarce else KEEP_ASIDE,
                    log_rows=LOG_ROWS_A_STEP,
                )
            )
        )
        with suppress(OSError):  # a disk that takes nothing is said by the writer
            await asyncio.to_thread(write_witness, self._store.path, known)  # it waits for the disk
        self._ledger.refusal = self.over_bound()
        oldest = self._store.rows("oldest_row", epoch=epoch)[0]["seq"]
        return oldest is not None and oldest <= may_go

    def over_bound(self) -> str | None:
        """Why nothing may be sold: the file holds more than it may; None where it does not."""
        used = self._store.used_bytes()
        return (
            f"the ledger holds {used} bytes of at most {self._max_bytes}" if used >= self._max_bytes else None
        )
