"""A till that offers what a test sets, and writes down what was booked at it."""

from __future__ import annotations

from edge.api.booking_desk import BookingOffer, BookingState, BookingView
from edge.api.desk import PriceLine, PriceView, TicketView
from parking.decision import Reason, Refusal
from parking.interval import Interval
from parking.lot import SpotType
from tests.unit.edge.api.scenes import ENTRY, NOW

CODE = (
    "LG1:ZQJ5ZO$+AWKBHZO+PL+PL:WN+V92.HB9UB9UB9UHZO4724728E4DM8KWGKZAKZAKZAQ40$ND%Q8DCO/90COINF6TF64W54.P/52-236%P6BI7CGB"
    "06T$A8Q2:0HZ/FJH5N4CZMN+ICOFTFMTJABE.IX1934WG377.IYKQ6XA9839J0DXKB50JA0WS43AG+A840"
)


class StagedBookings:
    """`refusal` refuses every offer; `views` are the bookings that are known."""

    def __init__(self) -> None:
        self.refusal: Reason | None = None
        self.views: dict[str, BookingView] = {}

    def books_at(self, lane: str) -> bool:
        return lane == ENTRY.lane

    def offer(self, lane: str, spot_type: SpotType, window: Interval) -> BookingOffer | Refusal:
        if self.refusal is not None:
            return Refusal(reason=self.refusal)
        assert window.ends_at is not None
        total_minor = 400 * int((window.ends_at - window.starts_at).total_seconds() // 3_600)
        price = PriceView(
            lines=(PriceLine(text="Daytime, an hour £4.00", amount_minor=total_minor),),
            total_minor=total_minor,
            currency="GBP",
            from_at=window.starts_at,
            to_at=window.ends_at,
        )
        return BookingOffer(type=spot_type, window=window, price=price)

    def book(self, lane: str, spot_type: SpotType, window: Interval) -> BookingView | Refusal:
        offer = self.offer(lane, spot_type, window)
        if isinstance(offer, Refusal):
            return offer
        view = self.staged(BookingState.PAYING, spot_type, window)
        self.views[view.id] = view
        return view

    def booking(self, lane: str, booking: str) -> BookingView | None:
        return self.views.get(booking)

    def staged(self, state: BookingState, spot_type: SpotType, window: Interval) -> BookingView:
        sold = state is BookingState.SOLD
        return BookingView(
            id=f"booking-{state.value}",
            lane=ENTRY.lane,
            state=state,
            type=spot_type,
            window=window,
            amount_minor=800,
            currency="GBP",
            changed_at=NOW,
            ticket=TicketView(text=CODE, code="AAAAAAAA", issued_at=NOW) if sold else None,
            reason=Reason.FULL if state is BookingState.REFUSED else None,
        )
