"""The bookings under way at the lot's kiosks: begun by a person, carried on by a task, told to the screen. Implements `edge.api.booking_desk.BookingDesk`.

Story "booking at the kiosk": next file edge/kiosk_sales.py. One booking at a time is paid at a lane, and none while a car pays there: the terminal
asks one person. What is shown here is memory only; what was sold is in the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from edge.api.booking_desk import BookingOffer, BookingState, BookingView
from edge.api.desk import PriceView, TicketView
from edge.kiosk_orders import Offer, Order, Sold, Unsold
from edge.kiosk_sales import KioskSales
from edge.screens import price_lines
from edge.terminals import Outcome
from parking.clock import Clock
from parking.decision import Reason, Refusal
from parking.interval import Interval
from parking.lot import SpotType

MOST_REMEMBERED = 100

STATES = {
    Outcome.NOT_TAKEN: BookingState.DECLINED,
    Outcome.NOT_STORED: BookingState.REFUSED,
    Outcome.UNKNOWN: BookingState.UNKNOWN,
    Outcome.TAKEN: BookingState.UNKNOWN,
}


@dataclass(slots=True, kw_only=True)
class KioskBookings:
    """What each kiosk sells now. `is_paying` tells whether a car pays at a lane; `failed` takes what nobody expected: it ends the agent."""

    sales: KioskSales
    clock: Clock
    new_id: Callable[[], str]
    is_paying: Callable[[str], bool]
    failed: asyncio.Future[None]
    _views: dict[str, BookingView] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.sales.settled = self._show

    def books_at(self, lane: str) -> bool:
        """Whether this lane's kiosk sells bookings."""
        return self.sales.sells_at(lane)

    def offer(self, lane: str, spot_type: SpotType, window: Interval) -> BookingOffer | Refusal:
        """What a space would cost, see `BookingDesk.offer`."""
        offer = self.sales.offer(Order(lane=lane, type=spot_type, window=window))
        if isinstance(offer, Refusal):
            return offer
        return BookingOffer(type=spot_type, window=window, price=price_view(offer))

    def book(self, lane: str, spot_type: SpotType, window: Interval) -> BookingView | Refusal:
        """Begin a booking, see `BookingDesk.book`; a second touch meets the one that began."""
        order = Order(lane=lane, type=spot_type, window=window)
        begun = self._begun_at(lane)
        if begun is not None:
            same = (begun.type, begun.window) == (spot_type, window)
            return begun if same else Refusal(reason=Reason.TERMINAL_BUSY)
        if self.is_paying(lane):
            return Refusal(reason=Reason.TERMINAL_BUSY)
        offer = self.sales.offer(order)
        if isinstance(offer, Refusal):
            return offer
        view = BookingView(
            id=self.new_id(),
            lane=lane,
            state=BookingState.PAYING,
            type=spot_type,
            window=window,
            amount_minor=offer.price.total_minor,
            currency=offer.price.currency,
            changed_at=self.clock.now(),
        )
        self._remember(view)
        task = asyncio.get_running_loop().create_task(self._sell(order, view))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return view

    def booking(self, lane: str, booking: str) -> BookingView | None:
        """What became of a booking, see `BookingDesk.booking`."""
        view = self._views.get(booking)
        return view if view is not None and view.lane == lane else None

    async def _sell(self, order: Order, view: BookingView) -> None:
        answer = await self.sales.sell(order, reservation=view.id)
        if isinstance(answer, Refusal):
            refused = replace(view, state=BookingState.REFUSED, reason=answer.reason)
            self._remember(replace(refused, changed_at=self.clock.now()))
        else:
            self._show(answer)

    def _show(self, answer: Sold | Unsold) -> None:
        """The screen of this booking, where it is still remembered."""
        view = self._views.get(answer.reservation)
        if view is None:
            return
        if isinstance(answer, Sold):
            ticket = answer.ticket
            shown = TicketView(text=ticket.text, code=ticket.code, issued_at=ticket.issued_at)
            changed = replace(view, state=BookingState.SOLD, ticket=shown, amount_minor=answer.amount_minor)
        else:
            changed = replace(view, state=STATES[answer.outcome])
        self._remember(replace(changed, changed_at=self.clock.now()))

    def _begun_at(self, lane: str) -> BookingView | None:
        paying = (view for view in self._views.values() if view.lane == lane)
        return next((view for view in paying if view.state is BookingState.PAYING), None)

    def _remember(self, view: BookingView) -> None:
        self._views[view.id] = view
        over = [each for each, known in self._views.items() if known.state is not BookingState.PAYING]
        for each in over[: max(0, len(self._views) - MOST_REMEMBERED)]:
            del self._views[each]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failed.done():
            self.failed.set_exception(error)


def price_view(offer: Offer) -> PriceView:
    """The price of an offer with its lines."""
    window, price = offer.order.window, offer.price
    return PriceView(
        lines=price_lines(line.as_document() for line in price.lines),
        total_minor=price.total_minor,
        currency=price.currency,
        from_at=window.starts_at,
        to_at=window.ends_at or window.starts_at,
    )
