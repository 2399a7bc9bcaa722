"""A payment with its refunds, and what an answer of the provider does to them: pure, so that every order of answers can be tried.

Theory. `Book` is what the database has of one payment, held by its row. The shell (cloud/payments/cashier) opens a transaction, gives the book
and an answer to one of these functions, writes what comes back, commits, and then makes the calls that are left. Nothing here asks anybody.

What must hold, whatever comes in whatever order: a refund is booked once; booked refunds never exceed what was captured; captured money
has a commit behind it (sync/payment.py); an answer about another payment than ours, or of another amount, changes nothing and alarms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from cloud.errors import Conflict
from cloud.payments.provider import (
    Answer,
    Done,
    IntentSeen,
    IntentState,
    RefundProgress,
    RefundSeen,
    RefusalReason,
    Refused,
    Unknown,
    UnknownWhy,
)
from cloud.payments.records import PaymentRecord, RefundRecord, arrived_minor, asked_minor, booked_minor
from cloud.payments.refund_states import BOOKED, RefundAct, RefundNews, RefundState
from cloud.payments.refund_states import step as refund_step
from cloud.payments.standing import news_of, status_of
from sync.payment import PaymentAct, PaymentNews, PaymentStanding
from sync.payment import step as payment_step

# Any fixed id: refunds that no person asked for have ids drawn under it.
DRAWN = UUID("6f1b0a52-6c57-4c0e-9a55-0d3f2f6f2b1e")

_PROGRESS = {
    RefundProgress.PENDING: RefundNews.PENDING,
    RefundProgress.SUCCEEDED: RefundNews.SUCCEEDED,
    RefundProgress.FAILED: RefundNews.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """One payment and its refunds."""

    payment: PaymentRecord
    refunds: tuple[RefundRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The book as it is to be written, and what goes with it.

    `acts` are the payment's (sync.payment); `calls` are refunds that the provider is to be asked for. `booked` are refunds whose money left, or came
    back, with this step. `alarms` are for people.
    """

    book: Book
    acts: tuple[PaymentAct, ...] = ()
    calls: tuple[UUID, ...] = ()
    booked: tuple[RefundRecord, ...] = ()
    alarms: tuple[str, ...] = ()


def hear(book: Book, news: PaymentNews | None) -> Taken:
    """News of the coordinator, or what a look came to; None changes nothing."""
    if news is None:
        return Taken(book=_drawn(book, book))
    standing, acts = payment_step(book.payment.standing, news)
    after = replace(book, payment=replace(book.payment, standing=standing))
    calls: tuple[UUID, ...] = ()
    if PaymentAct.REFUND in acts:
        after, calls = _give_all_back(after)
    alarms = ("money was taken that no commit stands behind",) if PaymentAct.ALARM in acts else ()
    acts = tuple(act for act in acts if act not in (PaymentAct.REFUND, PaymentAct.ALARM))
    return Taken(book=_drawn(book, after), acts=acts, calls=calls, alarms=alarms)


def created(book: Book, answer: Answer[IntentSeen]) -> Taken:
    """The answer to a create. One that did not come is asked again at once, the first time; then when the row is due."""
    payment = book.payment
    match answer:
        case Done(seen=seen):
            problem = _not_ours(payment, seen)
            if problem:
                return Taken(book=book, alarms=(problem,))
            known = replace(payment, intent=payment.intent or seen.id, unanswered=0, refusal="")
            return _merged(hear(replace(book, payment=known), PaymentNews.CREATED), book)
        case Refused(reason=reason, detail=detail):
            refused = replace(payment, refusal=f"{reason}: {detail}", unanswered=0)
            after = replace(book, payment=refused)
            return Taken(
                book=_drawn(book, after), alarms=(f"the provider would not create a payment: {detail}",)
            )
        case Unknown(why=why):
            attempt = payment.attempt + (1 if why is UnknownWhy.STORED_FAILURE else 0)
            later = replace(payment, attempt=attempt, unanswered=payment.unanswered + 1)
            heard = hear(replace(book, payment=later), PaymentNews.NO_ANSWER)
            again = heard.acts if payment.unanswered == 0 else ()
            return _merged(replace(heard, acts=again), book)


def answered(
    book: Book, act: PaymentAct, answer: Answer[IntentSeen], *, refused: Mapping[UUID, str] | None = None
) -> Taken:
    """The answer to a lookup, capture or cancel. After a lookup in vain the next one waits. `refused`: refunds that were refused just before this lookup, and why."""
    payment = book.payment
    match answer:
        case Done(seen=seen):
            return _seen(book, seen, refused or {})
        case Refused(reason=RefusalReason.DECLINED, detail=detail) if act is PaymentAct.CAPTURE:
            failed = replace(book, payment=replace(payment, refusal=detail, unanswered=0))
            return _merged(hear(failed, PaymentNews.CAPTURE_FAILED), book)
        case Refused(detail=detail) if act is PaymentAct.LOOK_UP:
            vain = replace(payment, unanswered=payment.unanswered + 1, refusal=detail)
            return Taken(
                book=_drawn(book, replace(book, payment=vain)),
                alarms=(f"the provider does not know a payment of ours: {detail}",),
            )
        case Refused(detail=detail):
            told = replace(book, payment=replace(payment, refusal=detail, unanswered=0))
            return Taken(book=_drawn(book, told), acts=(PaymentAct.LOOK_UP,))
        case Unknown():
            vain = replace(payment, unanswered=payment.unanswered + 1)
            heard = hear(replace(book, payment=vain), PaymentNews.NO_ANSWER)
            acts = () if act is PaymentAct.LOOK_UP else heard.acts
            return _merged(replace(heard, acts=acts), book)


def refund_answered(book: Book, answer: Answer[RefundSeen]) -> Taken:
    """The answer to a refund. A refusal is not believed before a look: it may be our own first request that took the money."""
    match answer:
        case Done(seen=seen):
            taken = _with_refunds(book, (seen,))
            payment = taken.book.payment
            if arrived_minor(taken.book.refunds) < payment.captured_minor:
                return taken
            heard = hear(taken.book, PaymentNews.REFUNDED)
            return _merged(replace(heard, booked=taken.booked, alarms=taken.alarms), book)
        case Refused() | Unknown():
            vain = replace(book.payment, unanswered=book.payment.unanswered + 1)
            return Taken(book=_drawn(book, replace(book, payment=vain)), acts=(PaymentAct.LOOK_UP,))


def ask_refund(book: Book, refund: UUID, amount_minor: int, reason: str) -> Taken:
    """A person, or a rule, gives money back. The same `refund` again is the same refund.

    Raises:
        Conflict: this id was another refund, or there is not so much left.
    """
    known = next((one for one in book.refunds if one.id == refund), None)
    if known is not None:
        if known.amount_minor != amount_minor:
            raise Conflict(
                f"refund {refund} was of {known.amount_minor}", "refund", "take a new id for another refund"
            )
        return Taken(book=book)
    left = book.payment.captured_minor - asked_minor(book.refunds)
    if not 0 < amount_minor <= left:
        raise Conflict(
            f"only {left} is left to give back", "amount_minor", f"send an amount from 1 to {left}"
        )
    asked = RefundRecord(id=refund, payment=book.payment.id, amount_minor=amount_minor, reason=reason)
    after = replace(book, refunds=(*book.refunds, asked))
    return Taken(book=_drawn(book, after), calls=(refund,))


def _seen(book: Book, seen: IntentSeen, refused: Mapping[UUID, str]) -> Taken:
    problem = _not_ours(book.payment, seen)
    if problem:
        return Taken(book=book, alarms=(problem,))
    payment = replace(
        book.payment,
        captured_minor=max(book.payment.captured_minor, seen.captured_minor),
        lapses_at=seen.lapses_at or book.payment.lapses_at,
        unanswered=0,
    )
    looked = _with_refunds(replace(book, payment=payment), seen.refunds or ())
    if seen.refunds is not None and seen.state is IntentState.CAPTURED:
        looked = _without_refunds(looked, seen.refunds, refused)
    news = news_of(seen, payment.standing, refunded_minor=arrived_minor(looked.book.refunds))
    heard = hear(looked.book, news)
    merged = replace(
        heard,
        calls=tuple(dict.fromkeys((*looked.calls, *heard.calls))),
        booked=looked.booked,
        alarms=(*looked.alarms, *heard.alarms),
    )
    return _merged(merged, book)


def _with_refunds(book: Book, seen: tuple[RefundSeen, ...]) -> Taken:
    """Take in refunds as the provider has them, each into the row of its id."""
    rows = {refund.id: refund for refund in book.refunds}
    booked: list[RefundRecord] = []
    alarms: list[str] = []
    for one in seen:
        row = _row_of(rows, one)
        if row is None:
            row = RefundRecord(
                id=uuid5(DRAWN, one.id),
                payment=book.payment.id,
                amount_minor=one.amount_minor,
                reason="made at the provider, not by us",
                provider_id=one.id,
            )
            alarms.append(f"refund {one.id} was made at the provider, not by us")
        state, acts = refund_step(row.state, _PROGRESS[one.progress])
        rows[row.id] = replace(row, state=state, provider_id=one.id)
        if RefundAct.BOOK in acts or RefundAct.UNBOOK in acts:
            booked.append(rows[row.id])
        if RefundAct.TELL_FAILED in acts:
            alarms.append(f"refund {row.id} failed at the bank")
    after = replace(book, refunds=tuple(rows.values()))
    return Taken(book=_drawn(book, after), booked=tuple(booked), alarms=tuple(alarms))


def _without_refunds(taken: Taken, seen: tuple[RefundSeen, ...], refused: Mapping[UUID, str]) -> Taken:
    """Refunds that we asked for and that a whole look did not find: they are to be asked for, or are refused for good."""
    there = {one.id for one in seen}
    rows, calls, alarms = [], list(taken.calls), list(taken.alarms)
    for row in taken.book.refunds:
        changed = row
        if row.state is RefundState.ASKED and row.provider_id not in there:
            news = RefundNews.REFUSED if row.id in refused else RefundNews.NOT_THERE
            state, acts = refund_step(row.state, news)
            if RefundAct.REFUND in acts:
                calls.append(row.id)
            if RefundAct.TELL_FAILED in acts:
                alarms.append(f"refund {row.id} was refused: {refused[row.id]}")
                changed = replace(row, state=state, reason=refused[row.id])
        rows.append(changed)
    after = replace(taken.book, refunds=tuple(rows))
    return replace(taken, book=after, calls=tuple(calls), alarms=tuple(alarms))


def _row_of(rows: Mapping[UUID, RefundRecord], seen: RefundSeen) -> RefundRecord | None:
    """The row of a refund: by the provider's id, else by our own where that row is still without one."""
    known = next((row for row in rows.values() if row.provider_id == seen.id), None)
    if known is not None:
        return known
    try:
        ours = rows.get(UUID(seen.refund))
    except ValueError:
        return None
    return ours if ours is not None and ours.provider_id is None else None


def _give_all_back(book: Book) -> tuple[Book, tuple[UUID, ...]]:
    """What is still to be given back, as one refund more; its id is drawn from the payment and the number of those that failed."""
    left = book.payment.captured_minor - asked_minor(book.refunds)
    if left <= 0:
        return book, ()
    id_ = uuid5(DRAWN, f"{book.payment.id} {len(book.refunds)}")
    asked = RefundRecord(
        id=id_, payment=book.payment.id, amount_minor=left, reason="the booking does not stand"
    )
    return replace(book, refunds=(*book.refunds, asked)), (id_,)


def _not_ours(payment: PaymentRecord, seen: IntentSeen) -> str:
    """Why an answer is not about this payment, "" where it is."""
    if seen.payment != str(payment.id):
        return f"the provider's {seen.id} is payment {seen.payment or 'of nobody'}, not {payment.id}"
    if (seen.amount_minor, seen.currency) != (payment.amount_minor, payment.currency):
        return (
            f"the provider's {seen.id} is of {seen.amount_minor} {seen.currency},"
            f" not {payment.amount_minor} {payment.currency}"
        )
    return ""


def _drawn(before: Book, after: Book) -> Book:
    """The book with its status drawn anew, and the next version where anything changed."""
    payment = after.payment
    status = status_of(
        payment.standing,
        captured_minor=payment.captured_minor,
        refunded_minor=booked_minor(after.refunds),
        refused=bool(payment.refusal),
    )
    payment = replace(payment, status=status, version=before.payment.version)
    if (
        replace(before.payment, unanswered=0) != replace(payment, unanswered=0)
        or before.refunds != after.refunds
    ):
        payment = replace(payment, version=before.payment.version + 1)
    return replace(after, payment=payment)


def _merged(taken: Taken, before: Book) -> Taken:
    """One step counts as one version, however many parts it had."""
    return replace(taken, book=_drawn(before, taken.book))


def outstanding(book: Book) -> tuple[PaymentAct, ...]:
    """Where to begin with a payment of which only the book is known: create it where it has no id, else look."""
    if book.payment.intent is not None:
        return (PaymentAct.LOOK_UP,)
    creating = book.payment.standing in (PaymentStanding.CREATING, PaymentStanding.ABANDONED)
    return (PaymentAct.CREATE,) if creating and not book.payment.refusal else ()


def facts_of(taken: Taken) -> list[tuple[str, dict[str, object]]]:
    """What is published of a step: kinds and bodies."""
    payment = taken.book.payment
    facts: list[tuple[str, dict[str, object]]] = []
    if PaymentAct.TELL_CAPTURED in taken.acts:
        facts.append(("PaymentProcessed", {"amount_minor": payment.captured_minor}))
    if PaymentAct.RECORD_RECEIVABLE in taken.acts:
        facts.append(("PaymentOwed", {"amount_minor": payment.amount_minor}))
    for refund in taken.booked:
        kind = "PaymentRefunded" if refund.state in BOOKED else "PaymentRefundFailed"
        facts.append((kind, {"amount_minor": refund.amount_minor, "refund": str(refund.id)}))
    return facts
