"""Booking over HTTP. Next in its story: cloud/reservations/booking.

Until users exist, the bearer of a development token is the user. Every POST that creates takes an `Idempotency-Key`; a quote creates nothing.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from cloud.parking_lots.schemas import Paged, PageOf
from cloud.reservations.booking import BookingService, Wish
from cloud.reservations.risks import REFUND_RULE
from cloud.reservations.schemas import (
    AtRiskView,
    ChangeAsked,
    PassView,
    QuoteAsked,
    QuoteView,
    ReservationAsked,
    ReservationView,
    WindowAsked,
    change_view,
    offered_view,
    quote_view,
    reservation_view,
)
from cloud.staff import staff
from parking.lot import SpotType
from sync.booking import CoordinatorState

router = APIRouter(prefix="/api/v1", tags=["reservations"])

ASK_AGAIN_S = "1"

User = Annotated[str, Depends(staff)]
IdempotencyKey = Annotated[
    str, Header(min_length=8, max_length=200, description="the same key is the same reservation")
]


@router.post("/quotes", summary="What would it cost?")
async def quotes(request: Request, asked: QuoteAsked) -> QuoteView:
    """The price of a window, signed; it holds until it expires."""
    quote, told = await _bookings(request).quote(asked.wish())
    return quote_view(quote, told)


@router.post("/reservations", status_code=201, summary="Book by a quote: a draft with its payment")
async def reserve(
    request: Request, asked: ReservationAsked, user: User, idempotency_key: IdempotencyKey
) -> ReservationView:
    """Nothing is promised before the payment is confirmed with the provider and `confirm` is asked; with `hold`, a place may be kept meanwhile."""
    return offered_view(await _bookings(request).draft(user, idempotency_key, asked.quote, hold=asked.hold))


@router.post("/parking-lots/{lot}/spots/{spot_id}/reserve", status_code=201, summary="Book one spot: a draft")
async def reserve_spot(  # noqa: PLR0917 - FastAPI hands them over by name
    request: Request,
    lot: UUID,
    spot_id: UUID,
    asked: WindowAsked,
    user: User,
    idempotency_key: IdempotencyKey,
) -> ReservationView:
    """In an assigned zone that very spot, elsewhere a place of its type: `guarantee` says which."""
    wish = Wish(lot=lot, type=SpotType.REGULAR, window=asked.window(), spot=spot_id)
    return offered_view(await _bookings(request).reserve(user, idempotency_key, wish))


@router.post("/reservations/{reservation}/confirm", summary="The payment is confirmed: book it")
async def confirm(request: Request, response: Response, reservation: UUID, user: User) -> ReservationView:
    """What was decided, within 8 s: booked, or 409 with the reason and alternatives. Asking again tells the same. 202 where nothing is decided yet:
    it may be booked or not, and asking again after `Retry-After` seconds tells.
    """
    booking = await _bookings(request).confirm(user, reservation)
    if booking.state is not CoordinatorState.COMMITTED:
        response.status_code = 202
        response.headers["Location"] = f"/api/v1/reservations/{reservation}"
        response.headers["Retry-After"] = ASK_AGAIN_S
    return reservation_view(booking)


@router.get("/reservations", summary="My reservations")
async def reservations(
    request: Request, user: User, query: Annotated[Paged, Query()]
) -> PageOf[ReservationView]:
    """Newest first."""
    found, total = await _bookings(request).list_of(user, query.slice())
    return PageOf[ReservationView].of([reservation_view(one) for one in found], total, query.slice())


@router.get("/reservations/{reservation}", summary="One reservation")
async def reservation(request: Request, reservation: UUID, user: User) -> ReservationView:
    """What it is; beside it a change that is not decided yet, and whether the promise is at risk."""
    bookings = _bookings(request)
    booking = await bookings.read(user, reservation)
    change = await bookings.open_change(booking)
    at_risk = None
    if booking.at_risk is not None:
        found = [dict(one) for one in await bookings.alternatives(booking)]
        at_risk = AtRiskView(reason=booking.at_risk, refund=REFUND_RULE, alternatives=found)
    return reservation_view(booking).model_copy(
        update={"change": None if change is None else change_view(change), "at_risk": at_risk}
    )


@router.put("/reservations/{reservation}", summary="Another window for a booking")
async def change(
    request: Request, response: Response, reservation: UUID, asked: ChangeAsked, user: User
) -> ReservationView:
    """Decided at once where nothing more is to be paid; else 202, and `confirm` decides it once the difference is confirmed with the provider."""
    booking, offered = await _bookings(request).change(user, reservation, asked.window(), seen=asked.revision)
    if offered is None:
        return reservation_view(booking)
    response.status_code = 202
    change = change_view(offered.booking, offered.client_secret)
    return reservation_view(booking).model_copy(update={"change": change})


@router.delete("/reservations/{reservation}", summary="Cancel a reservation")
async def cancel(request: Request, response: Response, reservation: UUID, user: User) -> ReservationView:
    """202 while the lot has not let it go yet: it is refunded then."""
    cancelled = await _bookings(request).cancel(user, reservation)
    response.status_code = 202 if cancelled.status == "cancel_pending" else 200
    return reservation_view(cancelled)


@router.get("/reservations/{reservation}/pass", summary="The pass of a reservation")
async def pass_of(request: Request, response: Response, reservation: UUID, user: User) -> PassView:
    """Text for a QR code, which a gate reads with the line down too."""
    booking, token = await _bookings(request).pass_of(user, reservation)
    response.headers["Cache-Control"] = "no-store"
    window = booking.booked
    return PassView(
        reservation=booking.id,
        revision=booking.revision,
        lot=booking.lot,
        starts_at=None if window is None else window.starts_at,
        ends_at=None if window is None else window.ends_at,
        token=token,
    )


def _bookings(request: Request) -> BookingService:
    service: BookingService = request.app.state.cloud.bookings
    return service
