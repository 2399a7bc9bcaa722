"""A refund as a machine: asked under our own id, booked once, whoever tells of it first.

Theory. Our id exists before the provider is asked, and is durable; it travels as idempotency key and as metadata. The call's answer, a
webhook's look and a repetition all end in the same row, so that one click is one refund. Two refunds of the same amount have two
ids and are two. An answer that did not come is followed by a look; only what the look does not find is asked again, under the same key.
`BOOK` happens on the one arrow out of ASKED, so that it happens once. A refund that the bank sends back is taken off the books.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class RefundState(StrEnum):
    """How far a refund is."""

    ASKED = "asked"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class RefundNews(StrEnum):
    """What is heard of it; NOT_THERE: a look found none under our id."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    NO_ANSWER = "no_answer"
    NOT_THERE = "not_there"


class RefundAct(StrEnum):
    """What goes with a step."""

    REFUND = "refund"
    LOOK_UP = "look_up"
    BOOK = "book"
    UNBOOK = "unbook"
    TELL_FAILED = "tell_failed"


_S, _E, _A = RefundState, RefundNews, RefundAct

REFUND_TABLE: Mapping[tuple[RefundState, RefundNews], tuple[RefundState, tuple[RefundAct, ...]]] = {
    (_S.ASKED, _E.PENDING): (_S.PENDING, (_A.BOOK,)),
    (_S.ASKED, _E.SUCCEEDED): (_S.SUCCEEDED, (_A.BOOK,)),
    (_S.ASKED, _E.FAILED): (_S.FAILED, (_A.TELL_FAILED,)),
    (_S.ASKED, _E.REFUSED): (_S.FAILED, (_A.TELL_FAILED,)),
    (_S.ASKED, _E.NO_ANSWER): (_S.ASKED, (_A.LOOK_UP,)),
    (_S.ASKED, _E.NOT_THERE): (_S.ASKED, (_A.REFUND,)),
    (_S.PENDING, _E.SUCCEEDED): (_S.SUCCEEDED, ()),
    (_S.PENDING, _E.FAILED): (_S.FAILED, (_A.UNBOOK, _A.TELL_FAILED)),
    (_S.SUCCEEDED, _E.FAILED): (_S.FAILED, (_A.UNBOOK, _A.TELL_FAILED)),
}

BOOKED = frozenset({_S.PENDING, _S.SUCCEEDED})
"""The money is given back, or on its way."""


def step(state: RefundState, news: RefundNews) -> tuple[RefundState, tuple[RefundAct, ...]]:
    """The state that is to be made durable, and what goes with it. Late or repeated news changes nothing."""
    return REFUND_TABLE.get((state, news), (state, ()))
