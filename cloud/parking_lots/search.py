"""Finding lots and spots: PostGIS in nearest-neighbour order on its own sphere, the one that parking/geo.py measures on.

Two truths are answered and never mixed. What may be sold comes from the counts that follow the ledger; spots say what sensors see.
How far a number can be trusted comes from the line to the lot: who asks is handed in as `LotLines`, since lots know no gateways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.database import Database
from cloud.named_sql import named_sql
from parking.clock import Clock
from parking.geo import Point
from parking.lot import OpeningHours, SpotType
from parking.opening import is_open

QUERIES = named_sql("cloud.parking_lots")
EVERY_RADIUS_M = 50_000.0


class Link(StrEnum):
    """How the line to a lot is: heard within a minute, not heard for a minute, its session over, not heard for five minutes, no line at all."""

    UP = "up"
    LATE = "late"
    DOWN = "down"
    SILENT = "silent"
    NONE = "none"


class Status(StrEnum):
    """A lot in one word. Closed is not full, and not known is neither."""

    FREE = "free"
    FULL = "full"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class Sort(StrEnum):
    """The order of a search."""

    DISTANCE = "distance"
    FREE = "free"


@dataclass(frozen=True, slots=True, kw_only=True)
class LotLine:
    """The line to one lot. `age_s`: real seconds since it was last heard. Who is not `trusted` has numbers that nobody may rely on."""

    link: Link
    age_s: float | None
    last_heard_at: datetime | None
    trusted: bool


NO_LINE = LotLine(link=Link.NONE, age_s=None, last_heard_at=None, trusted=False)


class LotLines(Protocol):
    """Knows the lines to lots."""

    async def of_lots(
        self, connection: AsyncConnection[DictRow], lots: Sequence[UUID]
    ) -> Mapping[UUID, LotLine]:
        """The line of each of `lots` that has one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeCount:
    """Places of one type; `sellable` of `total` may be sold now, None where nothing is known. It holds until `holds_until` (civil)."""

    type: str
    total: int
    sellable: int | None
    holds_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLot:
    """A lot as the API shows it. `distance_m`: from the point asked for, None where there was none."""

    id: UUID
    name: str
    address: str
    point: Point | None
    timezone: str
    currency: str
    distance_m: float | None
    total: int
    counts: tuple[TypeCount, ...]
    is_ours: bool
    open_now: bool | None
    line: LotLine
    facts: Mapping[str, object]

    @property
    def sellable(self) -> int | None:
        """How many places may be sold now; None where nothing is known."""
        known = [count.sellable for count in self.counts if count.sellable is not None]
        return sum(known) if known else None

    @property
    def status(self) -> Status:
        """The lot in one word."""
        if self.open_now is False:
            return Status.CLOSED
        if self.sellable is None:
            return Status.UNKNOWN
        return Status.FREE if self.sellable else Status.FULL


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """Where, how far, and which."""

    point: Point
    radius_m: float = 1_000.0
    type: SpotType | None = None

    def parameters(self) -> dict[str, object]:
        """For the queries."""
        return {
            "lat": self.point.latitude,
            "lng": self.point.longitude,
            "radius_m": self.radius_m,
            "type": None if self.type is None else str(self.type),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A page of a list; pages count from 1."""

    page: int = 1
    per_page: int = 20

    def parameters(self) -> dict[str, int]:
        """For the queries."""
        return {"limit": self.per_page, "offset": (self.page - 1) * self.per_page}


class LotSearch:
    """Answers searches. Reads only."""

    def __init__(self, *, database: Database, lines: LotLines, clock: Clock) -> None:
        self._database = database
        self._lines = lines
        self._clock = clock

    async def near(self, around: Around, which: Slice, sort: Sort) -> tuple[list[FoundLot], int]:
        """A page of lots around a point, and how many there are."""
        nearest = "search_nearest" if around.type is None else "search_nearest_of_type"
        query = nearest if sort is Sort.DISTANCE else "search_freest"
        asked = around.parameters()
        async with self._database.connection() as connection:
            rows = await _all(connection, query, {**asked, **which.parameters()})
            total = len(rows)
            if which.page > 1 or total == which.per_page:  # a first page that is not full is all there is
                total = await _total(connection, "search_total", asked)
            return await self._found(connection, rows), total

    async def by_id(self, lots: Sequence[UUID]) -> list[FoundLot]:
        """Those of `lots` that exist, in that order."""
        async with self._database.connection() as connection:
            return await self.read(connection, lots)

    async def read(self, connection: AsyncConnection[DictRow], lots: Sequence[UUID]) -> list[FoundLot]:
        """The same, as the caller's transaction sees them."""
        rows = await _all(connection, "lots_by_id", {"ids": list(lots)})
        found = {lot.id: lot for lot in await self._found(connection, rows)}
        return [found[lot] for lot in lots if lot in found]

    async def ids_near(self, around: Around, limit: int) -> list[UUID]:
        """The nearest lots with a gateway around a point."""
        async with self._database.connection() as connection:
            rows = await _all(connection, "search_ids", {**around.parameters(), "limit": limit})
        return [row["id"] for row in rows]

    async def ours(self, connection: AsyncConnection[DictRow], limit: int = 500) -> list[FoundLot]:
        """The lots that a gateway has laid out, by name."""
        rows = await _all(connection, "lots_of_gateways_all", {"limit": limit})
        return await self.read(connection, [row["id"] for row in rows])

    async def named(self, text: str, which: Slice) -> tuple[list[FoundLot], int]:
        """A page of the lots whose name or address holds `text`, those with a gateway first, and how many there are."""
        async with self._database.connection() as connection:
            rows = await _all(connection, "lots_named", {"text": text, **which.parameters()})
            found = await self.read(connection, [row["id"] for row in rows])
        return found, rows[0]["total"] if rows else 0

    async def known(self, connection: AsyncConnection[DictRow]) -> tuple[int, int]:
        """How many lots and places are known."""
        row = await (await connection.execute(QUERIES["lots_figures"])).fetchone()
        return (row["lots"], row["spots"]) if row is not None else (0, 0)

    async def structure(self, lot: UUID) -> DictRow | None:
        """A lot's `zones` and `lanes`; None where there is no such lot."""
        async with self._database.connection() as connection:
            return await (await connection.execute(QUERIES["lot_structure"], {"lot": lot})).fetchone()

    async def spots_of(self, lot: UUID, which: Slice, **filters: str | None) -> tuple[list[DictRow], int]:
        """A page of a lot's spots (by `level`, `type`, `state`), and how many there are."""
        asked = {"lot": lot, "level": None, "type": None, "state": None, **filters}
        async with self._database.connection() as connection:
            rows = await _all(connection, "spots_of_lot", {**asked, **which.parameters()})
            return rows, await _total(connection, "spots_of_lot_total", asked)

    async def spots_near(self, around: Around, which: Slice, state: str | None) -> tuple[list[DictRow], int]:
        """A page of the spots around a point, and how many there are."""
        asked = {**around.parameters(), "state": state}
        async with self._database.connection() as connection:
            rows = await _all(connection, "spots_near", {**asked, **which.parameters()})
            return rows, await _total(connection, "spots_near_total", asked)

    async def _found(self, connection: AsyncConnection[DictRow], rows: Sequence[DictRow]) -> list[FoundLot]:
        lines = await self._lines.of_lots(connection, [row["id"] for row in rows if row["is_ours"]])
        now = self._clock.now()
        return [_found(row, lines.get(row["id"], NO_LINE), now) for row in rows]


async def _all(
    connection: AsyncConnection[DictRow], query: str, parameters: Mapping[str, object]
) -> list[DictRow]:
    return await (await connection.execute(QUERIES[query], parameters)).fetchall()


async def _total(connection: AsyncConnection[DictRow], query: str, parameters: Mapping[str, object]) -> int:
    row = await (await connection.execute(QUERIES[query], parameters)).fetchone()
    return 0 if row is None else int(row["total"])


def _found(row: DictRow, line: LotLine, now: datetime) -> FoundLot:
    known = row["is_ours"] and line.trusted
    placed = row["latitude"] is not None
    return FoundLot(
        id=row["id"],
        name=row["name"],
        address=row["address"],
        point=Point(latitude=row["latitude"], longitude=row["longitude"]) if placed else None,
        timezone=row["timezone"],
        currency=row["currency"],
        distance_m=row["distance_m"],
        total=row["total_spots"],
        counts=tuple(_count(count, known=known) for count in row["counts"]),
        is_ours=row["is_ours"],
        open_now=_open_now(row, now) if row["is_ours"] else None,
        line=line,
        facts=row["amenities"],
    )


def _count(count: Mapping[str, Any], *, known: bool) -> TypeCount:
    holds_until = count["holds_until"]
    return TypeCount(
        type=count["type"],
        total=count["total"],
        sellable=count["sellable"] if known else None,
        holds_until=datetime.fromisoformat(holds_until) if known and holds_until else None,
    )


def _open_now(row: DictRow, now: datetime) -> bool:
    hours = row["operating_hours"]
    if hours is None:
        return True
    by_weekday = {
        int(weekday): (time.fromisoformat(opens), time.fromisoformat(closes))
        for weekday, (opens, closes) in hours.items()
    }
    return is_open(OpeningHours(by_weekday=by_weekday), ZoneInfo(row["timezone"]), now)
