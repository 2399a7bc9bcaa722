"""The line to each lot, for those who show a lot's numbers and must say how fresh they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.gateways.hearing import Hearing, hearing_of
from cloud.named_sql import named_sql
from cloud.parking_lots.search import Link, LotLine

QUERIES = named_sql("cloud.gateways")
LINKS: Mapping[Hearing, Link] = {
    Hearing.NEVER: Link.DOWN,
    Hearing.UP: Link.UP,
    Hearing.LATE: Link.LATE,
    Hearing.DOWN: Link.DOWN,
    Hearing.SILENT: Link.SILENT,
}
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
    return LotLine(
        link=LINKS[hearing_of(age_s, session_open=row["session_open"])],
        age_s=age_s,
        last_heard_at=row["last_heard_at"],
        trusted=row["state"] in TRUSTED_STATES and age_s is not None,
    )
