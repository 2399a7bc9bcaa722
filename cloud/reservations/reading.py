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


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTransactions:
    """Bookings that are not settled between centre and lot. `state`: draft, preparing, or untold: decided, and the lot has not acknowledged it.

    `age_s` of the oldest, real seconds.
    """

    state: str
    count: int
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTransaction:
    """One of a lot's bookings on its way between centre and lot; `age_s` in real seconds since it went into `state`."""

    reservation: UUID
    revision: int
    type: str
    starts_at: datetime | None
    ends_at: datetime | None
    state: str
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueDoubts:
    """A lot's bookings whose decision it should have heard long ago; `age_s` of the oldest, real seconds."""

    lot: UUID
    count: int
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """Spots of one type that a lot may not sell: the centre's, those on their way, and those that nobody may sell until a recount."""

    cloud: int
    in_flight: int
    stranded: int


async def owned_by_type(connection: AsyncConnection[DictRow], lot: UUID) -> Mapping[str, Owned]:
    """By type, where there are any."""
    rows = await (await connection.execute(QUERIES["owned_by_type"], {"lot": lot})).fetchall()
    return {
        row["type"]: Owned(cloud=row["cloud"], in_flight=row["in_flight"], stranded=row["stranded"])
        for row in rows
    }


async def open_transactions(connection: AsyncConnection[DictRow]) -> list[OpenTransactions]:
    """By state, over all lots."""
    rows = await (await connection.execute(QUERIES["transactions_open"])).fetchall()
    return [
        OpenTransactions(state=row["state"], count=row["count"], age_s=max(0.0, float(row["age_s"])))
        for row in rows
    ]


async def transactions_of(
    connection: AsyncConnection[DictRow], lot: UUID, limit: int
) -> list[OpenTransaction]:
    """What is being decided for a lot, or was decided and is not acknowledged by it, the oldest first."""
    scope = {"lot": lot, "limit": limit}
    rows = await (await connection.execute(QUERIES["transactions_of_lot"], scope)).fetchall()
    return [
        OpenTransaction(
            reservation=row["id"],
            revision=row["revision"],
            type=row["type"] or "",
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            state=row["state"],
            age_s=max(0.0, float(row["age_s"])),
        )
        for row in rows
    ]


async def overdue_doubts(connection: AsyncConnection[DictRow], after_s: float) -> list[OverdueDoubts]:
    """Where a decision has not been acknowledged for `after_s` real seconds, the oldest first."""
    rows = await (await connection.execute(QUERIES["doubts_overdue"], {"after_s": after_s})).fetchall()
    return [OverdueDoubts(lot=row["lot_id"], count=row["count"], age_s=float(row["age_s"])) for row in rows]


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
