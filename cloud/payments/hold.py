"""The cashier as the coordinator's participant. Next in its story: cloud/payments/cashier."""

from __future__ import annotations

from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.payments.cashier import Cashier
from cloud.payments.pursuit import Work
from cloud.payments.records import NewPayment
from cloud.reservations.ports import Errand, Held, MoneyWanted
from sync.payment import PaymentAct, PaymentNews, PaymentStanding
from sync.transaction import Outcome

HELD = frozenset({PaymentStanding.AUTHORISED, PaymentStanding.CAPTURING, PaymentStanding.CAPTURED})
WAITING = frozenset({PaymentStanding.CREATING, PaymentStanding.NONE, PaymentStanding.DECLINED})
DECISION = {
    Outcome.COMMITTED: PaymentNews.DECIDED_COMMITTED,
    Outcome.ABORTED: PaymentNews.DECIDED_ABORTED,
}


class CashierHold:
    """Implements `PaymentHold`."""

    def __init__(self, cashier: Cashier) -> None:
        self._cashier = cashier

    async def put_down(self, connection: AsyncConnection[DictRow], wanted: MoneyWanted) -> None:
        """Record the payment."""
        payment = NewPayment(
            id=wanted.payment,
            lot=wanted.lot,
            reservation=wanted.reservation,
            amount_minor=wanted.amount_minor,
            currency=wanted.currency,
        )
        await self._cashier.record(connection, payment)

    async def offer(self, payment: UUID) -> str:
        """Create it, or look at it where that was done."""
        known = await self._cashier.read(payment)
        act = PaymentAct.CREATE if known.intent is None else PaymentAct.LOOK_UP
        return (await self._cashier.pursue(Work(payment=payment, acts=(act,)))).client_secret

    async def standing(self, payment: UUID) -> Held:
        """Read it, and look at the provider where it is not held as far as we know."""
        known = await self._cashier.read(payment)
        if known.standing in WAITING:
            known = (await self._cashier.look(payment)).payment
        if known.standing in HELD:
            return Held.HELD
        return Held.WAITING if known.standing in WAITING and not known.refusal else Held.LOST

    async def decided(
        self, connection: AsyncConnection[DictRow], payment: UUID, outcome: Outcome
    ) -> Errand | None:
        """Capture or cancel."""
        work = await self._cashier.hear(connection, payment, DECISION[outcome])
        return self._errand(work)

    async def give_back(self, connection: AsyncConnection[DictRow], payment: UUID) -> Errand | None:
        """Refund all of it."""
        return self._errand(await self._cashier.hear(connection, payment, PaymentNews.REFUND_DUE))

    async def give_part_back(
        self, connection: AsyncConnection[DictRow], payment: UUID, *, refund: UUID, at_most_minor: int
    ) -> tuple[int, Errand | None]:
        """Refund a part of it."""
        work, given_minor = await self._cashier.refund_part(
            connection,
            payment,
            refund=refund,
            at_most_minor=at_most_minor,
            reason="the booking became cheaper",
        )
        return given_minor, self._errand(work)

    def _errand(self, work: Work) -> Errand | None:
        return (lambda: self._cashier.pursue(work)) if work.acts or work.refunds else None
