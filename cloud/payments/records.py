"""A payment over the provider and its refunds, as rows; everything works inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.errors import NotFound
from cloud.named_sql import named_sql
from cloud.payments.refund_states import BOOKED, RefundState
from cloud.payments.standing import PaymentStatus
from sync.payment import PaymentStanding

QUERIES = named_sql("cloud.payments")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment:
    """Money to be asked for a reservation, or for a demand of a stay."""

    id: UUID
    lot: UUID
    amount_minor: int
    currency: str
    reservation: UUID | None = None
    demand: UUID | None = None
    user: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRecord:
    """The row. `intent` is the provider's id, None until it is created; `attempt` belongs to its idempotency key.

    `lapses_at` (civil) ends the hold. `refusal` says why the provider refused, "" where it did not. `unanswered`: looks in vain, in a row.
    """

    id: UUID
    lot: UUID
    reservation: UUID | None
    demand: UUID | None
    amount_minor: int
    currency: str
    standing: PaymentStanding
    status: PaymentStatus
    intent: str | None = None
    attempt: int = 1
    captured_minor: int = 0
    lapses_at: datetime | None = None
    refusal: str = ""
    unanswered: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRecord:
    """One refund under our own id. `provider_id` is the provider's, None until it is known."""

    id: UUID
    payment: UUID
    amount_minor: int
    state: RefundState = RefundState.ASKED
    reason: str = ""
    provider_id: str | None = None


def booked_minor(refunds: Sequence[RefundRecord]) -> int:
    """What is given back, or on its way."""
    return sum(refund.amount_minor for refund in refunds if refund.state in BOOKED)


def arrived_minor(refunds: Sequence[RefundRecord]) -> int:
    """What is given back and has arrived."""
    return sum(refund.amount_minor for refund in refunds if refund.state is RefundState.SUCCEEDED)


def asked_minor(refunds: Sequence[RefundRecord]) -> int:
    """The same with what is only asked for."""
    return sum(refund.amount_minor for refund in refunds if refund.state is not RefundState.FAILED)


async def add_payment(
    connection: AsyncConnection[DictRow], payment: NewPayment, *, at: datetime, due: timedelta
) -> None:
    """Put a payment down, to be created at the provider; again changes nothing."""
    await connection.execute(
        QUERIES["payment_add"],
        {
            "id": payment.id,
            "lot": payment.lot,
            "demand": payment.demand,
            "reservation": payment.reservation,
            "user": payment.user,
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "at": at,
            "due_s": due.total_seconds(),
        },
    )


async def read_payment(
    connection: AsyncConnection[DictRow], payment: UUID, *, lock: bool = False
) -> PaymentRecord:
    """One payment; `lock` holds its row until the transaction ends.

    Raises:
        NotFound: there is no such payment over the provider.
    """
    query = QUERIES["payment_lock" if lock else "payment_read"]
    row = await (await connection.execute(query, {"id": payment})).fetchone()
    if row is None:
        raise NotFound(f"there is no payment {payment}", "payment", "use an id that a reservation names")
    return PaymentRecord(
        id=row["id"],
        lot=row["lot_id"],
        reservation=row["reservation_id"],
        demand=row["demand_id"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        standing=PaymentStanding(row["standing"]),
        status=PaymentStatus(row["status"]),
        intent=row["stripe_payment_intent_id"],
        attempt=row["create_attempt"],
        captured_minor=row["captured_minor"],
        lapses_at=row["lapses_at"],
        refusal=row["refusal"],
        unanswered=row["unanswered"],
        version=row["version"],
    )


async def write_payment(
    connection: AsyncConnection[DictRow], payment: PaymentRecord, *, at: datetime, due: timedelta | None
) -> None:
    """Write the row; `due` is when to look again, in real time."""
    values: Mapping[str, object] = {
        "id": payment.id,
        "standing": str(payment.standing),
        "status": str(payment.status),
        "intent": payment.intent,
        "attempt": payment.attempt,
        "captured_minor": payment.captured_minor,
        "lapses_at": payment.lapses_at,
        "refusal": payment.refusal,
        "unanswered": payment.unanswered,
        "version": payment.version,
        "at": at,
        "due_s": None if due is None else due.total_seconds(),
    }
    await connection.execute(QUERIES["payment_write"], values)


async def read_refunds(connection: AsyncConnection[DictRow], payment: UUID) -> list[RefundRecord]:
    """A payment's refunds, oldest first."""
    rows = await (await connection.execute(QUERIES["refunds_read"], {"payment": payment})).fetchall()
    return [
        RefundRecord(
            id=row["id"],
            payment=row["payment_id"],
            amount_minor=row["amount_minor"],
            state=RefundState(row["state"]),
            reason=row["reason"],
            provider_id=row["stripe_refund_id"],
        )
        for row in rows
    ]


async def write_refund(connection: AsyncConnection[DictRow], refund: RefundRecord) -> None:
    """Write a refund's row, new or changed."""
    await connection.execute(
        QUERIES["refund_write"],
        {
            "id": refund.id,
            "payment": refund.payment,
            "amount_minor": refund.amount_minor,
            "state": str(refund.state),
            "reason": refund.reason,
            "provider_id": refund.provider_id,
        },
    )
