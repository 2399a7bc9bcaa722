"""What drivers ask of reservations and what they are told: the wire's words, with bounds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from cloud.errors import BadRequest
from cloud.pricing.quotes import LONGEST_TEXT, Quote
from cloud.reservations.booking import Offered, Wish
from cloud.reservations.booking_rows import Booking, BookingStatus, Guarantee
from cloud.reservations.draft_holds import held_until
from parking.interval import Interval
from parking.lot import SpotType


class WindowAsked(BaseModel):
    """A window of time, half-open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    starts_at: AwareDatetime
    ends_at: AwareDatetime

    def window(self) -> Interval:
        """The same as an interval.

        Raises:
            BadRequest: it ends before it starts.
        """
        if self.ends_at <= self.starts_at:
            raise BadRequest("must be after starts_at", "ends_at", "send a later end")
        return Interval(self.starts_at, self.ends_at)


class QuoteAsked(WindowAsked):
    """A window that is to be priced."""

    lot: UUID
    type: SpotType = SpotType.REGULAR

    def wish(self) -> Wish:
        """The same for the service."""
        return Wish(lot=self.lot, type=self.type, window=self.window())


class QuoteView(BaseModel):
    """A price that holds until `expires_at`; `quote` is what to send back."""

    id: UUID
    lot: UUID
    type: SpotType
    starts_at: datetime
    ends_at: datetime
    amount_minor: int
    currency: str
    tariff: str
    factor_1e4: int
    expires_at: datetime
    quote: str


class ReservationAsked(BaseModel):
    """Book by a quote. `hold`: keep a place of the cloud's own for ten minutes, where one is free."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quote: Annotated[str, Field(min_length=100, max_length=LONGEST_TEXT)]
    hold: bool = False


class PaymentView(BaseModel):
    """The payment of a reservation. `client_secret` is for the provider's part of the driver's browser; it is told at the draft alone."""

    id: UUID
    client_secret: str | None = None


class ChangeAsked(WindowAsked):
    """Another window for a booking. `revision`: what the driver looked at; a booking that was changed since then stays as it is."""

    revision: Annotated[int | None, Field(ge=1)] = None


class ChangeView(BaseModel):
    """A change that is not decided yet: the booking stands as it was until it is. `payment` is of the difference."""

    revision: int
    state: str
    reason: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    amount_minor: int
    payment: PaymentView | None
    expires_at: datetime | None


class AtRiskView(BaseModel):
    """Why a promise may not be kept, what else there is in its window, and what goes back."""

    reason: str
    refund: str
    alternatives: list[dict[str, Any]]


class ReservationView(BaseModel):
    """A reservation as its driver sees it. `state` is the protocol's word, `status` the one for people; `held_until` where a draft has a place."""

    id: UUID
    revision: int
    lot: UUID | None
    type: SpotType | None
    starts_at: datetime | None
    ends_at: datetime | None
    guarantee: Guarantee
    status: BookingStatus | None
    state: str
    reason: str | None
    amount_minor: int
    currency: str | None
    payment: PaymentView | None
    expires_at: datetime | None
    created_at: datetime | None
    held_until: datetime | None = None
    change: ChangeView | None = None
    at_risk: AtRiskView | None = None


class PassView(BaseModel):
    """The pass: text for a QR code."""

    reservation: UUID
    revision: int
    lot: UUID | None
    starts_at: datetime | None
    ends_at: datetime | None
    token: str


def quote_view(quote: Quote, told: str) -> QuoteView:
    """A quote for the wire."""
    if quote.window.ends_at is None:
        raise BadRequest("is missing", "ends_at", "send an end")
    return QuoteView(
        id=quote.id,
        lot=quote.lot,
        type=quote.type,
        starts_at=quote.window.starts_at,
        ends_at=quote.window.ends_at,
        amount_minor=quote.amount_minor,
        currency=quote.currency,
        tariff=quote.tariff,
        factor_1e4=quote.factor_1e4,
        expires_at=quote.expires_at,
        quote=told,
    )


def reservation_view(booking: Booking, client_secret: str = "") -> ReservationView:
    """A booking for the wire."""
    transaction = booking.transaction
    window = booking.booked
    draft = booking.status is BookingStatus.DRAFT
    return ReservationView(
        id=booking.id,
        revision=booking.revision,
        lot=booking.lot,
        type=transaction.type,
        starts_at=None if window is None else window.starts_at,
        ends_at=None if window is None else window.ends_at,
        guarantee=booking.guarantee,
        status=booking.status,
        state=str(transaction.state),
        reason=transaction.reason or None,
        amount_minor=booking.amount_minor,
        currency=booking.currency or None,
        payment=None
        if booking.payment is None
        else PaymentView(id=booking.payment, client_secret=client_secret or None),
        expires_at=transaction.deadline_at if draft else None,
        created_at=booking.created_at,
        held_until=held_until(booking),
    )


def change_view(change: Booking, client_secret: str = "") -> ChangeView:
    """The open change of a booking."""
    view = reservation_view(change, client_secret)
    return ChangeView(
        revision=view.revision,
        state=view.state,
        reason=view.reason,
        starts_at=view.starts_at,
        ends_at=view.ends_at,
        amount_minor=view.amount_minor,
        payment=view.payment,
        expires_at=view.expires_at,
    )


def offered_view(offered: Offered) -> ReservationView:
    """A draft with what its payment is confirmed by."""
    return reservation_view(offered.booking, offered.client_secret)
