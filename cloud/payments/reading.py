"""What others may know of payments: sums, read only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.named_sql import named_sql

QUERIES = named_sql("cloud.payments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """Money taken in one currency."""

    currency: str
    amount_minor: int
    count: int


async def takings(
    connection: AsyncConnection[DictRow], lots: Sequence[UUID], since: datetime
) -> list[Taking]:
    """Money taken at `lots` since the civil instant `since`."""
    rows = await (
        await connection.execute(QUERIES["takings"], {"lots": list(lots), "since": since})
    ).fetchall()
    return [Taking(**row) for row in rows]
