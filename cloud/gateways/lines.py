"""The line to each lot, for those who show a lot's numbers and must say how fresh they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.named_sql import named_sql
from cloud.parking_lots.search import Link, LotLine

QUERIES = named_sql("cloud.gateways")
LATE_AFTER_S = 60.0
TRUSTED_STATES = frozenset({"ok"})


class GatewayLines:
    """Answers from the gateways' rows."""

    async def of_lots(
        self, connection: AsyncConnection[DictRow], lots: Sequence[UUID]
    ) -> Mapping[UUID, LotLine]:
        """The line of each of `lots` that has a gateway in charge."""
        if not lots:
            return {}
        rows = await (await connection.execute(QUERIES["lines_of_lots"], {"lots": list(lots)})).fetchall()
        return {row["lot_id"]: _line(row) for row in rows}


def _line(row: DictRow) -> LotLine:
    age_s = None if row["age_s"] is None else max(0.0, float(row["age_s"]))
    if not row["connected"]:
        link = Link.DOWN
    else:
        link = Link.UP if age_s is not None and age_s <= LATE_AFTER_S else Link.LATE
    return LotLine(
        link=link,
        age_s=age_s,
        last_heard_at=row["last_heard_at"],
        trusted=row["state"] in TRUSTED_STATES and age_s is not None,
    )
