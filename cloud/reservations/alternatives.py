"""What a driver may have instead: other types in the same lot, other lots near, with what is sellable in that window and for how much.

Theory. Lists say what may be sold now; for a window it is computed here, for the few results shown and no others. It is what the ledger
says at `as_of`, promised to nobody: booking one of them is a race like any other. Lots whose line is down count with what the cloud itself owns
there, lots of which nothing is known are left out, and so are those that have no tariff for the window.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.database import Database
from cloud.named_sql import named_sql
from cloud.parking_lots.search import Around, FoundLot, Link, LotSearch, Slice, Sort
from cloud.pricing.quotes import priced
from cloud.reservations.ports import TariffSource
from parking.clock import Clock
from parking.interval import Interval
from parking.lot import SpotType

QUERIES = named_sql("cloud.reservations")

WITHIN_M = 3_000.0
LOTS_AT_MOST = 3
LOTS_LOOKED_AT = 12
TYPES_AT_MOST = 2

Alternative = Mapping[str, object]
Alternatives = tuple[Alternative, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What could not be had."""

    lot: UUID
    type: SpotType
    window: Interval


class AlternativeSearch:
    """Reads only. Who loses the same race at the same time shares one search."""

    def __init__(self, *, database: Database, search: LotSearch, tariffs: TariffSource, clock: Clock) -> None:
        self._database = database
        self._search = search
        self._tariffs = tariffs
        self._clock = clock
        self._running: dict[Lost, asyncio.Task[Alternatives]] = {}

    async def instead_of(self, lost: Lost) -> Alternatives:
        """Other types in the lot first, then other lots, nearest first."""
        running = self._running.get(lost)
        if running is None:
            running = asyncio.create_task(self._found(lost), name="alternatives")
            self._running[lost] = running
            running.add_done_callback(lambda _: self._running.pop(lost, None))
        return await asyncio.shield(running)

    async def _found(self, lost: Lost) -> Alternatives:
        here = await self._search.by_id([lost.lot])
        if not here:
            return ()
        lots = [*here, *await self._near(here[0], lost)]
        async with self._database.connection() as connection:
            sellable = await self._sellable(connection, lots, lost.window)
            types = sorted({kind for lot, kind in sellable if lot == lost.lot and kind != lost.type})
            chosen = [(here[0], SpotType(kind)) for kind in types[:TYPES_AT_MOST]]
            others = [lot for lot in lots[1:] if (lot.id, str(lost.type)) in sellable]
            chosen += [(lot, lost.type) for lot in others[:LOTS_AT_MOST]]
            offers = [
                await self._offer(connection, lot, kind, sellable[lot.id, str(kind)], lost.window)
                for lot, kind in chosen
            ]
        return tuple(offer for offer in offers if offer is not None)

    async def _near(self, here: FoundLot, lost: Lost) -> list[FoundLot]:
        if here.point is None:
            return []
        around = Around(point=here.point, radius_m=WITHIN_M, type=lost.type)
        found, _ = await self._search.near(around, Slice(per_page=LOTS_LOOKED_AT), Sort.DISTANCE)
        return [lot for lot in found if lot.id != lost.lot and lot.is_ours and lot.line.trusted]

    async def _sellable(
        self, connection: AsyncConnection[DictRow], lots: Sequence[FoundLot], window: Interval
    ) -> dict[tuple[UUID, str], int]:
        """By lot and type, where there is any."""
        scope = {
            "lots": [lot.id for lot in lots],
            "asked": [lot.line.link is Link.UP for lot in lots],
            "starts_at": window.starts_at,
            "ends_at": window.ends_at,
            "now": self._clock.now(),
        }
        rows = await (await connection.execute(QUERIES["sellable_in_window"], scope)).fetchall()
        return {(row["lot_id"], row["type"]): row["sellable"] for row in rows if row["sellable"] > 0}

    async def _offer(
        self,
        connection: AsyncConnection[DictRow],
        lot: FoundLot,
        kind: SpotType,
        sellable: int,
        window: Interval,
    ) -> Alternative | None:
        cost = priced(await self._tariffs.tariffs_of(connection, lot.id), kind=kind, window=window)
        if cost is None or window.ends_at is None:
            return None
        return {
            "lot": str(lot.id),
            "name": lot.name,
            "distance_m": None if lot.distance_m is None else round(lot.distance_m),
            "type": str(kind),
            "starts_at": window.starts_at.isoformat(),
            "ends_at": window.ends_at.isoformat(),
            "sellable": sellable,
            "amount_minor": cost.total_minor,
            "currency": cost.currency,
            "as_of": self._clock.now().isoformat(),
        }
