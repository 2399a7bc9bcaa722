"""The timer of the counts: what may be sold changes by itself when a claim ends or one to come draws near.

`lot_counts.holds_until` says when, in civil time. This waits for the earliest of them (looking again now and then, since a commit may
bring an earlier one) and computes those lots anew.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog
from psycopg import OperationalError
from psycopg.errors import UndefinedTable
from psycopg_pool import PoolTimeout

from cloud.database import Database
from cloud.parking_lots.service import ParkingLots
from parking.clock import Clock

LOG = structlog.get_logger(__name__)
LONGEST_WAIT_S = 1.0
SHORTEST_WAIT_S = 0.02


class Recounting:
    """Keeps counts true while nothing is told."""

    def __init__(self, *, database: Database, lots: ParkingLots, clock: Clock) -> None:
        self._database = database
        self._lots = lots
        self._clock = clock

    async def run(self) -> None:
        """Recount until cancelled."""
        while True:
            try:
                await self.recount_due()
                wait_s = await self._wait_s()
            except (OperationalError, PoolTimeout, UndefinedTable) as error:
                LOG.warning("recount postponed", error=str(error))
                wait_s = LONGEST_WAIT_S
            await asyncio.sleep(wait_s)

    async def recount_due(self) -> int:
        """Compute anew every lot whose counts hold no longer; how many those were."""
        async with self._database.connection() as connection:
            due = await self._lots.recount_due(connection, self._clock.now())
            for lot in due:
                async with connection.transaction():
                    await self._lots.lock(connection, lot["region"], lot["lot"])
                    await self._lots.recount(
                        connection,
                        lot["region"],
                        lot["lot"],
                        as_of_seq=lot["as_of_seq"],
                        now=self._clock.now(),
                    )
        return len(due)

    async def _wait_s(self) -> float:
        async with self._database.connection() as connection:
            due_at = await self._lots.next_due_at(connection)
        if due_at is None:
            return LONGEST_WAIT_S
        ahead = max(timedelta(0), due_at - self._clock.now())
        return min(LONGEST_WAIT_S, max(SHORTEST_WAIT_S, self._clock.real_s(ahead)))
