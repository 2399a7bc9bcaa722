"""The way out: ticket or plate, price with its lines, payment. Next files: parking/departure.py, edge/payments.py, edge/ledger.py.

Nobody is kept inside for anything but an unpaid demand. A ticket whose stay this ledger does not have (the gateway was replaced) carries
enough to price the stay by itself; a code that cannot be read or found lets the car out and calls a person. A plate that is nobody's says
nothing: the driver may hold a ticket, and the lane waits for it. While the disk takes nothing no money can be asked for (a payment is on
record before the terminal is asked), so whoever owes leaves and is billed later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from edge.bookings import Bookings
from edge.change import Change
from edge.durable import is_durable
from edge.lane_log import LotLaneLog, Refused
from edge.lane_words import NO_TERMINAL, PAYMENT_UNKNOWN, called_for
from edge.lanes import LaneEvent
from edge.ledger import Ledger
from edge.payments import Payments
from edge.plates_inside import PlatesInside
from edge.price_list import PriceList
from edge.store.cipher import PlateKeys
from edge.terminals import Outcome
from edge.ticket_office import ReadToken, TicketOffice
from edge.visit import Answered, PresentedKind, Visit
from parking.clock import TrustedClock
from parking.decision import Reason
from parking.demands import Demand
from parking.departure import Departure, decide_exit
from parking.ids import DemandId, StayId
from parking.lot import LaneKind, Lot
from parking.overstay import with_overstay
from parking.price import Price
from parking.stays import Stay, StayEvent, StayState

PAID_BEFORE = "Paid before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What leaving at `at` would cost: the price from entry (of a booked stay: from its booking's end), and what is still owed of it.

    `prepaid`: the booking covers all of it.
    """

    stay: Stay
    price: Price
    owed_minor: int
    at: datetime
    prepaid: bool = False

    @property
    def lines(self) -> tuple[Mapping[str, object], ...]:
        """What adds up to `owed_minor`: the price's lines, and what was paid before taken off."""
        lines = tuple(line.as_document() for line in self.price.lines)
        paid_minor = self.price.total_minor - self.owed_minor
        return (*lines, {"label": PAID_BEFORE, "amount_minor": -paid_minor}) if paid_minor else lines


@dataclass(slots=True, kw_only=True)
class Leaving:
    """The work of the exit lanes."""

    lot: Lot
    ledger: Ledger
    prices: PriceList
    office: TicketOffice
    payments: Payments
    plates: PlateKeys
    bookings: Bookings
    log: LotLaneLog
    clock: TrustedClock
    new_id: Callable[[], str]
    _inside: PlatesInside = field(init=False)

    def __post_init__(self) -> None:
        self._inside = PlatesInside(ledger=self.ledger, plates=self.plates)

    async def decide(self, visit: Visit) -> Answered:
        """Find the stay, price it, and open or say what is owed, see `LaneWork.decide`."""
        readable, stay = self.find(visit)
        if stay is None and visit.presented.kind is PresentedKind.PLATE:
            return Answered(event=LaneEvent.REFUSED, reason=Reason.NO_SUCH_STAY)
        now = self.clock.now()
        quote = None if stay is None else self.quote(stay, now)
        departure = Departure(
            readable=readable,
            stay=stay,
            owed_minor=0 if quote is None else quote.owed_minor,
            prepaid=quote is not None and quote.prepaid,
            bill_later=self.ledger.unwritable is not None,
        )
        decision = decide_exit(departure, self.lot.policy, now=now)
        if decision.allowed or quote is None:
            why = called_for(decision.reason) if decision.call_help else ""
            return Answered(event=LaneEvent.GRANTED, reason=decision.reason, stay=stay, help_why=why)
        demand = await self._demanded(quote)
        if demand is None:
            return Answered(event=LaneEvent.GRANTED, reason=Reason.BILLED_LATER, stay=stay)
        why = "" if self.payments.can_pay_at(visit.lane) else NO_TERMINAL
        return Answered(event=LaneEvent.OWES, reason=decision.reason, stay=stay, demand=demand, help_why=why)

    async def pay(self, visit: Visit) -> Answered:
        """Take what the visit owes, see `LaneWork.pay`. An answer that is still unknown calls a person; nobody pays twice."""
        owed = visit.answered
        if owed is None or owed.demand is None or owed.stay is None:
            return Answered(event=LaneEvent.DECLINED, reason=Reason.UNPAID)
        settled = await self.payments.take(visit.lane, owed.stay, owed.demand)
        let_out = {Outcome.TAKEN: Reason.PAID, Outcome.NOT_STORED: Reason.BILLED_LATER}.get(settled.outcome)
        if let_out is not None:
            granted = replace(owed, event=LaneEvent.GRANTED, reason=let_out, help_why="")
            return replace(granted, stay=settled.stay, receipt=settled.receipt)
        self._tell_unpaid(visit)
        why = PAYMENT_UNKNOWN if settled.outcome is Outcome.UNKNOWN else owed.help_why
        return replace(owed, event=LaneEvent.DECLINED, help_why=why)

    def passed(self, visit: Visit | None) -> None:
        """The vehicle has left: its stay is over, its place free."""
        stay = None if visit is None or visit.answered is None else visit.answered.stay
        if stay is None:
            return
        stay = self.ledger.stay(StayId(stay.id)) or stay
        if stay.state is StayState.LEFT:
            return
        now = self.clock.now()
        change = Change.record(
            at=now, claims=self.ledger.book.release_of(stay), stays=(stay.after(StayEvent.LEFT, now),)
        )
        self.ledger.commit(change, urgent=False)

    def backed_out(self, visit: Visit) -> None:
        """The vehicle stays inside: nothing is undone, and what is paid stays paid until its time is over."""

    def find(self, visit: Visit) -> tuple[bool, Stay | None]:
        """Whether what was presented can be read, and the stay it belongs to."""
        presented = visit.presented
        if presented.kind is PresentedKind.PLATE:
            return True, self._inside.find(presented.text)
        if self.bookings.is_pass(presented.text):
            booked = self.bookings.at_exit(presented.text)
            return (False, None) if isinstance(booked, Reason) else (True, booked)
        token = self.office.read(presented.text)
        return token is not None, None if token is None else self.stay_of(token)

    def quote(self, stay: Stay, now: datetime) -> Quote:
        """What the stay owes at `now`; changes nothing. While the time is unknown a booking covers all, and hours that nobody knows are the cheapest."""
        booked_until = self.bookings.covers_until(stay)
        if booked_until is not None and not self.clock.known:
            booked_until = max(booked_until, now)
        charged = stay if booked_until is None else _charged_after(stay, min(booked_until, now))
        dark_since = self.clock.dark_since(charged.entered_at or charged.admitted_at)
        if dark_since is None:
            price = self.prices.price_of(charged, now)
        else:
            price = self.prices.least_price_of(charged, dark_since, now)
        if booked_until is not None and booked_until < now:
            price = with_overstay(
                price,
                factor_1e4=self.lot.policy.overstay_factor_1e4,
                booked_until=booked_until,
                until=now,
                round_to_minor=self.prices.of(stay).round_to_minor,
            )
        owed_minor = max(0, price.total_minor - self.payments.paid_minor(stay))
        prepaid = booked_until is not None and now <= booked_until
        return Quote(stay=stay, price=price, owed_minor=owed_minor, at=now, prepaid=prepaid)

    def stay_of(self, token: ReadToken) -> Stay:
        """The stay on record, or, where this ledger has none, the one that the signed ticket itself tells.

        A token names the stay itself; a second entry on one ticket has a stay of its own under the first one's name.
        """
        stay = self.ledger.stay_by_subject(token.subject) or self.ledger.stay(token.stay.id) or token.stay
        if token.paid_until is None:
            return stay
        if stay.paid_until is None or stay.paid_until < token.paid_until:
            return replace(stay, paid_until=token.paid_until)
        return stay

    async def _demanded(self, quote: Quote) -> Demand | None:
        """The demand for what is owed, durable; the one made before where the amount is the same. None: the disk takes nothing."""
        for made in reversed(self.ledger.demands_of(quote.stay.id)):
            if made.amount_minor == quote.owed_minor and not self.payments.is_settled(made):
                return made
        demand = self._demand(quote)
        unknown = () if self.ledger.stay(quote.stay.id) is not None else (quote.stay,)
        change = Change.record(at=quote.at, stays=unknown, demands=(demand,))
        return demand if await is_durable(self.ledger, self.ledger.commit(change, urgent=True)) else None

    def _demand(self, quote: Quote) -> Demand:
        return Demand(
            id=DemandId(self.new_id()),
            stay=quote.stay.id,
            amount_minor=quote.owed_minor,
            currency=quote.price.currency,
            from_at=quote.stay.entered_at or quote.stay.admitted_at,
            to_at=quote.at,
            lines=quote.lines,
            made_at=quote.at,
        )

    def _tell_unpaid(self, visit: Visit) -> None:
        self.log.refused(
            Refused(
                lane=visit.lane,
                direction=LaneKind.EXIT,
                reason=Reason.UNPAID,
                credential_kind=visit.presented.kind.value,
                subject=visit.stay_id or "",
            )
        )


def _charged_after(stay: Stay, booked_until: datetime) -> Stay:
    """The part of a booked stay that its booking does not cover, as the price list sees it."""
    since = stay.entered_at or stay.admitted_at
    return replace(stay, entered_at=max(since, booked_until))
