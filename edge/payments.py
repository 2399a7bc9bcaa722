"""Money for a stay at the lane's terminal. Next files: edge/terminals.py, edge/ledger.py.

Theory. The payment's row is durable *before* the terminal is asked. So whatever dies in between, the next start finds a `pending` row and
looks it up. While it cannot be looked up either, nobody is asked for money again: the lane calls a person. What the terminal took is on
record, with its receipt, before the arm moves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.change import Change, fact
from edge.durable import is_durable
from edge.ledger import Ledger
from edge.price_list import PriceList
from edge.terminals import Outcome, Terminals
from edge.ticket_office import TicketOffice
from edge.visit import Receipt
from parking.clock import Clock
from parking.demands import Demand, Payment, PaymentState
from parking.ids import PaymentId
from parking.stays import Stay
from sync.events import EventKind
from sync.instants import to_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The outcome, and the stay as it stands after it; `receipt` where money was taken."""

    outcome: Outcome
    stay: Stay
    receipt: Receipt | None = None


@dataclass(slots=True, kw_only=True)
class Payments:
    """Takes what is owed for stays, once."""

    ledger: Ledger
    prices: PriceList
    office: TicketOffice
    clock: Clock
    new_id: Callable[[], str]
    terminals: Terminals

    def can_pay_at(self, lane: str) -> bool:
        """Whether the lane has a terminal."""
        return self.terminals.at(lane) is not None

    async def take(self, lane: str, stay: Stay, demand: Demand) -> Settled:
        """Settle `demand` at the lane's terminal; the outcome is durable when this returns."""
        terminal = self.terminals.at(lane)
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
        with self.terminals.only_one_asks(payment):
            written = self.ledger.commit(
                Change.record(at=payment.changed_at, payments=(payment,)), urgent=True
            )
            if not await is_durable(self.ledger, written):
                return Settled(outcome=Outcome.NOT_STORED, stay=stay)
            return await self._finish(payment, stay, *await self.terminals.charge(payment))

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
        if self.terminals.is_asked(payment):
            return Settled(outcome=Outcome.UNKNOWN, stay=stay)
        with self.terminals.only_one_asks(payment):
            return await self._finish(payment, stay, *await self.terminals.look_up(payment))

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
