"""What others may know of stays, claims and conflicts: figures and short lists, read only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.named_sql import named_sql

QUERIES = named_sql("cloud.reservations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupancy:
    """Cars inside, and places that are blocked."""

    inside: int
    blocked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StayFigures:
    """Cars that came in and left since an instant, and those inside now."""

    entered: int
    exited: int
    inside: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenConflicts:
    """Conflicts of one kind in one lot that nobody has resolved; `age_s` of the oldest, real seconds."""

    lot: UUID
    kind: str
    count: int
    age_s: float


async def stay_figures(
    connection: AsyncConnection[DictRow], lots: Sequence[UUID], since: datetime
) -> StayFigures:
    """Figures over `lots` since the civil instant `since`."""
    scope = {"lots": list(lots), "since": since}
    row = await (await connection.execute(QUERIES["stays_figures"], scope)).fetchone()
    return StayFigures(**(row or {"entered": 0, "exited": 0, "inside": 0}))


async def occupancy_of(
    connection: AsyncConnection[DictRow], lots: Sequence[UUID], now: datetime
) -> Mapping[UUID, Occupancy]:
    """How each of `lots` is occupied at `now`."""
    scope = {"lots": list(lots), "now": now}
    rows = await (await connection.execute(QUERIES["occupancy_of_lots"], scope)).fetchall()
    return {row["lot_id"]: Occupancy(inside=row["inside"], blocked=row["blocked"]) for row in rows}


async def longest_stays(connection: AsyncConnection[DictRow], lot: UUID, limit: int) -> list[DictRow]:
    """The cars that have been inside longest."""
    return await (await connection.execute(QUERIES["stays_longest"], {"lot": lot, "limit": limit})).fetchall()


async def open_conflicts(connection: AsyncConnection[DictRow]) -> list[OpenConflicts]:
    """What nobody has resolved yet, oldest first."""
    rows = await (await connection.execute(QUERIES["conflicts_open"])).fetchall()
    return [
        OpenConflicts(lot=row["lot_id"], kind=row["kind"], count=row["count"], age_s=float(row["age_s"]))
        for row in rows
    ]
