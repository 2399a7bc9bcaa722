from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise, product

import pytest

from cloud.payments.provider import IntentSeen, IntentState
from cloud.payments.refund_states import BOOKED, REFUND_TABLE, RefundAct, RefundNews, RefundState, step
from cloud.payments.standing import (
    LONGEST_PAUSE,
    STATUS_OF,
    WATCHED,
    WORKING,
    PaymentStatus,
    hold_ends_soon,
    news_of,
    next_look,
    status_of,
)
from sync.payment import PROVIDER_TABLE, PaymentAct, PaymentNews, PaymentStanding

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def intent(state: IntentState, *, declined: bool = False, captured: int = 0) -> IntentSeen:
    return IntentSeen(
        id="pi",
        payment="p",
        state=state,
        amount_minor=1250,
        currency="EUR",
        captured_minor=captured,
        declined=declined,
    )


def test_every_standing_has_a_status_that_people_read() -> None:
    assert set(STATUS_OF) == set(PaymentStanding)


def test_only_captured_money_is_completed_and_only_returned_money_refunded() -> None:
    completed = {standing for standing, status in STATUS_OF.items() if status is PaymentStatus.COMPLETED}
    assert completed == {PaymentStanding.CAPTURED, PaymentStanding.REFUNDING}
    returned = {standing for standing, status in STATUS_OF.items() if status is PaymentStatus.REFUNDED}
    assert returned == {PaymentStanding.REFUNDED}


@pytest.mark.parametrize(
    ("refunded", "status"),
    [(0, "completed"), (500, "completed"), (1249, "completed"), (1250, "refunded")],
)
def test_a_payment_is_refunded_when_all_of_it_is_back(refunded: int, status: str) -> None:
    assert status_of(PaymentStanding.CAPTURED, captured_minor=1250, refunded_minor=refunded) == status


def test_money_that_came_back_to_us_is_not_refunded_any_more() -> None:
    for standing in (PaymentStanding.CAPTURED, PaymentStanding.REFUNDING, PaymentStanding.REFUNDED):
        told = [status_of(standing, captured_minor=1250, refunded_minor=back) for back in (1250, 1249)]
        assert told == [PaymentStatus.REFUNDED, PaymentStatus.COMPLETED]


def test_money_on_its_way_back_is_looked_at_by_the_hour() -> None:
    assert next_look(PaymentStanding.REFUNDING, unanswered=0, refunds_pending=1) == timedelta(hours=1)
    assert next_look(PaymentStanding.REFUNDING, unanswered=0) == timedelta(seconds=1)


def test_a_payment_that_the_provider_would_not_create_has_failed() -> None:
    for refused, status in ((False, PaymentStatus.PENDING), (True, PaymentStatus.FAILED)):
        told = status_of(PaymentStanding.CREATING, captured_minor=0, refunded_minor=0, refused=refused)
        assert told is status


def test_no_money_is_taken_but_through_a_commit() -> None:
    asking = {key for key, (_, acts) in PROVIDER_TABLE.items() if PaymentAct.CAPTURE in acts}
    into_capturing = {
        key for key, (after, _) in PROVIDER_TABLE.items() if after is PaymentStanding.CAPTURING
    } - {(PaymentStanding.CAPTURING, news) for news in PaymentNews}
    assert into_capturing == {(PaymentStanding.AUTHORISED, PaymentNews.DECIDED_COMMITTED)}
    assert {standing for standing, _ in asking} <= {PaymentStanding.AUTHORISED, PaymentStanding.CAPTURING}


@pytest.mark.parametrize("standing", list(PaymentStanding))
def test_a_look_means_what_stands_there_whatever_was_claimed(standing: PaymentStanding) -> None:
    assert news_of(intent(IntentState.AUTHORISED), standing, refunded_minor=0) is PaymentNews.AUTHORISED
    assert news_of(intent(IntentState.CANCELLED), standing, refunded_minor=0) is PaymentNews.CANCELLED
    taken = intent(IntentState.CAPTURED, captured=1250)
    assert news_of(taken, standing, refunded_minor=0) is PaymentNews.CAPTURED
    assert news_of(taken, standing, refunded_minor=1000) is PaymentNews.CAPTURED
    assert news_of(taken, standing, refunded_minor=1250) is PaymentNews.REFUNDED
    declined = intent(IntentState.AWAITING, declined=True)
    assert news_of(declined, standing, refunded_minor=0) is PaymentNews.DECLINED
    nothing = news_of(intent(IntentState.AWAITING), standing, refunded_minor=0)
    assert nothing is (PaymentNews.DECLINED if standing is PaymentStanding.VOIDING else None)


def test_the_same_look_twice_ends_where_it_ended_once() -> None:
    for standing, state in product(PaymentStanding, IntentState):
        seen = intent(state, captured=1250 if state is IntentState.CAPTURED else 0)
        first = news_of(seen, standing, refunded_minor=0)
        after = standing if first is None else PROVIDER_TABLE.get((standing, first), (standing, ()))[0]
        second = news_of(seen, after, refunded_minor=0)
        again = after if second is None else PROVIDER_TABLE.get((after, second), (after, ()))[0]
        assert again is after


def test_whoever_waits_for_an_answer_looks_again_ever_later_up_to_a_minute() -> None:
    pauses = [next_look(PaymentStanding.CAPTURING, unanswered=n) or timedelta() for n in range(12)]
    assert all(earlier <= later for earlier, later in pairwise(pauses))
    assert (pauses[0], pauses[-1]) == (timedelta(seconds=1), LONGEST_PAUSE)


def test_a_lost_webhook_leaves_nothing_unseen() -> None:
    for standing in PaymentStanding:
        pause = next_look(standing, unanswered=0)
        assert (pause is not None) == (standing in WORKING | WATCHED)
    assert next_look(PaymentStanding.CAPTURED, unanswered=0, refunds_asked=1) == timedelta(seconds=1)
    assert next_look(PaymentStanding.CAPTURED, unanswered=0, refunds_pending=1) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("standing", "hours", "soon"),
    [("authorised", 25, False), ("authorised", 23, True), ("capturing", -1, True), ("captured", 1, False)],
)
def test_a_hold_that_ends_within_a_day_is_told(standing: str, hours: int, soon: bool) -> None:
    lapses_at = NOW + timedelta(hours=hours)
    assert hold_ends_soon(PaymentStanding(standing), lapses_at, NOW) is soon
    assert not hold_ends_soon(PaymentStanding(standing), None, NOW)


def test_a_refund_is_booked_on_the_way_out_of_asked_and_nowhere_else() -> None:
    for (state, _), (after, acts) in REFUND_TABLE.items():
        assert (RefundAct.BOOK in acts) == (state not in BOOKED and after in BOOKED)
        assert (RefundAct.UNBOOK in acts) == (state in BOOKED and after not in BOOKED)


def test_a_failed_refund_stays_failed_and_repeated_news_change_nothing() -> None:
    for news in RefundNews:
        assert step(RefundState.FAILED, news) == (RefundState.FAILED, ())
    for state, told in (("succeeded", "succeeded"), ("pending", "pending"), ("succeeded", "pending")):
        assert step(RefundState(state), RefundNews(told)) == (RefundState(state), ())
