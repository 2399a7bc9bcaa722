"""What a kiosk's booking screens ask of the lot, and what they are told. The local API owns this port; `edge/kiosk_bookings.py` implements it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from edge.api.desk import PriceView, TicketView
from parking.decision import Reason, Refusal
from parking.interval import Interval
from parking.lot import SpotType


class BookingState(StrEnum):
    """How far a booking at a kiosk is. `unknown`: the terminal does not say; the space is held until it does."""

    PAYING = "paying"
    SOLD = "sold"
    DECLINED = "declined"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingOffer:
    """A space that can be booked now, and what it costs."""

    type: SpotType
    window: Interval
    price: PriceView


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingView:
    """One booking under way or done. `ticket` where it is sold, `reason` where it is refused."""

    id: str
    lane: str
    state: BookingState
    type: SpotType
    window: Interval
    amount_minor: int
    currency: str
    changed_at: datetime
    ticket: TicketView | None = None
    reason: Reason | None = None


class BookingDesk(Protocol):
    """Spaces sold to a person at a kiosk, one at a time for each lane."""

    def books_at(self, lane: str) -> bool:
        """Whether this lane's kiosk sells bookings: a terminal stands there."""
        ...

    def offer(self, lane: str, spot_type: SpotType, window: Interval) -> BookingOffer | Refusal:
        """What a space would cost, or why there is none; changes nothing."""
        ...

    def book(self, lane: str, spot_type: SpotType, window: Interval) -> BookingView | Refusal:
        """Begin: hold a space and ask the lane's terminal for the money. Follow it by `booking`."""
        ...

    def booking(self, lane: str, booking: str) -> BookingView | None:
        """What became of a booking that began at this lane lately; None where it is not known any more."""
        ...
