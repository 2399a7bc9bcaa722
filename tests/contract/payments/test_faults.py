"""What our adapter makes of a provider in trouble. Only the simulator can be told to be in any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from cloud.payments.provider import (
    Done,
    IntentState,
    NewIntent,
    RefundOrder,
    RefusalReason,
    Refused,
    Unknown,
    UnknownWhy,
)
from cloud.payments.stripe_provider import StripeProvider
from tests.contract.payments.provider_here import ProviderHere

EFFECT = {"drop_after", "hang_after", "error_after"}
WHY = {
    "rate_limit": UnknownWhy.BUSY,
    "error_before": UnknownWhy.PROVIDER_FAILED,
    "error_after": UnknownWhy.PROVIDER_FAILED,
    "drop_before": UnknownWhy.NO_ANSWER,
    "drop_after": UnknownWhy.NO_ANSWER,
    "hang_before": UnknownWhy.NO_ANSWER,
    "hang_after": UnknownWhy.NO_ANSWER,
}


@pytest.fixture
async def ours(simulator: ProviderHere) -> AsyncIterator[StripeProvider]:
    made = StripeProvider(key="sk_test_simulated", base=simulator.base, timeout_s=0.5)
    yield made
    await made.close()


async def held(simulator: ProviderHere, ours: StripeProvider) -> str:
    answer = await ours.create(NewIntent(payment=uuid4(), amount_minor=1250, currency="EUR"))
    assert isinstance(answer, Done)
    assert await simulator.pay(answer.seen) == "requires_capture"
    return answer.seen.id


@pytest.mark.parametrize("how", sorted(WHY))
async def test_an_answer_that_does_not_come_is_unknown_and_a_look_tells_what_was_done(
    simulator: ProviderHere, ours: StripeProvider, how: str
) -> None:
    intent = await held(simulator, ours)
    await simulator.order("trouble", on="capture", how=how)
    answer = await ours.capture(intent, amount_minor=1250)
    assert isinstance(answer, Unknown)
    assert answer.why is WHY[how]
    looked = await ours.lookup(intent)
    assert isinstance(looked, Done)
    expected = IntentState.CAPTURED if how in EFFECT else IntentState.AUTHORISED
    assert looked.seen.state is expected


@pytest.mark.parametrize("how", sorted(set(WHY) - {"error_before", "error_after"}))
async def test_a_create_without_an_answer_is_repeated_as_it_was_and_makes_one_payment(
    simulator: ProviderHere, ours: StripeProvider, how: str
) -> None:
    new = NewIntent(payment=uuid4(), amount_minor=1250, currency="EUR")
    await simulator.order("trouble", on="create", how=how)
    assert isinstance(await ours.create(new), Unknown)
    assert isinstance(await ours.create(new), Done)
    assert len(simulator.provider.account.intents) == 1


async def test_a_failure_that_the_provider_keeps_under_a_key_is_told_apart(
    simulator: ProviderHere, ours: StripeProvider
) -> None:
    new = NewIntent(payment=uuid4(), amount_minor=1250, currency="EUR")
    await simulator.order("trouble", on="create", how="error_before")
    first, second = await ours.create(new), await ours.create(new)
    assert isinstance(first, Unknown)
    assert isinstance(second, Unknown)
    assert (first.why, second.why) == (UnknownWhy.PROVIDER_FAILED, UnknownWhy.STORED_FAILURE)
    later = NewIntent(payment=new.payment, amount_minor=1250, currency="EUR", attempt=2)
    assert isinstance(await ours.create(later), Done)


async def test_a_key_in_use_is_busy_and_the_first_request_goes_on(
    simulator: ProviderHere, ours: StripeProvider
) -> None:
    new = NewIntent(payment=uuid4(), amount_minor=1250, currency="EUR")
    await simulator.order("trouble", on="create", how="delay", delay_s=0.3)
    answers = await asyncio.gather(ours.create(new), ours.create(new))
    busy = [answer for answer in answers if isinstance(answer, Unknown)]
    assert [answer.why for answer in busy] == [UnknownWhy.BUSY]
    assert any(isinstance(answer, Done) for answer in answers)
    assert len(simulator.provider.account.intents) == 1


async def test_a_refund_without_an_answer_is_found_by_looking(
    simulator: ProviderHere, ours: StripeProvider
) -> None:
    intent = await held(simulator, ours)
    await ours.capture(intent, amount_minor=1250)
    order = RefundOrder(refund=uuid4(), intent=intent, amount_minor=300)
    await simulator.order("trouble", on="refund", how="hang_after")
    assert isinstance(await ours.refund(order), Unknown)
    looked = await ours.lookup(intent)
    assert isinstance(looked, Done)
    assert [refund.refund for refund in looked.seen.refunds or ()] == [str(order.refund)]


@pytest.mark.parametrize("how", ["error_before", "drop_before", "hang_before"])
async def test_a_provider_that_is_out_for_hours_is_unknown_all_that_time(
    simulator: ProviderHere, ours: StripeProvider, how: str
) -> None:
    intent = await held(simulator, ours)
    await simulator.order("down", how=how, for_s=7_200)
    assert isinstance(await ours.lookup(intent), Unknown)
    await simulator.order("advance", s=7_100)
    assert isinstance(await ours.lookup(intent), Unknown)
    await simulator.order("advance", s=200)
    assert isinstance(await ours.lookup(intent), Done)


async def test_a_server_that_is_not_there_is_no_answer(simulator: ProviderHere) -> None:
    nobody = StripeProvider(key="sk_test_x", base="http://127.0.0.1:9", timeout_s=0.5)
    answer = await nobody.lookup("pi_x")
    await nobody.close()
    assert isinstance(answer, Unknown)
    assert answer.why is UnknownWhy.NO_ANSWER


async def test_a_wrong_key_of_ours_says_nothing_about_the_payment(simulator: ProviderHere) -> None:
    stranger = StripeProvider(key="rk_live_wrong", base=simulator.base, timeout_s=0.5)
    answer = await stranger.lookup("pi_x")
    await stranger.close()
    assert isinstance(answer, Unknown)
    assert answer.why is UnknownWhy.NOT_LET_IN


async def test_a_bank_that_refuses_the_capture_is_told_as_that(
    simulator: ProviderHere, ours: StripeProvider
) -> None:
    intent = await held(simulator, ours)
    await simulator.order("habit", refuse_capture=1)
    answer = await ours.capture(intent, amount_minor=1250)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.DECLINED


async def test_a_hold_lapses_by_itself_after_a_week(simulator: ProviderHere, ours: StripeProvider) -> None:
    intent = await held(simulator, ours)
    await simulator.order("advance", s=7 * 86_400 - 60)
    before = await ours.lookup(intent)
    await simulator.order("advance", s=120)
    after = await ours.lookup(intent)
    assert isinstance(before, Done)
    assert isinstance(after, Done)
    assert (before.seen.state, after.seen.state) == (IntentState.AUTHORISED, IntentState.CANCELLED)
    assert after.seen.lapsed


async def test_authentication_takes_its_minute(simulator: ProviderHere, ours: StripeProvider) -> None:
    answer = await ours.create(NewIntent(payment=uuid4(), amount_minor=1250, currency="EUR"))
    assert isinstance(answer, Done)
    assert await simulator.pay(answer.seen, card="pm_card_authenticationRequired") == "requires_action"
    states = []
    for seconds in (55, 10):
        await simulator.order("advance", s=seconds)
        looked = await ours.lookup(answer.seen.id)
        assert isinstance(looked, Done)
        states.append(looked.seen.state)
    assert states == [IntentState.AWAITING, IntentState.AUTHORISED]
