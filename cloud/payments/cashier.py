"""Money over the provider: puts a payment down, makes the calls, takes in the answers. Next in its story: cloud/payments/provider.

A call is made only after the row that says so is durable, with no transaction open, and its answer is taken in by a transaction of its own
(cloud/payments/book decides what it means). Who dies between the two leaves a row that is due: `run`, in any process, looks at it.

Callers inside a transaction (`record`, `hear`, `ask_refund`) get `Work`, which they hand to `pursue` after their commit; work that is lost
with its process is found again by `run`. Locks are taken in the order of the whole centre: lot, gateway, reservation, payment.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from uuid import UUID

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg.errors import UndefinedTable
from psycopg.rows import DictRow
from psycopg_pool import PoolTimeout

from cloud.database import Database
from cloud.events import NewEvent, publish
from cloud.named_sql import named_sql
from cloud.observability import Metrics
from cloud.parking_lots.service import ParkingLots
from cloud.payments.book import (
    Book,
    Taken,
    answered,
    ask_refund,
    created,
    facts_of,
    hear,
    outstanding,
    refund_answered,
)
from cloud.payments.listening import NobodyListens, PaymentListener
from cloud.payments.provider import (
    Done,
    NewIntent,
    PaymentProvider,
    RefundOrder,
    Refused,
)
from cloud.payments.pursuit import CALLS, Pursuit, Work
from cloud.payments.records import (
    NewPayment,
    PaymentRecord,
    RefundRecord,
    add_payment,
    asked_minor,
    read_payment,
    read_refunds,
    write_payment,
    write_refund,
)
from cloud.payments.refund_states import RefundState
from cloud.payments.standing import hold_ends_soon, next_look
from parking.clock import Clock
from sync.failpoints import Failpoints
from sync.payment import PaymentAct, PaymentNews, PaymentStanding

QUERIES = named_sql("cloud.payments")
LOG = structlog.get_logger(__name__)

CALL_WITHIN = timedelta(seconds=15)
"""Longer than a call may take: while its caller lives nobody else looks."""
AT_ONCE = 16
POLL_S = 1.0
RETRY_S = 1.0
EVENTS_KEPT_DAYS = 60

BEFORE_CALL = "cloud.payments.before_call"
AFTER_CALL = "cloud.payments.after_call"
BEFORE_CAPTURE = "cloud.payments.before_capture"
AFTER_CAPTURE = "cloud.payments.after_capture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pursued:
    """How a payment stands after a pursuit. `client_secret` is for the driver's browser, "" where this pursuit did not see it; it is never stored."""

    payment: PaymentRecord
    client_secret: str = ""


class Cashier:
    """`draw` gives jitter only."""

    def __init__(
        self,
        *,
        database: Database,
        provider: PaymentProvider,
        lots: ParkingLots,
        clock: Clock,
        metrics: Metrics,
        failpoints: Failpoints,
        draw: Random,
        listener: PaymentListener | None = None,
    ) -> None:
        self._database = database
        self._provider = provider
        self._lots = lots
        self._clock = clock
        self._metrics = metrics
        self._failpoints = failpoints
        self._draw = draw
        self._woken = asyncio.Event()
        self.listener: PaymentListener = listener or NobodyListens()

    # inside a caller's transaction

    async def record(self, connection: AsyncConnection[DictRow], payment: NewPayment) -> Work:
        """Put a payment down before anybody asks the provider. The same id again changes nothing."""
        await add_payment(connection, payment, at=self._clock.now(), due=CALL_WITHIN)
        return Work(payment=payment.id, acts=(PaymentAct.CREATE,))

    async def hear(self, connection: AsyncConnection[DictRow], payment: UUID, news: PaymentNews) -> Work:
        """The coordinator decided (`DECIDED_COMMITTED`, `DECIDED_ABORTED`), or money is to go back (`REFUND_DUE`).

        Raises:
            NotFound: there is no such payment.
        """
        book = await self._open(connection, payment)
        return await self._write(connection, book, hear(book, news))

    async def ask_refund(
        self,
        connection: AsyncConnection[DictRow],
        payment: UUID,
        *,
        refund: UUID,
        amount_minor: int,
        reason: str,
    ) -> Work:
        """Give a part back, or all. `refund` is our id of it: the same one again is the same refund.

        Raises:
            NotFound: there is no such payment.
            Conflict: this id was another refund, or there is not so much left.
        """
        book = await self._open(connection, payment)
        return await self._write(connection, book, ask_refund(book, refund, amount_minor, reason))

    async def refund_part(
        self,
        connection: AsyncConnection[DictRow],
        payment: UUID,
        *,
        refund: UUID,
        at_most_minor: int,
        reason: str,
    ) -> tuple[Work, int]:
        """Give back so much of it as there is left, and how much that is; the same `refund` again gives nothing more.

        Raises:
            NotFound: there is no such payment.
        """
        book = await self._open(connection, payment)
        known = next((one for one in book.refunds if one.id == refund), None)
        if known is not None:
            return Work(payment=payment), known.amount_minor
        given_minor = min(at_most_minor, book.payment.captured_minor - asked_minor(book.refunds))
        if given_minor <= 0:
            return Work(payment=payment), 0
        taken = ask_refund(book, refund, given_minor, reason)
        return await self._write(connection, book, taken), given_minor

    # after it

    async def pursue(self, work: Work) -> Pursued:
        """Make the calls that are left, and those that follow from their answers, as far as it gets.

        Raises:
            NotFound: there is no such payment.
        """
        pursuit = Pursuit(work)
        while (act := pursuit.next_act()) is not None:
            await self._call(pursuit, act)
        payment = await self.read(work.payment)
        await self._tell(payment, pursuit.told)
        return Pursued(payment=payment, client_secret=pursuit.client_secret)

    async def look(self, payment: UUID) -> Pursued:
        """See how it stands at the provider, and do what follows: after a webhook, a doubt, or a restart.

        Raises:
            NotFound: there is no such payment.
        """
        async with self._database.connection() as connection, connection.transaction():
            book = await self._open(connection, payment)
        return await self.pursue(Work(payment=payment, acts=outstanding(book)))

    async def read(self, payment: UUID) -> PaymentRecord:
        """The row.

        Raises:
            NotFound: there is no such payment.
        """
        async with self._database.connection() as connection:
            return await read_payment(connection, payment)

    async def refunds(self, payment: UUID) -> list[RefundRecord]:
        """A payment's refunds, oldest first."""
        async with self._database.connection() as connection:
            return await read_refunds(connection, payment)

    def wake(self) -> None:
        """Something is due: look now."""
        self._woken.set()

    async def run(self) -> None:
        """Look at what is due, until cancelled. Several processes may do so: each takes rows for itself."""
        while True:
            self._woken.clear()
            try:
                done = await self.look_at_due()
            except (OperationalError, PoolTimeout, UndefinedTable) as error:
                LOG.warning("payments wait for the database", error=str(error))
                await asyncio.sleep(RETRY_S)
                continue
            if done < AT_ONCE:
                await _first(self._woken, POLL_S)

    async def look_at_due(self) -> int:
        """One round of `run`; how many payments it looked at."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                QUERIES["payments_take_due"], {"lease_s": CALL_WITHIN.total_seconds(), "limit": AT_ONCE}
            )
            due = [row["id"] for row in await cursor.fetchall()]
        await asyncio.gather(*(self.look(payment) for payment in due))
        return len(due)

    async def forget(self) -> None:
        """Drop webhooks older than the provider ever repeats."""
        async with self._database.connection() as connection:
            await connection.execute(QUERIES["payment_events_forget"], {"days": EVENTS_KEPT_DAYS})

    # one call

    async def _call(self, pursuit: Pursuit, act: PaymentAct) -> None:
        payment = await self.read(pursuit.payment)
        if act is PaymentAct.REFUND:
            await self._call_refund(pursuit, payment)
            return
        if payment.intent is None and act is not PaymentAct.CREATE:
            return
        self._failpoints.hit(BEFORE_CALL)
        if act is PaymentAct.CREATE:
            new = NewIntent(
                payment=payment.id,
                amount_minor=payment.amount_minor,
                currency=payment.currency,
                attempt=payment.attempt,
            )
            answer = await self._provider.create(new)
        elif act is PaymentAct.CAPTURE:
            self._failpoints.hit(BEFORE_CAPTURE)
            answer = await self._provider.capture(payment.intent or "", amount_minor=payment.amount_minor)
            self._failpoints.hit(AFTER_CAPTURE)
        elif act is PaymentAct.CANCEL:
            answer = await self._provider.cancel(payment.intent or "")
        else:
            answer = await self._provider.lookup(payment.intent or "")
        self._failpoints.hit(AFTER_CALL)
        if isinstance(answer, Done):
            pursuit.client_secret = answer.seen.client_secret
        if act is PaymentAct.CREATE:
            await self._take(pursuit, lambda book: created(book, answer))
            return
        refused = pursuit.take_refused() if act is PaymentAct.LOOK_UP else {}
        await self._take(pursuit, lambda book: answered(book, act, answer, refused=refused))

    async def _call_refund(self, pursuit: Pursuit, payment: PaymentRecord) -> None:
        refund = pursuit.next_refund()
        row = next((one for one in await self.refunds(payment.id) if one.id == refund), None)
        if row is None or row.state is not RefundState.ASKED or payment.intent is None:
            return
        self._failpoints.hit(BEFORE_CALL)
        answer = await self._provider.refund(
            RefundOrder(refund=row.id, intent=payment.intent, amount_minor=row.amount_minor)
        )
        self._failpoints.hit(AFTER_CALL)
        if isinstance(answer, Refused):
            pursuit.refused[row.id] = answer.detail
        await self._take(pursuit, lambda book: refund_answered(book, answer))

    async def _take(self, pursuit: Pursuit, decide: Callable[[Book], Taken]) -> None:
        work = await self._taken(pursuit.payment, decide, holds_lot=False)
        pursuit.add(
            work
            or await self._taken(pursuit.payment, decide, holds_lot=True)
            or Work(payment=pursuit.payment)
        )

    async def _taken(self, payment: UUID, decide: Callable[[Book], Taken], *, holds_lot: bool) -> Work | None:
        """What is left to do; None, with nothing written, where it is to be published and the lot's row, which comes first, is not held."""
        async with self._database.connection() as connection, connection.transaction():
            if holds_lot:
                record = await read_payment(connection, payment)
                region = await self._lots.region_of(connection, record.lot)
                await self._lots.lock(connection, region or "", record.lot)
            book = await self._open(connection, payment)
            taken = decide(book)
            if facts_of(taken) and not holds_lot:
                return None
            return await self._write(connection, book, taken)

    async def _open(self, connection: AsyncConnection[DictRow], payment: UUID) -> Book:
        record = await read_payment(connection, payment, lock=True)
        return Book(payment=record, refunds=tuple(await read_refunds(connection, payment)))

    async def _write(self, connection: AsyncConnection[DictRow], before: Book, taken: Taken) -> Work:
        """Write what changed, in the caller's transaction, with the events of it; what is left to do."""
        payment = taken.book.payment
        known = {refund.id: refund for refund in before.refunds}
        for refund in taken.book.refunds:
            if known.get(refund.id) != refund:
                await write_refund(connection, refund)
        due = self._due(taken)
        await write_payment(connection, payment, at=self._clock.now(), due=due)
        if PaymentAct.RECORD_RECEIVABLE in taken.acts:
            owed = {
                "payment": payment.id,
                "amount_minor": payment.amount_minor,
                "currency": payment.currency,
                "reason": payment.refusal or "the hold was let go before the money was taken",
            }
            await connection.execute(QUERIES["receivable_add"], owed)
        elif before.payment.standing is PaymentStanding.RECEIVABLE is not payment.standing:
            await connection.execute(QUERIES["receivable_settle"], {"payment": payment.id})
        await self._publish(connection, taken)
        self._alarm(before, taken)
        return Work(payment=payment.id, acts=taken.acts, refunds=taken.calls)

    def _due(self, taken: Taken) -> timedelta | None:
        payment = taken.book.payment
        if taken.calls or any(act in CALLS for act in taken.acts):
            return CALL_WITHIN
        if payment.intent is None and payment.refusal:
            return None
        states = Counter(refund.state for refund in taken.book.refunds)
        pause = next_look(
            payment.standing,
            unanswered=payment.unanswered,
            refunds_asked=states[RefundState.ASKED],
            refunds_pending=states[RefundState.PENDING],
        )
        return None if pause is None else pause * (1 + self._draw.random() / 4)

    async def _publish(self, connection: AsyncConnection[DictRow], taken: Taken) -> None:
        payment, facts = taken.book.payment, facts_of(taken)
        region = await self._lots.region_of(connection, payment.lot) if facts else None
        if region is None:
            if facts:
                LOG.error("a payment of no lot", payment=str(payment.id), lot=str(payment.lot))
            return
        await self._lots.lock(connection, region, payment.lot)
        common = {"payment": str(payment.id), "currency": payment.currency}
        await publish(
            connection,
            [NewEvent(lot=payment.lot, kind=kind, body={**common, **body}) for kind, body in facts],
        )

    def _alarm(self, before: Book, taken: Taken) -> None:
        payment = taken.book.payment
        for sentence in taken.alarms:
            self._metrics.payment_alarms.inc()
            LOG.error("payment alarm", payment=str(payment.id), alarm=sentence)
        if before.payment.standing is not payment.standing and payment.standing is PaymentStanding.RECEIVABLE:
            self._metrics.payment_alarms.inc()
            LOG.error("money is owed", payment=str(payment.id), why=payment.refusal)

    async def _tell(self, payment: PaymentRecord, told: Sequence[PaymentAct]) -> None:
        if hold_ends_soon(payment.standing, payment.lapses_at, self._clock.now()):
            self._metrics.payment_alarms.inc()
            LOG.error("a hold is about to lapse", payment=str(payment.id), standing=str(payment.standing))
        acts = list(dict.fromkeys(told))
        if payment.standing is PaymentStanding.AUTHORISED and PaymentAct.TELL_AUTHORISED not in acts:
            acts.append(PaymentAct.TELL_AUTHORISED)
        for act in acts:
            await self.listener.payment_told(payment, act)


async def _first(event: asyncio.Event, within_s: float) -> None:
    """Wait for `event`, no longer than `within_s`."""
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return
