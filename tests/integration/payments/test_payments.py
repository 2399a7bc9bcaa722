"""Money over the provider, on the real database and through the real SDK, whatever comes first, twice or never."""

from __future__ import annotations

import asyncio
import re
from itertools import permutations
from uuid import UUID, uuid4

import pytest

from cloud.errors import Conflict, NotFound
from cloud.payments.cashier import AFTER_CALL, BEFORE_CALL, Cashier
from sync.payment import PaymentAct, PaymentNews
from tests.integration.payments.shop import AMOUNT, ProcessDied, Shop

COMMITTED, ABORTED = PaymentNews.DECIDED_COMMITTED, PaymentNews.DECIDED_ABORTED
DAY_S = 86_400


# the way through it


async def test_money_is_held_at_confirmation_and_taken_at_the_commit(shop: Shop) -> None:
    payment = await shop.authorised()
    before = await shop.cashier.read(payment)
    assert (before.status, before.captured_minor) == ("authorised", 0)
    assert before.lapses_at is not None
    after = await shop.decide(payment, COMMITTED)
    assert (after.status, after.captured_minor) == ("completed", AMOUNT)
    assert (await shop.truth(payment))["did"] == ["created", "held", "captured"]
    assert shop.listener.of(payment) == [PaymentAct.TELL_AUTHORISED, PaymentAct.TELL_CAPTURED]
    assert [event["payment"] for event in await shop.published("PaymentProcessed")] == [str(payment)]


@pytest.mark.parametrize("paid", [False, True])
async def test_an_aborted_booking_lets_the_money_go(shop: Shop, *, paid: bool) -> None:
    payment = await shop.authorised() if paid else (await shop.draft()).payment.id
    after = await shop.decide(payment, ABORTED)
    assert (after.standing, after.status) == ("void", "failed")
    assert (await shop.truth(payment))["status"] == "canceled"


async def test_no_payment_that_nobody_knows_can_be_decided(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.decide(uuid4(), COMMITTED)


async def test_a_card_that_is_declined_can_be_followed_by_another(shop: Shop) -> None:
    drafted = await shop.draft()
    intent, secret = drafted.payment.intent or "", drafted.client_secret
    assert await shop.here.pay(intent, secret, "pm_card_visa_chargeDeclined") == "card_declined"
    declined = (await shop.cashier.look(drafted.payment.id)).payment
    assert (declined.standing, declined.status) == ("declined", "pending")
    assert await shop.here.pay(intent, secret) == "requires_capture"
    assert (await shop.cashier.look(drafted.payment.id)).payment.status == "authorised"


OF_THE_CARD = re.compile(r"_secret_|pm_card|visa|4242424242424242|(?<![\w-])4242(?![\w-])")
"""The test card's words and digits; four digits within an id or a UUID are chance."""


async def test_only_ids_of_the_provider_are_stored(shop: Shop) -> None:
    payment = await shop.captured()
    for event in shop.events():
        await shop.deliver(event)
    drafted = await shop.draft()
    await shop.give_back(payment, uuid4(), 100)
    for table in ("payments", "refunds", "payment_events", "receivables", "event_outbox", "audit_log"):
        text = str(await shop.rows(f"TABLE {table}"))
        assert drafted.client_secret not in text
        assert not OF_THE_CARD.search(text)


# row 11: paid, then "failed", so people paid twice; paid but no ticket


async def test_the_driver_sees_one_state_whatever_the_webhooks_order_and_number(shop: Shop) -> None:
    payment = await shop.captured()
    events = shop.events()
    assert len(events) == 3
    for order in permutations(events):
        for event in (*order, *order):
            assert await shop.deliver(event) in ("looking", "repeated")
        await shop.look_at_due()
        assert (await shop.cashier.read(payment)).status == "completed"
    assert (await shop.truth(payment))["did"].count("captured") == 1
    assert len(await shop.published("PaymentProcessed")) == 1


async def test_webhooks_alone_in_any_order_lead_there_too(shop: Shop) -> None:
    for reverse in (False, True):
        drafted = await shop.draft()
        payment = drafted.payment.id
        await shop.here.pay(drafted.payment.intent or "", drafted.client_secret)
        mine = [event for event in shop.events() if event.intent == drafted.payment.intent]
        for event in mine[::-1] if reverse else mine:
            await shop.deliver(event)
        await shop.look_at_due()
        assert (await shop.cashier.read(payment)).status == "authorised"
        assert PaymentAct.TELL_AUTHORISED in shop.listener.of(payment)


async def test_a_webhook_before_the_answer_to_the_create_finds_the_same_payment(shop: Shop) -> None:
    await shop.here.order("trouble", on="create", how="drop_after", times=2)
    drafted = await shop.draft()
    assert (drafted.payment.standing, drafted.payment.intent) == ("creating", None)
    (event,) = shop.events()
    assert await shop.deliver(event) == "looking"
    await shop.look_at_due()
    found = await shop.cashier.read(drafted.payment.id)
    assert (found.standing, found.intent) == ("none", event.intent)
    assert len(shop.here.provider.account.intents) == 1


async def test_a_webhook_during_the_capture_takes_the_money_once(shop: Shop) -> None:
    payment = await shop.authorised()
    await shop.here.order("trouble", on="capture", how="delay", delay_s=0.3)
    capturing = asyncio.create_task(shop.decide(payment, COMMITTED))
    await asyncio.sleep(0.1)
    for event in shop.events():
        await shop.deliver(event)
    await shop.look_at_due()
    await capturing
    assert (await shop.cashier.look(payment)).payment.status == "completed"
    assert (await shop.truth(payment))["received"] == AMOUNT
    assert len(await shop.published("PaymentProcessed")) == 1


async def test_webhooks_that_never_come_are_made_up_for_by_looking(shop: Shop) -> None:
    drafted = await shop.draft()
    await shop.here.pay(drafted.payment.intent or "", drafted.client_secret)
    await shop.all_due()
    assert (await shop.cashier.read(drafted.payment.id)).status == "authorised"


async def test_a_webhook_of_the_payment_after_the_hold_lapsed_changes_nothing_more(shop: Shop) -> None:
    payment = await shop.authorised()
    early = shop.events()
    await shop.here.order("advance", s=8 * DAY_S)
    await shop.deliver(shop.events()[-1])
    await shop.look_at_due()
    assert (await shop.cashier.read(payment)).standing == "void"
    picture = await shop.picture()
    for event in early:
        assert await shop.deliver(event) == "looking"
    await shop.look_at_due()
    assert await shop.picture() == picture


async def test_telling_again_repairs_what_a_dead_process_did_not_tell(shop: Shop) -> None:
    payment = await shop.authorised()
    shop.listener.told.clear()
    await shop.all_due()
    assert shop.listener.of(payment) == [PaymentAct.TELL_AUTHORISED]


# answers that do not come


@pytest.mark.parametrize("on", ["capture", "cancel"])
async def test_a_capture_or_cancel_whose_answer_is_lost_ends_as_decided_once(shop: Shop, on: str) -> None:
    for how in ("drop_before", "drop_after", "error_before", "error_after", "rate_limit"):
        payment = await shop.authorised()
        await shop.here.order("trouble", on=on, how=how)
        await shop.decide(payment, COMMITTED if on == "capture" else ABORTED)
        await shop.all_due()
        await shop.all_due()
        record = await shop.cashier.read(payment)
        assert record.status == ("completed" if on == "capture" else "failed"), how
        truth = await shop.truth(payment)
        assert truth["did"].count("captured") == (on == "capture"), how
        assert truth["status"] == ("succeeded" if on == "capture" else "canceled"), how


async def test_a_create_that_the_provider_failed_at_and_remembers_gets_another_key(shop: Shop) -> None:
    await shop.here.order("trouble", on="create", how="error_before")
    drafted = await shop.draft()
    assert drafted.payment.attempt == 2
    await shop.all_due()
    assert (await shop.cashier.read(drafted.payment.id)).standing == "none"


async def test_a_provider_out_for_hours_leaves_the_money_to_be_taken_when_it_is_back(shop: Shop) -> None:
    payment = await shop.authorised()
    await shop.here.order("down", for_s=3 * 3_600)
    waiting = await shop.decide(payment, COMMITTED)
    assert (waiting.standing, waiting.status) == ("capturing", "authorised")
    await shop.all_due()
    assert (await shop.cashier.read(payment)).unanswered > 1
    await shop.here.order("advance", s=4 * 3_600)
    await shop.all_due()
    assert (await shop.cashier.read(payment)).status == "completed"


async def test_a_draft_given_up_while_its_create_is_unanswered_holds_nothing(shop: Shop) -> None:
    await shop.here.order("trouble", on="create", how="drop_after", times=2)
    drafted = await shop.draft()
    await shop.decide(drafted.payment.id, ABORTED)
    await shop.all_due()
    record = await shop.cashier.read(drafted.payment.id)
    assert record.standing == "void"
    assert (await shop.truth(drafted.payment.id))["status"] == "canceled"


@pytest.mark.parametrize("place", [BEFORE_CALL, AFTER_CALL])
@pytest.mark.parametrize("what", ["create", "capture", "cancel", "refund"])
async def test_a_process_that_dies_at_a_call_costs_time_and_no_money(
    shop: Shop, what: str, place: str
) -> None:
    with pytest.raises(ProcessDied):
        await _do(shop, what, shop.another_process(place))
    (row,) = await shop.rows("SELECT id FROM payments")
    for _ in range(2):
        await shop.all_due()
    record, truth = await shop.cashier.read(row["id"]), await shop.truth(row["id"])
    assert len(shop.here.provider.account.intents) == 1
    expected = {
        "create": ("none", 0, []),
        "capture": ("captured", AMOUNT, []),
        "cancel": ("void", 0, []),
        "refund": ("captured", AMOUNT, [400]),
    }
    assert (str(record.standing), truth["received"], truth["refunds"]) == expected[what]


async def _do(shop: Shop, what: str, dying: Cashier) -> None:
    """Let a process die at its first call for `what`."""
    if what == "create":
        await shop.draft(dying)
    elif what == "refund":
        await shop.give_back(await shop.captured(), UUID(int=7), 400, dying)
    else:
        await shop.decide(await shop.authorised(), COMMITTED if what == "capture" else ABORTED, dying)


async def test_many_at_once_take_the_money_once(shop: Shop) -> None:
    payment = await shop.authorised()
    async with shop.cloud.database.connection() as connection, connection.transaction():
        work = await shop.cashier.hear(connection, payment, COMMITTED)
    processes = [shop.another_process() for _ in range(8)]
    await asyncio.gather(*(one.pursue(work) for one in processes), *(one.look(payment) for one in processes))
    assert (await shop.cashier.read(payment)).status == "completed"
    assert (await shop.truth(payment))["did"].count("captured") == 1
    assert len(await shop.published("PaymentProcessed")) == 1


# row 12: the card hold lapsed at 7 days, capture failed in silence


async def test_a_booking_further_ahead_than_the_hold_lives_is_captured_long_before_it_lapses(
    shop: Shop,
) -> None:
    payment = await shop.captured()
    await shop.here.order("advance", s=30 * DAY_S)
    await shop.all_due()
    assert (await shop.cashier.look(payment)).payment.status == "completed"
    assert (await shop.truth(payment))["received"] == AMOUNT


async def test_a_hold_that_lapses_before_the_commit_is_told_and_the_driver_can_pay_again(
    shop: Shop,
) -> None:
    payment = await shop.authorised()
    await shop.here.order("advance", s=8 * DAY_S)
    await shop.all_due()
    assert PaymentAct.TELL_LOST in shop.listener.of(payment)
    assert (await shop.cashier.read(payment)).status == "failed"
    assert await shop.captured() != payment


async def test_a_hold_that_lapses_while_the_provider_is_out_is_owed_and_told(shop: Shop) -> None:
    payment = await shop.authorised()
    await shop.here.order("down", for_s=8 * DAY_S)
    await shop.decide(payment, COMMITTED)
    await shop.here.order("advance", s=9 * DAY_S)
    await shop.all_due()
    record = await shop.cashier.read(payment)
    assert (record.standing, record.status) == ("receivable", "failed")
    owed = await shop.rows("SELECT payment_id, amount_minor, settled_at FROM receivables")
    assert owed == [{"payment_id": payment, "amount_minor": AMOUNT, "settled_at": None}]
    assert PaymentAct.RECORD_RECEIVABLE in shop.listener.of(payment)
    assert len(await shop.published("PaymentOwed")) == 1
    assert "parking_payment_alarms_total 1.0" in shop.cloud.metrics.text().decode()


async def test_a_capture_that_the_bank_refuses_is_owed_and_never_tried_in_silence(shop: Shop) -> None:
    payment = await shop.authorised()
    await shop.here.order("habit", refuse_capture=1)
    record = await shop.decide(payment, COMMITTED)
    assert (record.standing, len(await shop.published("PaymentOwed"))) == ("receivable", 1)
    await shop.all_due()
    assert len(await shop.rows("SELECT FROM receivables")) == 1


# row 10: one click, two refunds; booked by the call and again by the webhook; two equal lawful refunds refused


@pytest.mark.parametrize("how", ["none", "drop_before", "drop_after", "error_after"])
async def test_call_webhook_and_retry_of_one_refund_in_any_order_book_it_once(shop: Shop, how: str) -> None:
    for count, order in enumerate(permutations(["retry", "webhook", "look"]), 1):
        payment, refund = await shop.captured(), uuid4()
        if how != "none":
            await shop.here.order("trouble", on="refund", how=how)
        await shop.give_back(payment, refund, 400)
        for what in order:
            if what == "retry":
                await shop.give_back(payment, refund, 400)
            elif what == "webhook":
                for event in shop.events():
                    await shop.deliver(event)
                await shop.look_at_due()
            else:
                await shop.all_due()
        assert (await shop.truth(payment))["refunds"] == [400], order
        rows = await shop.rows(
            "SELECT id, state, amount_minor FROM refunds WHERE payment_id = %(id)s", id=payment
        )
        assert rows == [{"id": refund, "state": "succeeded", "amount_minor": 400}], order
        assert len(await shop.published("PaymentRefunded")) == count, order


async def test_two_equal_lawful_refunds_are_two(shop: Shop) -> None:
    payment = await shop.captured()
    await asyncio.gather(*(shop.give_back(payment, uuid4(), 400) for _ in range(2)))
    assert (await shop.truth(payment))["refunds"] == [400, 400]
    assert len(await shop.published("PaymentRefunded")) == 2


async def test_refunds_asked_at_the_same_instant_never_exceed_what_was_taken(shop: Shop) -> None:
    payment = await shop.captured()
    asked = [shop.give_back(payment, uuid4(), 500) for _ in range(6)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 4
    assert (await shop.truth(payment))["refunded"] == 1_000


async def test_a_cancelled_booking_gives_all_of_it_back_once(shop: Shop) -> None:
    payment = await shop.captured()
    for _ in range(3):
        await shop.decide(payment, PaymentNews.REFUND_DUE)
    assert (await shop.cashier.read(payment)).status == "refunded"
    assert (await shop.truth(payment))["refunds"] == [AMOUNT]


async def test_a_refund_that_the_bank_sends_back_is_told_and_tried_again_by_a_person(shop: Shop) -> None:
    payment, refund = await shop.captured(), uuid4()
    await shop.here.order("habit", pending_refunds=1, refund_ends="failed")
    await shop.give_back(payment, refund, AMOUNT)
    assert (await shop.cashier.read(payment)).status == "refunded"
    await shop.here.order("advance", s=2 * 3_600)
    for event in shop.events():
        await shop.deliver(event)
    await shop.look_at_due()
    assert (await shop.cashier.read(payment)).status == "completed"
    assert len(await shop.published("PaymentRefundFailed")) == 1
    await shop.give_back(payment, uuid4(), AMOUNT)
    assert (await shop.cashier.read(payment)).status == "refunded"
