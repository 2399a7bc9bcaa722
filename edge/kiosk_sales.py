"""Sells a place for a window to a person at a kiosk, out of the lot's own spots, line up or down. Next files: parking/book.py, edge/terminals.py, edge/ledger.py.

Theory. The lot owns the spot, so one local transaction sells it: the claim held, the demand and the pending payment are one durable change, and
only then is money asked for. The terminal's word is the decision: taken makes the claim firm, and the booking, its ticket and the payment are one
change again; declined releases it. An answer that does not come leaves the place held and the payment pending, whatever dies meanwhile: it is
looked up until it is known (`resolve_pending`), and nobody pays twice. What costs nothing is sold in one change.

The driver gets a ticket of the lot with a window, since a lot's own key signs no passes: it is shown at the lane like a pass (edge/bookings.py).
Without a line a booking reaches at most 24 hours ahead, so that nothing later is lost with a card.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from edge.change import Change, PartChanged, fact
from edge.commitments import Commitments
from edge.durable import is_durable
from edge.kiosk_orders import Offer, Order, Sold, Terms, Unsold, demand_of
from edge.ledger import Ledger
from edge.price_list import PriceList
from edge.terminals import Outcome, Terminals
from edge.ticket_office import TicketOffice
from edge.visit import Ticket
from parking.book import ClaimRequest, Sale
from parking.claims import Claim, ClaimKind, ClaimState
from parking.clock import TrustedClock
from parking.decision import Reason, Refusal
from parking.demands import Demand, Payment, PaymentState
from parking.ids import ClaimId, DemandId, PaymentId
from parking.lot import SpotType
from parking.opening import is_open
from parking.price import price
from sync.events import EventKind
from sync.failpoints import Failpoints
from sync.instants import to_us
from sync.part import Part, ParticipantState
from sync.transaction import TransactionId

LOG = structlog.stdlib.get_logger("edge.kiosk_sales")

BEFORE_HELD = "edge.kiosk.before_held"
HELD = "edge.kiosk.held"
BEFORE_SETTLED = "edge.kiosk.before_settled"
SETTLED = "edge.kiosk.settled"
BEFORE_SOLD = "edge.kiosk.before_sold"
SOLD = "edge.kiosk.sold"

AHEAD_OFFLINE = timedelta(hours=24)
AHEAD = timedelta(days=30)
LONGEST = timedelta(hours=24)
JUST_NOW = timedelta(minutes=5)
"""A window may begin this long ago: the person was reading the price meanwhile."""

AsksForPlaces = Callable[[SpotType], Awaitable[bool]]
"""Asks the centre for a spot of its own; the answer is whether one may have come."""


@dataclass(slots=True, kw_only=True)
class KioskSales:
    """The kiosk's till. `line_is_up` says whether the centre hears us; `ask_for_places` is there where the centre can be asked.

    `settled` is told what became of a booking whose payment was unknown for a while.
    """

    ledger: Ledger
    prices: PriceList
    office: TicketOffice
    commitments: Commitments
    terminals: Terminals
    clock: TrustedClock
    new_id: Callable[[], str]
    line_is_up: Callable[[], bool] = lambda: False
    ask_for_places: AsksForPlaces | None = None
    settled: Callable[[Sold | Unsold], None] = lambda _: None
    failpoints: Failpoints = field(default_factory=Failpoints)
    outcomes: Counter[str] = field(default_factory=Counter)

    def sells_at(self, lane: str) -> bool:
        """Whether a person can pay at this lane."""
        return self.terminals.at(lane) is not None

    def offer(self, order: Order) -> Offer | Refusal:
        """What the order costs, or why it cannot be sold now; changes nothing."""
        now = self.clock.now()
        reason = self._forbids(order, now)
        if reason is not None:
            return Refusal(reason=reason)
        can_ask = self.ask_for_places is not None and self.line_is_up()
        if self.ledger.book.sellable(order.type, order.window, now=now) < 1 and not can_ask:
            return Refusal(reason=Reason.FULL)
        return self._offer(order, now)

    async def sell(self, order: Order, *, reservation: str | None = None) -> Sold | Unsold | Refusal:
        """Hold a place, take the money, and say what became of it; durable on return."""
        answer = await self._sell(order, reservation or self.new_id())
        self.outcomes[_named(answer)] += 1
        return answer

    async def _sell(self, order: Order, name: str) -> Sold | Unsold | Refusal:
        reason = self._forbids(order, self.clock.now())
        if reason is not None:
            return Refusal(reason=reason)
        sale = await self._place(order, name)
        if isinstance(sale, Refusal):
            return sale
        offer = self._offer(order, self.clock.now())
        payment = self._payment(offer)
        if payment is None:
            return await self._sold_for_nothing(offer, name, sale)
        return await self._sold_for_money(offer, name, sale, payment)

    async def resolve_pending(self) -> int:
        """Find out what became of bookings whose payment nobody knows; the answer is how many stay unknown."""
        unknown = 0
        for payment in self.ledger.pending_payments():
            demand = self.ledger.demand(payment.demand)
            held = None if demand is None else self.held_for(demand)
            if demand is None or held is None or self.terminals.is_asked(payment):
                continue
            with self.terminals.only_one_asks(payment):
                outcome, reference = await self.terminals.look_up(payment)
                self.settled(await self._settle(held, demand, payment, outcome, reference))
            unknown += outcome is Outcome.UNKNOWN
        return unknown

    def held_for(self, demand: Demand) -> Claim | None:
        """The place that is held until this demand is paid; None where it is no booking's, or none is held."""
        for claim in self.ledger.book.claims():
            mine = claim.holder_kind == "reservation" and claim.holder_id == demand.stay
            if mine and claim.state is ClaimState.HELD and claim.kind is ClaimKind.BOOKING:
                return claim
        return None

    # What is sold

    def _forbids(self, order: Order, now: datetime) -> Reason | None:
        ends_at = order.window.ends_at
        if self.ledger.verdict == "fenced":
            return Reason.FENCED
        if self.ledger.degraded is not None:
            return Reason.NOT_STORING
        if not self.clock.known:
            return Reason.CLOCK_UNKNOWN
        if not self.ledger.book.total(order.type):
            return Reason.TYPE_NOT_HERE
        if ends_at is None or ends_at - order.window.starts_at > LONGEST:
            return Reason.TOO_LONG
        if order.window.starts_at < now - JUST_NOW or ends_at <= now:
            return Reason.TIME_OVER
        if self._is_shut(order.window.starts_at):
            return Reason.CLOSED
        ahead = AHEAD if self.line_is_up() else AHEAD_OFFLINE
        return Reason.TOO_FAR_AHEAD if order.window.starts_at > now + ahead else None

    def _is_shut(self, at: datetime) -> bool:
        lot = self.ledger.lot
        return (
            not is_open(lot.opening_hours, lot.timezone, at)
            or self.prices.in_force(at).closed_until(at) is not None
        )

    def _offer(self, order: Order, now: datetime) -> Offer:
        tariff = self.prices.in_force(order.window.starts_at)
        ends_at = order.window.ends_at or now
        return Offer(
            order=order,
            price=price(tariff, order.window.starts_at, ends_at, spot_type=order.type),
            tariff_version=tariff.name_of_version,
        )

    async def _place(self, order: Order, name: str) -> Sale | Refusal:
        """A place of our own; out of them, one that the centre gives us where it can be asked."""
        sale = self._sale(order, name)
        if isinstance(sale, Sale) or self.ask_for_places is None or not self.line_is_up():
            return sale
        return self._sale(order, name) if await self.ask_for_places(order.type) else sale

    def _sale(self, order: Order, name: str) -> Sale | Refusal:
        asked = ClaimRequest(
            id=ClaimId(self.new_id()),
            type=order.type,
            window=order.window,
            kind=ClaimKind.BOOKING,
            holder_kind="reservation",
            holder_id=name,
            epoch=self.ledger.epoch,
            state=ClaimState.HELD,
        )
        return self.ledger.book.sell(asked, now=self.clock.now())

    def _payment(self, offer: Offer) -> Payment | None:
        """The payment to be asked for at the lane's terminal; None where nothing is owed."""
        if not offer.price.total_minor:
            return None
        return Payment(
            id=PaymentId(self.new_id()),
            demand=DemandId(self.new_id()),
            amount_minor=offer.price.total_minor,
            currency=offer.price.currency,
            state=PaymentState.PENDING,
            terminal=self.terminals.at(offer.order.lane) or "",
            changed_at=self.clock.now(),
        )

    async def _sold_for_nothing(self, offer: Offer, name: str, sale: Sale) -> Sold | Refusal:
        firm = replace(sale.claim, state=ClaimState.FIRM)
        terms = Terms.of(offer, name, None)
        change, ticket = self._standing(firm, terms, None, more=sale.moved)
        self.failpoints.hit(BEFORE_SOLD)
        if not await is_durable(self.ledger, self.ledger.commit(change, urgent=True)):
            self._release(firm)
            return Refusal(reason=Reason.NOT_STORING)
        self.failpoints.hit(SOLD)
        return self._is_sold(firm, terms, ticket, None)

    async def _sold_for_money(
        self, offer: Offer, name: str, sale: Sale, payment: Payment
    ) -> Sold | Unsold | Refusal:
        now = payment.changed_at
        demand = demand_of(offer, name, payment, now)
        held = Change.record(at=now, claims=sale.claims, demands=(demand,), payments=(payment,))
        self.failpoints.hit(BEFORE_HELD)
        with self.terminals.only_one_asks(payment):
            if not await is_durable(self.ledger, self.ledger.commit(held, urgent=True)):
                failed = payment.moved_to(PaymentState.FAILED, at=now)
                self.ledger.commit(
                    Change.record(
                        at=now, claims=(sale.claim.moved_to(ClaimState.RELEASED),), payments=(failed,)
                    )
                )
                return Refusal(reason=Reason.NOT_STORING)
            self.failpoints.hit(HELD)
            outcome, reference = await self.terminals.charge(payment)
            return await self._settle(sale.claim, demand, payment, outcome, reference)

    async def _settle(
        self, held: Claim, demand: Demand, payment: Payment, outcome: Outcome, reference: str | None
    ) -> Sold | Unsold:
        """Put on record what became of the money, and of the place with it."""
        now = self.clock.now()
        if outcome is Outcome.UNKNOWN:
            return Unsold(reservation=demand.stay, outcome=outcome)
        self.failpoints.hit(BEFORE_SETTLED)
        claim = self.ledger.book.claim(held.id)
        if outcome is not Outcome.TAKEN:
            failed = payment.moved_to(PaymentState.FAILED, at=now)
            released = claim.moved_to(ClaimState.RELEASED)
            change = Change.record(at=now, claims=(released,), payments=(failed,))
            await is_durable(self.ledger, self.ledger.commit(change, urgent=True))
            self.failpoints.hit(SETTLED)
            return Unsold(reservation=demand.stay, outcome=outcome)
        completed = payment.moved_to(PaymentState.COMPLETED, at=now, reference=reference)
        terms = Terms.told_by(claim, demand, self._tariff_of(claim))
        firm = claim.moved_to(ClaimState.FIRM)
        change, ticket = self._standing(firm, terms, completed)
        # Where the disk fills up in this very moment the terminal's own record stands, and the row is pending on ours.
        await is_durable(self.ledger, self.ledger.commit(change, urgent=True))
        self.failpoints.hit(SETTLED)
        return self._is_sold(firm, terms, ticket, completed)

    def _tariff_of(self, claim: Claim) -> str:
        return self.prices.in_force(claim.window.starts_at).name_of_version

    def _standing(
        self, firm: Claim, terms: Terms, paid: Payment | None, *, more: Sequence[Claim] = ()
    ) -> tuple[Change, Ticket]:
        """The change with which a booking stands, and the ticket that it tells of."""
        now = self.clock.now()
        ticket = self.office.issue_booking(
            terms.reservation,
            firm.type,
            firm.window,
            tariff_version=terms.tariff_version,
            amount_minor=terms.amount_minor,
            currency=terms.currency,
        )
        part = Part(
            id=TransactionId(reservation=terms.reservation, revision=1),
            state=ParticipantState.COMM,
            claim=firm.id,
            type=firm.type,
            window=firm.window,
            epoch=firm.epoch,
            prepared_at=now,
            by="kiosk",
        )
        self.commitments.sold_here(part)
        told = fact(
            EventKind.BOOKING_SOLD,
            to_us(now),
            reservation=terms.reservation,
            revision=1,
            claim=firm.id,
            type=str(firm.type),
            starts_us=to_us(firm.window.starts_at),
            ends_us=None if firm.window.ends_at is None else to_us(firm.window.ends_at),
            amount_minor=terms.amount_minor,
            currency=terms.currency,
            demand=terms.demand,
        )
        issued = fact(
            EventKind.TOKEN_ISSUED,
            to_us(now),
            kind="ticket",
            subject=terms.reservation,
            stay=None,
            key_id=self.office.key_id,
        )
        change = Change.record(
            at=now,
            claims=(*more, firm),
            payments=() if paid is None else (paid,),
            events=(told, issued),
            parts=(PartChanged(part=part, at=now),),
        )
        return change, ticket

    def _is_sold(self, firm: Claim, terms: Terms, ticket: Ticket, paid: Payment | None) -> Sold:
        LOG.info("booking_sold", reservation=terms.reservation, claim=firm.id)
        return Sold(
            reservation=terms.reservation,
            claim=firm.id,
            order=Order(lane=terms.lane, type=firm.type, window=firm.window),
            ticket=ticket,
            amount_minor=terms.amount_minor,
            currency=terms.currency,
            payment=paid,
        )

    def _release(self, firm: Claim) -> None:
        released = firm.moved_to(ClaimState.RELEASED)
        self.ledger.commit(Change.record(at=self.clock.now(), claims=(released,)))


def _named(answer: Sold | Unsold | Refusal) -> str:
    """What became of a sale, as it is counted."""
    match answer:
        case Sold():
            return "sold"
        case Unsold(outcome=outcome):
            return outcome.value
        case Refusal(reason=reason):
            return reason.value
