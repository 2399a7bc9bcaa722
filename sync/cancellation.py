"""A booking after its commit: used, cancelled, completed or displaced. In the customer's words; the protocol's are COMMITTED and ABORTED.

Theory. A cancellation gives money back for a promise that the lot may be keeping at this moment, cut off. So it is first pending: the lot
is told (a document of its list), and the money goes back when the lot's log tells that it released the claim, or when the
window has ended *and* the lot's acknowledged sequence has passed that end with no use of the pass in it. If the pass was used first,
the log tells that first: the cancellation fails and says so. Both come out of one log in its order, so which was first is never in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum


class BookingState(StrEnum):
    """What a customer's booking is."""

    ACTIVE = "active"
    IN_USE = "in_use"
    CANCEL_PENDING = "cancel_pending"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    DISPLACED = "displaced"


class BookingNews(StrEnum):
    """What happens to it. The news of the lot come from its log as it is applied."""

    CANCEL_ASKED = "cancel_asked"
    CLAIM_RELEASED = "claim_released"
    PASS_USED = "pass_used"  # noqa: S105 - news of a pass, not a secret
    STAY_ENDED = "stay_ended"
    WINDOW_PASSED = "window_passed"
    DISPLACED = "displaced"


class BookingAct(StrEnum):
    """What the service does in the same transaction."""

    TELL_LOT = "tell_lot"
    REFUND = "refund"
    CANCELLATION_FAILED = "cancellation_failed"
    ALARM = "alarm"


_S, _E, _A = BookingState, BookingNews, BookingAct

BOOKING_TABLE: Mapping[tuple[BookingState, BookingNews], tuple[BookingState, tuple[BookingAct, ...]]] = {
    (_S.ACTIVE, _E.CANCEL_ASKED): (_S.CANCEL_PENDING, (_A.TELL_LOT,)),
    (_S.ACTIVE, _E.PASS_USED): (_S.IN_USE, ()),
    (_S.ACTIVE, _E.WINDOW_PASSED): (_S.COMPLETED, ()),
    (_S.ACTIVE, _E.DISPLACED): (_S.DISPLACED, (_A.REFUND,)),
    (_S.IN_USE, _E.CANCEL_ASKED): (_S.IN_USE, (_A.CANCELLATION_FAILED,)),
    (_S.IN_USE, _E.STAY_ENDED): (_S.COMPLETED, ()),
    (_S.CANCEL_PENDING, _E.CLAIM_RELEASED): (_S.CANCELLED, (_A.REFUND,)),
    (_S.CANCEL_PENDING, _E.WINDOW_PASSED): (_S.CANCELLED, (_A.REFUND,)),
    (_S.CANCEL_PENDING, _E.DISPLACED): (_S.CANCELLED, (_A.REFUND,)),
    (_S.CANCEL_PENDING, _E.PASS_USED): (_S.IN_USE, (_A.CANCELLATION_FAILED,)),
    (_S.COMPLETED, _E.PASS_USED): (_S.IN_USE, ()),
    (_S.CANCELLED, _E.PASS_USED): (_S.CANCELLED, (_A.ALARM,)),
    (_S.DISPLACED, _E.PASS_USED): (_S.DISPLACED, (_A.ALARM,)),
}


def step(state: BookingState, news: BookingNews) -> tuple[BookingState, tuple[BookingAct, ...]]:
    """The booking's next state and what goes with it; late or repeated news changes nothing."""
    return BOOKING_TABLE.get((state, news), (state, ()))


def window_has_passed(ends_at: datetime, *, log_applied_until: datetime | None) -> bool:
    """Whether the lot's applied log reaches past the window's end: only then can no use of the pass still be on its way.

    `log_applied_until` is the instant of the last applied row of the lot's log; None where nothing is applied.
    """
    return log_applied_until is not None and log_applied_until >= ends_at
