"""How a payment over the provider stands, as we see it: pure functions around the machine of sync/payment.py.

Theory. The machine hears news. Webhooks, answers and lookups all say the same thing, how the payment stands at the provider, late, twice and in
any order; so none of them is believed for what it claims to tell. Each only makes us look, and what the look shows becomes the news
(`news_of`). Two looks that cross each other do no harm: the machine knows no way back.

What people see is the `status`: pending, authorised, completed, failed, refunded. It is drawn from standing and money, never stored by
hand (`status_of`), so that the driver sees one state whatever came first.

A hold on a card lapses, at most providers after 7 days. A booking may be further ahead than that, so money is captured as soon as the booking is
committed, never at arrival. What is left to lapse is a hold of a draft that was never decided: the driver is asked again (`TELL_LOST`). And
where the provider is away from the commit until the lapse, the money is owed (`receivable`). Holds that end within a day are told loudly.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from cloud.payments.provider import IntentSeen, IntentState
from sync.payment import PaymentNews, PaymentStanding

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=60)
WATCH_EVERY = timedelta(seconds=30)
REFUND_WATCH_EVERY = timedelta(hours=1)
ENDS_SOON = timedelta(days=1)


class PaymentStatus(StrEnum):
    """What people are told of a payment."""

    PENDING = "pending"
    AUTHORISED = "authorised"
    COMPLETED = "completed"
    FAILED = "failed"
    REFUNDED = "refunded"


_S, _P = PaymentStanding, PaymentStatus

STATUS_OF: Mapping[PaymentStanding, PaymentStatus] = {
    _S.CREATING: _P.PENDING,
    _S.NONE: _P.PENDING,
    _S.DECLINED: _P.PENDING,
    _S.AUTHORISED: _P.AUTHORISED,
    _S.CAPTURING: _P.AUTHORISED,
    _S.CAPTURED: _P.COMPLETED,
    _S.REFUNDING: _P.COMPLETED,
    _S.REFUNDED: _P.REFUNDED,
    _S.ABANDONED: _P.FAILED,
    _S.VOIDING: _P.FAILED,
    _S.VOID: _P.FAILED,
    _S.RECEIVABLE: _P.FAILED,
}
"""A declined card is pending: the driver may try another one until the draft expires."""

WORKING = frozenset({_S.CREATING, _S.ABANDONED, _S.CAPTURING, _S.VOIDING, _S.REFUNDING})
"""Something was asked, or is to be asked, and its answer is not known."""

WATCHED = frozenset({_S.NONE, _S.DECLINED, _S.AUTHORISED})
"""The next step is the driver's or the coordinator's; a lost webhook must not leave it so."""


def status_of(
    standing: PaymentStanding, *, captured_minor: int, refunded_minor: int, refused: bool = False
) -> PaymentStatus:
    """What people are told. `refunded_minor`: what is given back or on its way. `refused`: the provider would not even create it."""
    if standing is _S.CREATING and refused:
        return _P.FAILED
    if STATUS_OF[standing] in (_P.COMPLETED, _P.REFUNDED):
        return _P.REFUNDED if 0 < captured_minor <= refunded_minor else _P.COMPLETED
    return STATUS_OF[standing]


def news_of(seen: IntentSeen, standing: PaymentStanding, *, refunded_minor: int) -> PaymentNews | None:
    """What a look means to a payment that stands so; None: nothing new. `refunded_minor` has arrived: what is on its way may still come back."""
    match seen.state:
        case IntentState.AUTHORISED:
            return PaymentNews.AUTHORISED
        case IntentState.CANCELLED:
            return PaymentNews.CANCELLED
        case IntentState.CAPTURED:
            all_back = 0 < seen.captured_minor <= refunded_minor
            return PaymentNews.REFUNDED if all_back else PaymentNews.CAPTURED
        case IntentState.AWAITING:
            # While it is being voided an open one still has to be cancelled, declined or not.
            return PaymentNews.DECLINED if seen.declined or standing is _S.VOIDING else None


def next_look(
    standing: PaymentStanding, *, unanswered: int, refunds_asked: int = 0, refunds_pending: int = 0
) -> timedelta | None:
    """After what real time to look again by oneself; None: only news from outside can change it.

    `unanswered` counts the looks in a row that brought nothing; jitter is the caller's.
    """
    on_its_way = standing is _S.REFUNDING and refunds_pending
    if refunds_asked or (standing in WORKING and not on_its_way):
        pause: timedelta = FIRST_PAUSE * 2 ** min(unanswered, 10)
        return min(pause, LONGEST_PAUSE)
    if standing in WATCHED:
        return WATCH_EVERY
    return REFUND_WATCH_EVERY if refunds_pending else None


def hold_ends_soon(standing: PaymentStanding, lapses_at: datetime | None, now: datetime) -> bool:
    """Whether held money that should be taken or let go is about to be lost; `now` is civil."""
    held = standing in (_S.AUTHORISED, _S.CAPTURING)
    return held and lapses_at is not None and lapses_at - ENDS_SOON <= now
