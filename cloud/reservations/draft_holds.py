"""A draft may hold a place of the cloud's own for ten minutes, so that its driver can pay in peace. Next in its story: cloud/reservations/beginning.

Theory. The hold is a claim `held` on a place of the cloud's own, and it stands in the draft's row (`own_claims`): whoever has that row, locked, has both. The
decision makes it firm and the driver's cancellation releases it, by the coordinator's own table. After ten minutes, and where a fact of the lot takes the
place, one statement takes it out of rows that are still drafts and releases the claims. So expiry and `confirm` meet at the row: who comes second
sees what the first one did, and a draft without its hold is a draft like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.errors import LockNotAvailable
from psycopg.rows import DictRow

from cloud.database import Database
from cloud.named_sql import named_sql
from cloud.parking_lots.service import ParkingLots
from cloud.reservations.booking_rows import Booking, held, hold_lot, latest, protocol_now, write
from cloud.reservations.own_places import OwnPlaces
from cloud.reservations.ports import LotLink
from parking.clock import Clock
from sync.booking import CoordinatorState

QUERIES = named_sql("cloud.reservations")

HOLDS = timedelta(minutes=10)
"""Real time from the making of the draft, by the database's clock."""
LOCK_WITHIN_MS = 800


def held_until(draft: Booking) -> datetime | None:
    """Until when a draft has a place; None where it has none."""
    holds = draft.state is CoordinatorState.DRAFT and draft.transaction.own_claims
    return draft.created_at + HOLDS if holds and draft.created_at is not None else None


class DraftHolds:
    """Holds are taken where there is one to be had, and nobody waits for it: a draft needs none."""

    def __init__(
        self, *, database: Database, lots: ParkingLots, link: LotLink, places: OwnPlaces, clock: Clock
    ) -> None:
        self._database = database
        self._lots = lots
        self._link = link
        self._places = places
        self._clock = clock

    async def take(self, draft: Booking) -> Booking:
        """The draft with a place of the cloud's own; as it is where none is free, or its ten minutes are over."""
        if draft.lot is None:
            return draft
        try:
            await self._take(draft.lot, draft)
        except LockNotAvailable:
            return draft
        async with self._database.connection() as connection:
            return await latest(connection, draft.id) or draft

    async def _take(self, lot: UUID, draft: Booking) -> None:
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(QUERIES["lock_within"], {"ms": f"{LOCK_WITHIN_MS}ms"})
            region = await hold_lot(connection, lot)
            known = await held(connection, draft.id, draft.revision)
            if known is None or known.state is not CoordinatorState.DRAFT or known.transaction.own_claims:
                return
            if known.created_at is None or await protocol_now(connection) >= known.created_at + HOLDS:
                return
            line = await self._link.standing(connection, lot)
            taken = await self._places.take(connection, region, known, 0 if line is None else line.epoch)
            if taken is not None:
                await write(connection, CoordinatorState.DRAFT, taken)
                await self._recount(connection, region, lot)

    async def kept(self, connection: AsyncConnection[DictRow], region: str, draft: Booking) -> Booking:
        """The draft with its hold while that place is the cloud's own, else without. The caller holds the lot's row and the draft's."""
        for claim in draft.transaction.own_claims:
            scope = {"region": region, "id": claim.id}
            if await (await connection.execute(QUERIES["hold_stands"], scope)).fetchone() is None:
                await connection.execute(QUERIES["claim_release"], {**scope, "version": claim.version + 1})
                return replace(draft, transaction=replace(draft.transaction, own_claims=()))
        return draft

    async def give_way(self, connection: AsyncConnection[DictRow], reservations: Sequence[str]) -> None:
        """Facts of the lot take the places that these drafts hold, in the caller's transaction."""
        scope = {"ids": list(reservations), "holds_s": HOLDS.total_seconds()}
        await connection.execute(QUERIES["holds_give_back"], scope)

    async def expire(self) -> int:
        """Give back what has been held for too long; how many places that were."""
        scope: dict[str, object] = {"ids": [], "holds_s": HOLDS.total_seconds()}
        async with self._database.connection() as connection, connection.transaction():
            rows = await (await connection.execute(QUERIES["holds_give_back"], scope)).fetchall()
        for region, lot in sorted({(str(row["region"]), row["lot_id"]) for row in rows}, key=str):
            # Whoever holds the lot for so long changes it, and counts it himself.
            with suppress(LockNotAvailable):
                await self._recounted(region, lot)
        return len(rows)

    async def _recounted(self, region: str, lot: UUID) -> None:
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(QUERIES["lock_within"], {"ms": f"{LOCK_WITHIN_MS}ms"})
            await hold_lot(connection, lot)
            await self._recount(connection, region, lot)

    async def _recount(self, connection: AsyncConnection[DictRow], region: str, lot: UUID) -> None:
        line = await self._link.standing(connection, lot)
        as_of_seq = 0 if line is None else line.applied_seq
        await self._lots.recount(connection, region, lot, as_of_seq=as_of_seq, now=self._clock.now())
