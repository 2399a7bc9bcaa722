"""Money at the lane's terminal. Next file: edge/ledger.py.

Theory. The payment's row is durable *before* the terminal is asked, and its id is the key of everything said to the terminal. So whatever
dies in between, the next start finds a `pending` row and looks it up. An answer that did not come is looked up, never asked for twice; while
it cannot be looked up either, nobody is asked for money again: the lane calls a person. What the terminal took is on record, with its
receipt, before the arm moves. One task at a time asks about one payment (`_under_way`), so that a look-up never settles what a driver is
just paying at another lane.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from drivers.errors import CommandRefused, CommandUnanswered, DriverError
from drivers.ports import Command, Done, LookupPayment, TakePayment
from edge.change import Change, fact
from edge.durable import is_durable
from edge.ledger import Ledger
from edge.price_list import PriceList
from edge.ticket_office import TicketOffice
from edge.visit import Receipt
from parking.clock import Clock
from parking.demands import Demand, Payment, PaymentState
from parking.ids import PaymentId
from parking.stays import Stay
from sync.events import EventKind
from sync.instants import to_us

LOG = structlog.stdlib.get_logger("edge.payments")

TERMINAL_TIMEOUT_S = 60.0
LOOKUP_TIMEOUT_S = 5.0


class Outcome(StrEnum):
    """What became of a payment. `not_stored`: the disk took no record of it, so nobody was asked for money."""

    TAKEN = "taken"
    NOT_TAKEN = "not_taken"
    UNKNOWN = "unknown"
    NOT_STORED = "not_stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The outcome, and the stay as it stands after it; `receipt` where money was taken."""

    outcome: Outcome
    stay: Stay
    receipt: Receipt | None = None


@dataclass(slots=True, kw_only=True)
class Payments:
    """Takes what is owed, once. `terminals` names each lane's terminal, `ask` carries a command to its driver."""

    ledger: Ledger
    prices: PriceList
    office: TicketOffice
    clock: Clock
    new_id: Callable[[], str]
    terminals: Mapping[str, str]
    ask: Callable[[Command, float], Awaitable[Done]]
    _under_way: set[PaymentId] = field(default_factory=set)

    def can_pay_at(self, lane: str) -> bool:
        """Whether the lane has a terminal."""
        return lane in self.terminals

    async def take(self, lane: str, stay: Stay, demand: Demand) -> Settled:
        """Settle `demand` at the lane's terminal; the outcome is durable when this returns."""
        terminal = self.terminals.get(lane)
        if terminal is None:
            return Settled(outcome=Outcome.NOT_TAKEN, stay=stay)
        for earlier in self._pending(stay):
            settled = await self._find_out(earlier, stay)
            if settled.outcome is not Outcome.NOT_TAKEN:
                return settled
        payment = Payment(
            id=PaymentId(self.new_id()),
            demand=demand.id,
            amount_minor=demand.amount_minor,
            currency=demand.currency,
            state=PaymentState.PENDING,
            terminal=terminal,
            changed_at=self.clock.now(),
        )
        with self._only_one_asks(payment):
            written = self.ledger.commit(
                Change.record(at=payment.changed_at, payments=(payment,)), urgent=True
            )
            if not await is_durable(self.ledger, written):
                return Settled(outcome=Outcome.NOT_STORED, stay=stay)
            return await self._finish(payment, stay, *await self._charge(payment))

    async def resolve_pending(self) -> int:
        """Find out what became of payments of which nobody knows, after a power cut or a lost answer. Answers how many stay unknown."""
        unknown = 0
        for payment in self.ledger.pending_payments():
            demand = self.ledger.demand(payment.demand)
            stay = None if demand is None else self.ledger.stay(demand.stay)
            if stay is None:
                continue
            settled = await self._find_out(payment, stay)
            unknown += settled.outcome is Outcome.UNKNOWN
        return unknown

    async def _find_out(self, payment: Payment, stay: Stay) -> Settled:
        """Look a payment up and put on record what became of it; unknown while another task is at it."""
        if payment.id in self._under_way:
            return Settled(outcome=Outcome.UNKNOWN, stay=stay)
        with self._only_one_asks(payment):
            return await self._finish(payment, stay, *await self._look_up(payment))

    @contextmanager
    def _only_one_asks(self, payment: Payment) -> Generator[None]:
        self._under_way.add(payment.id)
        try:
            yield
        finally:
            self._under_way.discard(payment.id)

    def is_settled(self, demand: Demand) -> bool:
        """Whether the demand was paid."""
        return any(one.state is PaymentState.COMPLETED for one in self.ledger.payments_of(demand.id))

    def paid_minor(self, stay: Stay) -> int:
        """What was taken for the stay so far, in the smallest unit of the lot's currency."""
        return sum(
            payment.amount_minor
            for payment in self._payments_of(stay)
            if payment.state is PaymentState.COMPLETED
        )

    def _payments_of(self, stay: Stay) -> Sequence[Payment]:
        return [
            payment
            for demand in self.ledger.demands_of(stay.id)
            for payment in self.ledger.payments_of(demand.id)
        ]

    def _pending(self, stay: Stay) -> Sequence[Payment]:
        return [payment for payment in self._payments_of(stay) if payment.state is PaymentState.PENDING]

    async def _charge(self, payment: Payment) -> tuple[Outcome, str | None]:
        command = TakePayment(
            device=payment.terminal,
            key=payment.id,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
        )
        try:
            done = await self.ask(command, TERMINAL_TIMEOUT_S)
        except CommandUnanswered:
            return await self._look_up(payment)
        except DriverError as refused:
            LOG.info("payment_not_taken", payment=payment.id, error=str(refused))
            return Outcome.NOT_TAKEN, None
        return Outcome.TAKEN, done.reference

    async def _look_up(self, payment: Payment) -> tuple[Outcome, str | None]:
        try:
            done = await self.ask(LookupPayment(device=payment.terminal, key=payment.id), LOOKUP_TIMEOUT_S)
        except CommandRefused:
            return Outcome.NOT_TAKEN, None
        except DriverError as silent:
            LOG.warning("payment_unknown", payment=payment.id, error=str(silent))
            return Outcome.UNKNOWN, None
        return Outcome.TAKEN, done.reference

    async def _finish(self, payment: Payment, stay: Stay, outcome: Outcome, reference: str | None) -> Settled:
        now = self.clock.now()
        if outcome is Outcome.UNKNOWN:
            return Settled(outcome=outcome, stay=stay)
        if outcome is Outcome.NOT_TAKEN:
            failed = payment.moved_to(PaymentState.FAILED, at=now)
            written = self.ledger.commit(Change.record(at=now, payments=(failed,)), urgent=True)
            await is_durable(self.ledger, written)
            return Settled(outcome=outcome, stay=stay)
        completed = payment.moved_to(PaymentState.COMPLETED, at=now, reference=reference)
        paid = (self.ledger.stay(stay.id) or stay).paid(self.prices.of(stay).grace_ends_at(now))
        receipt = self.office.issue_receipt(paid, completed)
        issued = fact(
            EventKind.TOKEN_ISSUED,
            to_us(now),
            kind="receipt",
            subject=paid.credential.subject,
            stay=paid.id,
            key_id=self.office.key_id,
        )
        change = Change.record(at=now, stays=(paid,), payments=(completed,), events=(issued,))
        # Where the disk fills up in this very moment the terminal's own record stands, and the row is pending on ours.
        await is_durable(self.ledger, self.ledger.commit(change, urgent=True))
        return Settled(outcome=outcome, stay=paid, receipt=receipt)
