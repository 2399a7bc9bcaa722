"""What a quote becomes: the draft of a reservation, which promises nothing. Next in its story: cloud/reservations/coordination."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from cloud.pricing.quotes import Quote
from cloud.reservations.booking_rows import Booking, BookingStatus, Guarantee
from sync.booking import Transaction
from sync.coordinator import step
from sync.coordinator_news import Draft
from sync.transaction import TransactionId

DRAFT_HOLDS = timedelta(minutes=20)
"""Real time: longer than the quote, so that a driver may still be authenticating when it ends."""


def drafted(
    user: str,
    id_: UUID,
    quote: Quote,
    now: datetime,
    *,
    spot: UUID | None,
    payment: UUID | None,
    asked: bytes,
) -> Booking:
    """The row of a draft."""
    empty = Transaction(id=TransactionId(reservation=str(id_), revision=1))
    news = Draft(type=quote.type, window=quote.window, expires_at=now + DRAFT_HOLDS)
    transaction, _ = step(empty, news, now)
    return Booking(
        transaction=transaction,
        lot=quote.lot,
        user=user,
        status=BookingStatus.DRAFT,
        spot=spot,
        guarantee=Guarantee.TYPE if spot is None else Guarantee.SPOT,
        quote={
            "id": str(quote.id),
            "tariff": quote.tariff,
            "factor_1e4": quote.factor_1e4,
            "expires_at": quote.expires_at.isoformat(),
        },
        amount_minor=quote.amount_minor,
        currency=quote.currency,
        payment=payment,
        request_hash=asked,
    )
