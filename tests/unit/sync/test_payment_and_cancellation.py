from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import cancellation, payment
from sync.cancellation import BOOKING_TABLE, BookingAct, BookingNews, BookingState, window_has_passed
from sync.payment import PROVIDER_TABLE, PaymentAct, PaymentNews, PaymentStanding

P, N, A = PaymentStanding, PaymentNews, PaymentAct
B, E, T = BookingState, BookingNews, BookingAct


@pytest.mark.parametrize(("standing", "news"), list(product(P, N)))
def test_money_is_captured_only_on_the_commit_and_never_asked_for_twice_without_looking(
    standing: PaymentStanding, news: PaymentNews
) -> None:
    after, acts = payment.step(standing, news)
    assert PROVIDER_TABLE.get((standing, news), (standing, ())) == (after, acts)
    if A.CAPTURE in acts:
        assert after is P.CAPTURING
        assert news is N.DECIDED_COMMITTED or (standing is P.CAPTURING and news is N.AUTHORISED)
    if news is N.NO_ANSWER:
        assert set(acts) <= {A.LOOK_UP, A.CREATE}, "an unknown answer is resolved by looking"
        assert after is standing
    if A.CREATE in acts:
        assert standing in {P.CREATING, P.ABANDONED}, "only what left no id is repeated"


@given(st.lists(st.sampled_from(N), max_size=30))
def test_without_a_commit_no_run_of_news_ends_in_a_capture(news: list[PaymentNews]) -> None:
    standing = P.CREATING
    for each in news:
        if each is not N.DECIDED_COMMITTED:
            standing, acts = payment.step(standing, each)
            assert A.CAPTURE not in acts
            assert standing not in {P.CAPTURING, P.CAPTURED, P.RECEIVABLE}


def test_a_capture_whose_authorisation_expired_leaves_a_receivable_that_a_later_payment_settles() -> None:
    assert payment.step(P.CAPTURING, N.CANCELLED) == (P.RECEIVABLE, (A.RECORD_RECEIVABLE,))
    assert payment.step(P.RECEIVABLE, N.CAPTURED) == (P.CAPTURED, (A.TELL_CAPTURED,))


def test_money_found_captured_without_a_booking_is_given_back_and_alarmed() -> None:
    for standing in (P.AUTHORISED, P.VOIDING, P.VOID):
        assert payment.step(standing, N.CAPTURED) == (P.REFUNDING, (A.ALARM, A.REFUND))


@pytest.mark.parametrize("standing", [P.CAPTURING, P.CAPTURED, P.RECEIVABLE])
def test_a_refund_that_is_due_is_never_forgotten_whatever_became_of_the_capture(
    standing: PaymentStanding,
) -> None:
    after, _ = payment.step(standing, N.REFUND_DUE)
    for seen in (N.CAPTURED, N.AUTHORISED, N.CANCELLED):
        ended, acts = payment.step(after, seen)
        assert ended in {P.REFUNDING, P.VOIDING, P.VOID}, (after, seen)
        assert A.CAPTURE not in acts
        assert seen is not N.CAPTURED or ended is P.REFUNDING


@pytest.mark.parametrize(("state", "news"), list(product(B, E)))
def test_a_booking_is_refunded_once_and_never_while_its_pass_may_be_in_use(
    state: BookingState, news: BookingNews
) -> None:
    after, acts = cancellation.step(state, news)
    assert BOOKING_TABLE.get((state, news), (state, ())) == (after, acts)
    if T.REFUND in acts:
        assert state in {B.ACTIVE, B.CANCEL_PENDING}
        assert after in {B.CANCELLED, B.DISPLACED}
    if state in {B.CANCELLED, B.DISPLACED}:
        assert after is state


def test_a_cancellation_fails_where_the_pass_was_used_first() -> None:
    pending, told = cancellation.step(B.ACTIVE, E.CANCEL_ASKED)
    assert (pending, told) == (B.CANCEL_PENDING, (T.TELL_LOT,))
    assert cancellation.step(pending, E.PASS_USED) == (B.IN_USE, (T.CANCELLATION_FAILED,))
    assert cancellation.step(pending, E.CLAIM_RELEASED) == (B.CANCELLED, (T.REFUND,))
    assert cancellation.step(B.IN_USE, E.CANCEL_ASKED) == (B.IN_USE, (T.CANCELLATION_FAILED,))


def test_a_window_has_passed_only_when_the_lots_log_reaches_beyond_it() -> None:
    ends_at = datetime(2026, 11, 24, 10, tzinfo=UTC)
    assert not window_has_passed(ends_at, log_applied_until=None)
    assert not window_has_passed(ends_at, log_applied_until=ends_at - timedelta(seconds=1))
    assert window_has_passed(ends_at, log_applied_until=ends_at)
