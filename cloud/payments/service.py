"""Demands and payments as the lots tell them. Next in its story: cloud/events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.events import NewEvent, publish
from cloud.facts import Fact, Origin, Read, require_uuid
from cloud.json_text import json_text
from cloud.named_sql import named_sql
from parking.demands import Demand, Payment, PaymentState
from sync.errors import MalformedFrame
from sync.events import EventKind
from sync.rows import demand_from_row, payment_from_row

QUERIES = named_sql("cloud.payments")


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedDemand:
    """A demand and its lines as JSON."""

    demand: Demand
    lines: str


Kept = PricedDemand | Payment


class Payments:
    """Keeps demands and payments."""

    kinds: frozenset[str] = frozenset({EventKind.DEMAND_MADE, EventKind.PAYMENT_CHANGED})

    def read(self, fact: Fact) -> Kept:
        """The demand or payment that `fact` carries.

        Raises:
            MalformedFrame: its body is not what its kind says.
        """
        name = "demand" if fact.kind == EventKind.DEMAND_MADE else "payment"
        if name not in fact.body:
            raise MalformedFrame(f"body.{name}", "is missing")
        if name == "payment":
            payment = payment_from_row(fact.body[name])
            require_uuid(payment.id, "payment.id")
            require_uuid(payment.demand, "payment.demand")
            return payment
        demand = demand_from_row(fact.body[name])
        require_uuid(demand.id, "demand.id")
        require_uuid(demand.stay, "demand.stay")
        return PricedDemand(demand=demand, lines=json_text(list(demand.lines), "demand.lines"))

    async def apply(
        self, connection: AsyncConnection[DictRow], origin: Origin, facts: Sequence[Read[Kept]]
    ) -> None:
        """Keep them, inside the caller's transaction.

        Raises:
            psycopg.DataError, psycopg.IntegrityError: one cannot be stored as what it says it is.
        """
        demands = [read.row for read in facts if isinstance(read.row, PricedDemand)]
        if demands:
            await connection.execute(
                QUERIES["demands_apply"], {"lot": origin.lot, **_demand_columns(demands)}
            )
        newest: dict[str, Payment] = {}
        for read in facts:
            if isinstance(read.row, Payment) and (
                read.row.id not in newest or newest[read.row.id].version < read.row.version
            ):
                newest[read.row.id] = read.row
        if newest:
            columns = _payment_columns(list(newest.values()))
            await connection.execute(QUERIES["payments_apply"], {"lot": origin.lot, **columns})
        await publish(
            connection,
            [
                _event(origin, read.row)
                for read in facts
                if isinstance(read.row, Payment) and read.row.state is PaymentState.COMPLETED
            ],
        )


def _event(origin: Origin, payment: Payment) -> NewEvent:
    return NewEvent(
        lot=origin.lot,
        kind="PaymentProcessed",
        body={"payment": payment.id, "amount_minor": payment.amount_minor, "currency": payment.currency},
    )


def _demand_columns(demands: Sequence[PricedDemand]) -> dict[str, list[object]]:
    return {
        "id": [kept.demand.id for kept in demands],
        "stay_id": [kept.demand.stay for kept in demands],
        "amount_minor": [kept.demand.amount_minor for kept in demands],
        "currency": [kept.demand.currency for kept in demands],
        "from_at": [kept.demand.from_at for kept in demands],
        "to_at": [kept.demand.to_at for kept in demands],
        "lines": [kept.lines for kept in demands],
        "made_at": [kept.demand.made_at for kept in demands],
    }


def _payment_columns(payments: Sequence[Payment]) -> dict[str, list[object]]:
    return {
        "id": [payment.id for payment in payments],
        "demand_id": [payment.demand for payment in payments],
        "amount_minor": [payment.amount_minor for payment in payments],
        "currency": [payment.currency for payment in payments],
        "status": [str(payment.state) for payment in payments],
        "terminal": [payment.terminal for payment in payments],
        "reference": [payment.reference for payment in payments],
        "changed_at": [payment.changed_at for payment in payments],
        "version": [payment.version for payment in payments],
    }
