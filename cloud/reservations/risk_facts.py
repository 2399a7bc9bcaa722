"""What a lot's log tells of promises that give way: at risk, or kept on another spot. Next in its story: cloud/reservations/promise_keeper.

A fact always applies: it is marked on the booking here, in the page's transaction; its driver is told with alternatives soon after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.events import NewEvent, publish
from cloud.facts import Fact, Origin, Read, require_uuid
from cloud.named_sql import named_sql
from sync.events import EventKind
from sync.fields import Fields, integer, text
from sync.transaction import TransactionId

QUERIES = named_sql("cloud.reservations")


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskTold:
    """The lot's word about a booking. `reason` None: it is kept, on another spot."""

    id: TransactionId
    reason: str | None


class RiskFacts:
    """Marks bookings."""

    kinds: frozenset[str] = frozenset({EventKind.BOOKING_AT_RISK, EventKind.BOOKING_REHOMED})

    def read(self, fact: Fact) -> RiskTold:
        """What `fact` tells.

        Raises:
            MalformedFrame: its body is not what its kind says.
        """
        fields = Fields(fact.body, "body")
        reservation = fields.take("reservation", text(64, shortest=1))
        require_uuid(reservation, "body.reservation")
        revision = fields.take("revision", integer(1, 2**31 - 1))
        at_risk = fact.kind == EventKind.BOOKING_AT_RISK
        return RiskTold(
            id=TransactionId(reservation=reservation, revision=revision),
            reason=fields.take("reason", text(64, shortest=1)) if at_risk else None,
        )

    async def apply(
        self, connection: AsyncConnection[DictRow], origin: Origin, facts: Sequence[Read[RiskTold]]
    ) -> None:
        """The last word about each counts. What is over, or not this lot's, is left alone."""
        newest = {read.row.id.reservation: read.row for read in facts}
        for told in newest.values():
            scope = {"id": UUID(told.id.reservation), "lot": origin.lot, "reason": told.reason}
            rows = await (await connection.execute(QUERIES["booking_at_risk"], scope)).fetchall()
            if rows and told.reason is None:
                body: dict[str, object] = {"reservation": told.id.reservation}
                await publish(connection, [NewEvent(lot=origin.lot, kind="ReservationRehomed", body=body)])
