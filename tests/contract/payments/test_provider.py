"""What both the simulator and the real provider keep to, asked through the official SDK by our adapter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import stripe

from cloud.payments.provider import (
    Answer,
    Done,
    IntentSeen,
    IntentState,
    NewIntent,
    RefundOrder,
    RefundProgress,
    RefusalReason,
    Refused,
)
from tests.contract.payments.conftest import Desk


def seen(answer: Answer[IntentSeen]) -> IntentSeen:
    assert isinstance(answer, Done), answer
    return answer.seen


async def test_a_new_payment_waits_for_its_driver_and_holds_nothing(desk: Desk) -> None:
    payment = uuid4()
    intent = await desk.create(payment=payment)
    assert (intent.state, intent.payment) == (IntentState.AWAITING, str(payment))
    assert (intent.amount_minor, intent.currency, intent.captured_minor) == (1250, "EUR", 0)
    assert intent.client_secret.startswith(intent.id)
    assert not intent.declined


async def test_the_same_create_again_is_the_same_payment(desk: Desk) -> None:
    payment = uuid4()
    first, second = [await desk.create(payment=payment) for _ in range(2)]
    assert first.id == second.id


async def test_another_amount_under_the_same_key_is_refused(desk: Desk) -> None:
    payment = uuid4()
    await desk.create(1250, payment=payment)
    answer = await desk.provider.create(NewIntent(payment=payment, amount_minor=1300, currency="EUR"))
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.KEY_REUSED


async def test_confirming_holds_the_money_until_an_instant(desk: Desk) -> None:
    intent = await desk.held()
    looked = seen(await desk.provider.lookup(intent.id))
    assert (looked.state, looked.captured_minor) == (IntentState.AUTHORISED, 0)
    assert looked.lapses_at is not None
    assert timedelta(days=4) < looked.lapses_at - datetime.now(UTC) < timedelta(days=35)


async def test_a_declined_card_leaves_the_payment_open_for_another(desk: Desk) -> None:
    intent = await desk.create()
    with pytest.raises(stripe.CardError):
        await desk.pay(intent, "pm_card_visa_chargeDeclined")
    looked = seen(await desk.provider.lookup(intent.id))
    assert (looked.state, looked.declined) == (IntentState.AWAITING, True)
    await desk.pay(intent, "pm_card_visa")
    assert seen(await desk.provider.lookup(intent.id)).state is IntentState.AUTHORISED


async def test_a_card_that_asks_for_authentication_holds_nothing_before(desk: Desk) -> None:
    intent = await desk.create()
    await desk.pay(intent, "pm_card_authenticationRequired")
    looked = seen(await desk.provider.lookup(intent.id))
    assert (looked.state, looked.declined) == (IntentState.AWAITING, False)


async def test_capturing_takes_the_money_once(desk: Desk) -> None:
    intent = await desk.held()
    answer = seen(await desk.provider.capture(intent.id, amount_minor=1250))
    assert (answer.state, answer.captured_minor) == (IntentState.CAPTURED, 1250)
    again = await desk.provider.capture(intent.id, amount_minor=1250)
    assert isinstance(again, Refused)
    assert again.reason is RefusalReason.WRONG_STATE
    assert seen(await desk.provider.lookup(intent.id)).captured_minor == 1250


async def test_what_is_not_held_cannot_be_captured(desk: Desk) -> None:
    intent = await desk.create()
    answer = await desk.provider.capture(intent.id, amount_minor=1250)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.WRONG_STATE


@pytest.mark.parametrize("paid", [False, True])
async def test_cancelling_lets_go_and_is_final(desk: Desk, *, paid: bool) -> None:
    intent = await desk.held() if paid else await desk.create()
    assert seen(await desk.provider.cancel(intent.id)).state is IntentState.CANCELLED
    again = await desk.provider.cancel(intent.id)
    assert isinstance(again, Refused)
    assert again.reason is RefusalReason.WRONG_STATE
    with pytest.raises(stripe.InvalidRequestError):
        await desk.pay(intent)


async def test_taken_money_cannot_be_cancelled(desk: Desk) -> None:
    intent = await desk.captured()
    answer = await desk.provider.cancel(intent.id)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.WRONG_STATE


async def test_a_refund_is_found_by_our_own_id_and_the_same_one_again_is_the_same(desk: Desk) -> None:
    intent = await desk.captured()
    order = RefundOrder(refund=uuid4(), intent=intent.id, amount_minor=400)
    answers = [await desk.provider.refund(order) for _ in range(2)]
    assert all(isinstance(answer, Done) for answer in answers)
    (found,) = seen(await desk.provider.lookup(intent.id)).refunds or ()
    assert (found.refund, found.amount_minor) == (str(order.refund), 400)
    assert found.progress is not RefundProgress.FAILED


async def test_two_equal_refunds_under_two_ids_are_two(desk: Desk) -> None:
    intent = await desk.captured()
    for _ in range(2):
        order = RefundOrder(refund=uuid4(), intent=intent.id, amount_minor=400)
        assert isinstance(await desk.provider.refund(order), Done)
    refunds = seen(await desk.provider.lookup(intent.id)).refunds or ()
    assert [refund.amount_minor for refund in refunds] == [400, 400]


async def test_no_more_is_given_back_than_was_taken(desk: Desk) -> None:
    intent = await desk.captured()
    first = RefundOrder(refund=uuid4(), intent=intent.id, amount_minor=1000)
    assert isinstance(await desk.provider.refund(first), Done)
    second = RefundOrder(refund=uuid4(), intent=intent.id, amount_minor=1000)
    assert isinstance(await desk.provider.refund(second), Refused)


async def test_a_payment_that_never_was_is_named_so(desk: Desk) -> None:
    for answer in (
        await desk.provider.lookup("pi_never_was"),
        await desk.provider.capture("pi_never_was", amount_minor=1),
        await desk.provider.cancel("pi_never_was"),
    ):
        assert isinstance(answer, Refused)
        assert answer.reason is RefusalReason.NO_SUCH


async def test_an_amount_below_the_least_is_refused(desk: Desk) -> None:
    answer = await desk.provider.create(NewIntent(payment=uuid4(), amount_minor=1, currency="EUR"))
    assert isinstance(answer, Refused)
