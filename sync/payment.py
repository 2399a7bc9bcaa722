"""The payment provider as a participant of the commit: authorised = prepared, capture = commit, cancel = abort.

Theory. Every call changes money somewhere else and may be lost on the way there or on the way back. So the state that says "asked" is durable before the
call, and an answer that did not come is never met by asking again: first we look (`LOOK_UP`, by the stored id), and only what the look
finds undone is done. The one exception is the create, which left no id to look by: it is repeated under its idempotency key.

Webhooks, answers and lookups say the same things, late, twice and in any order, so they are the same events; a pair that the table
lacks changes nothing. Money is captured only after COMMITTED: no path leads to a capture but through `DECIDED_COMMITTED`. A capture that fails
for good leaves a `receivable`: the driver keeps the place and owes the money. Money found captured without a commit is given back, and so is
money of a booking that was cancelled before the answer to its capture came.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class PaymentStanding(StrEnum):
    """How the money of one revision stands with the provider."""

    CREATING = "creating"
    ABANDONED = "abandoned"
    NONE = "none"
    AUTHORISED = "authorised"
    DECLINED = "declined"
    CAPTURING = "capturing"
    CAPTURED = "captured"
    VOIDING = "voiding"
    VOID = "void"
    RECEIVABLE = "receivable"
    REFUNDING = "refunding"
    REFUNDED = "refunded"


class PaymentNews(StrEnum):
    """What is heard of it: from the coordinator, by an answer, a webhook or a lookup."""

    CREATED = "created"
    AUTHORISED = "authorised"
    DECLINED = "declined"
    CAPTURED = "captured"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    CAPTURE_FAILED = "capture_failed"
    NO_ANSWER = "no_answer"
    DECIDED_COMMITTED = "decided_committed"
    DECIDED_ABORTED = "decided_aborted"
    REFUND_DUE = "refund_due"


class PaymentAct(StrEnum):
    """What is to be done, after the new standing is durable."""

    CREATE = "create"
    LOOK_UP = "look_up"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    TELL_AUTHORISED = "tell_authorised"
    TELL_LOST = "tell_lost"
    TELL_CAPTURED = "tell_captured"
    RECORD_RECEIVABLE = "record_receivable"
    ALARM = "alarm"


_S, _E, _A = PaymentStanding, PaymentNews, PaymentAct

PROVIDER_TABLE: Mapping[
    tuple[PaymentStanding, PaymentNews], tuple[PaymentStanding, tuple[PaymentAct, ...]]
] = {
    (_S.CREATING, _E.CREATED): (_S.NONE, ()),
    (_S.CREATING, _E.NO_ANSWER): (_S.CREATING, (_A.CREATE,)),
    (_S.CREATING, _E.DECIDED_ABORTED): (_S.ABANDONED, (_A.CREATE,)),
    (_S.ABANDONED, _E.NO_ANSWER): (_S.ABANDONED, (_A.CREATE,)),
    (_S.ABANDONED, _E.CREATED): (_S.VOIDING, (_A.CANCEL,)),
    (_S.NONE, _E.AUTHORISED): (_S.AUTHORISED, (_A.TELL_AUTHORISED,)),
    (_S.NONE, _E.DECLINED): (_S.DECLINED, ()),
    (_S.NONE, _E.CANCELLED): (_S.VOID, (_A.TELL_LOST,)),
    (_S.NONE, _E.NO_ANSWER): (_S.NONE, (_A.LOOK_UP,)),
    (_S.NONE, _E.DECIDED_ABORTED): (_S.VOIDING, (_A.CANCEL,)),
    (_S.DECLINED, _E.AUTHORISED): (_S.AUTHORISED, (_A.TELL_AUTHORISED,)),
    (_S.DECLINED, _E.CANCELLED): (_S.VOID, ()),
    (_S.DECLINED, _E.DECIDED_ABORTED): (_S.VOIDING, (_A.CANCEL,)),
    (_S.AUTHORISED, _E.DECIDED_COMMITTED): (_S.CAPTURING, (_A.CAPTURE,)),
    (_S.AUTHORISED, _E.DECIDED_ABORTED): (_S.VOIDING, (_A.CANCEL,)),
    (_S.AUTHORISED, _E.CANCELLED): (_S.VOID, (_A.TELL_LOST,)),
    (_S.AUTHORISED, _E.DECLINED): (_S.DECLINED, (_A.TELL_LOST,)),
    (_S.AUTHORISED, _E.CAPTURED): (_S.REFUNDING, (_A.ALARM, _A.REFUND)),
    (_S.CAPTURING, _E.CAPTURED): (_S.CAPTURED, (_A.TELL_CAPTURED,)),
    (_S.CAPTURING, _E.NO_ANSWER): (_S.CAPTURING, (_A.LOOK_UP,)),
    (_S.CAPTURING, _E.AUTHORISED): (_S.CAPTURING, (_A.CAPTURE,)),
    (_S.CAPTURING, _E.CAPTURE_FAILED): (_S.RECEIVABLE, (_A.RECORD_RECEIVABLE,)),
    (_S.CAPTURING, _E.CANCELLED): (_S.RECEIVABLE, (_A.RECORD_RECEIVABLE,)),
    (_S.CAPTURING, _E.DECLINED): (_S.RECEIVABLE, (_A.RECORD_RECEIVABLE,)),
    (_S.CAPTURING, _E.DECIDED_COMMITTED): (_S.CAPTURING, (_A.LOOK_UP,)),
    (_S.VOIDING, _E.CANCELLED): (_S.VOID, ()),
    (_S.VOIDING, _E.NO_ANSWER): (_S.VOIDING, (_A.LOOK_UP,)),
    (_S.VOIDING, _E.AUTHORISED): (_S.VOIDING, (_A.CANCEL,)),
    (_S.VOIDING, _E.DECLINED): (_S.VOIDING, (_A.CANCEL,)),
    (_S.VOIDING, _E.CAPTURED): (_S.REFUNDING, (_A.ALARM, _A.REFUND)),
    (_S.VOIDING, _E.DECIDED_ABORTED): (_S.VOIDING, (_A.LOOK_UP,)),
    (_S.VOID, _E.DECIDED_COMMITTED): (_S.RECEIVABLE, (_A.RECORD_RECEIVABLE,)),
    (_S.VOID, _E.CAPTURED): (_S.REFUNDING, (_A.ALARM, _A.REFUND)),
    (_S.DECLINED, _E.DECIDED_COMMITTED): (_S.RECEIVABLE, (_A.RECORD_RECEIVABLE,)),
    (_S.RECEIVABLE, _E.CAPTURED): (_S.CAPTURED, (_A.TELL_CAPTURED,)),
    (_S.CAPTURED, _E.REFUND_DUE): (_S.REFUNDING, (_A.REFUND,)),
    (_S.REFUNDING, _E.NO_ANSWER): (_S.REFUNDING, (_A.LOOK_UP,)),
    (_S.REFUNDING, _E.CAPTURED): (_S.REFUNDING, (_A.REFUND,)),
    (_S.REFUNDING, _E.REFUNDED): (_S.REFUNDED, ()),
    (_S.CAPTURING, _E.REFUND_DUE): (_S.VOIDING, (_A.LOOK_UP,)),
    (_S.RECEIVABLE, _E.REFUND_DUE): (_S.VOID, ()),
}


def step(standing: PaymentStanding, news: PaymentNews) -> tuple[PaymentStanding, tuple[PaymentAct, ...]]:
    """The standing that is to be made durable, and what is to be done then. Late or repeated news changes nothing.

    `CAPTURED` repeated while REFUNDING must come from a lookup: a webhook that was late says nothing about the refund.
    """
    return PROVIDER_TABLE.get((standing, news), (standing, ()))
