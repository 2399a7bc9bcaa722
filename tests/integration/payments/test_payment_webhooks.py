"""The webhook endpoint: what is not proved gets a named answer, is counted, and changes nothing."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from cloud.app import build_app
from cloud.bootstrap import Cloud, build_cloud
from cloud.payments.webhooks import LONGEST_BYTES
from cloud.serving import serve
from cloud.settings import CloudSettings
from simulators.provider.webhooks import event_of, signature
from sync.payment import PaymentNews
from tests.contract.payments.provider_here import provider_here
from tests.integration.payments.shop import AMOUNT, SECRET, Listener, Shop, settings_for


def counted(cloud: Cloud, outcome: str) -> float:
    value = cloud.metrics.registry.get_sample_value("parking_payment_webhooks_total", {"outcome": outcome})
    return value or 0.0


def signed(body: str, secret: str = SECRET, age_s: int = 0) -> str:
    return signature(body, secret, int(time.time()) - age_s)


def told(kind: str, intent: str, *, id_: str = "evt_of_a_test", created: int = 1_800_000_000) -> str:
    shown = {"id": intent, "object": "payment_intent", "status": "succeeded", "metadata": {}}
    return event_of(id_=id_, kind=kind, intent=intent, shown=shown, created=created, key=None).body


async def intent_of(shop: Shop) -> str:
    payment = await shop.authorised()
    return (await shop.cashier.read(payment)).intent or ""


@pytest.mark.parametrize(
    ("secret", "age_s", "outcome"), [("whsec_guessed", 0, "forged"), (SECRET, 301, "too_old")]
)
async def test_a_forged_or_replayed_webhook_is_refused_counted_and_changes_nothing(
    shop: Shop, secret: str, age_s: int, outcome: str
) -> None:
    body = told("payment_intent.succeeded", await intent_of(shop))
    before = await shop.picture()
    assert await shop.post(body, signed(body, secret, age_s)) == "400 Bad request"
    assert (counted(shop.cloud, outcome), await shop.picture()) == (1, before)
    assert await shop.rows("SELECT FROM payment_events") == []
    assert await shop.look_at_due() == 0


@pytest.mark.parametrize("header", [None, "", "abc", "t=1,v1=00"])
async def test_a_webhook_without_a_signature_is_a_forgery(shop: Shop, header: str | None) -> None:
    assert await shop.post("{}", header) == "400 Bad request"
    assert counted(shop.cloud, "forged") == 1


async def test_the_provider_itself_can_be_forged_only_by_who_has_the_secret(shop: Shop) -> None:
    payment = await shop.authorised()
    intent = (await shop.cashier.read(payment)).intent or ""
    body = told("payment_intent.succeeded", intent)
    assert await shop.post(body, signed(body)) == "looking"
    await shop.look_at_due()
    record = await shop.cashier.read(payment)
    assert (record.status, record.captured_minor) == ("authorised", 0), "what it claims is not believed"


async def test_an_oversized_webhook_is_refused_by_name(shop: Shop) -> None:
    body = json.dumps({"id": "evt_1", "pad": "x" * LONGEST_BYTES})
    assert await shop.post(body, signed(body)) == "413 Too large"
    assert counted(shop.cloud, "too_large") == 1


@pytest.mark.parametrize("body", ["", "no json", "[]", '{"id": 1}', '{"id": "evt_1", "type": "x"}'])
async def test_a_signed_body_that_is_no_event_is_malformed(shop: Shop, body: str) -> None:
    assert await shop.post(body, signed(body)) == "400 Bad request"
    assert counted(shop.cloud, "malformed") == 1


async def test_a_kind_that_we_do_not_know_is_taken_once_and_nothing_follows(shop: Shop) -> None:
    intent = await intent_of(shop)
    before = await shop.picture()
    body = told("payout.paid", intent)
    answers = [await shop.post(body, signed(body)) for _ in range(2)]
    assert answers == ["unknown_kind", "repeated"]
    assert await shop.picture() == before


async def test_a_payment_that_is_not_ours_is_left_alone(shop: Shop) -> None:
    await intent_of(shop)
    before = await shop.picture()
    body = told("payment_intent.succeeded", "pi_of_somebody_else")
    assert await shop.post(body, signed(body)) == "not_ours"
    assert await shop.picture() == before


async def test_one_event_at_many_doors_at_once_is_taken_once(shop: Shop) -> None:
    body = told("payment_intent.succeeded", await intent_of(shop))
    answers = await asyncio.gather(*(shop.post(body, signed(body)) for _ in range(8)))
    assert sorted(answers) == ["looking", *["repeated"] * 7]


async def test_a_webhook_that_could_not_be_stored_is_sent_again(shop: Shop) -> None:
    body = told("payment_intent.succeeded", await intent_of(shop))
    await shop.do("ALTER TABLE payment_events RENAME TO payment_events_gone")
    transport = httpx.ASGITransport(app=build_app(shop.cloud), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://cloud") as client:
        answer = await client.post(
            "/api/v1/payments/webhook", content=body, headers={"stripe-signature": signed(body)}
        )
    assert answer.status_code == 500, "the provider takes no 2xx for an answer that stored nothing"
    await shop.do("ALTER TABLE payment_events_gone RENAME TO payment_events")
    assert await shop.post(body, signed(body)) == "looking"


async def test_a_centre_without_a_secret_takes_no_webhook(database_url: str) -> None:
    cloud = build_cloud(CloudSettings(database_url=database_url, pool_min=1, pool_max=2), {})
    transport = httpx.ASGITransport(app=build_app(cloud))
    async with httpx.AsyncClient(transport=transport, base_url="http://cloud") as client:
        answer = await client.post("/api/v1/payments/webhook", content=b"{}")
    assert (answer.status_code, answer.json()["title"]) == (503, "Not ready")
    assert counted(cloud, "not_configured") == 1


async def test_old_events_are_forgotten_and_young_ones_kept(shop: Shop) -> None:
    for number in range(2):
        body = told("payout.paid", "pi_1", id_=f"evt_{number}")
        await shop.post(body, signed(body))
    await shop.do("UPDATE payment_events SET created_at = now() - interval '61 days' WHERE id = 'evt_0'")
    await shop.cashier.forget()
    assert [row["id"] for row in await shop.rows("SELECT id FROM payment_events")] == ["evt_1"]


async def test_the_providers_own_deliveries_lead_a_payment_through_while_the_centre_runs(
    database_url: str, tmp_path: Path
) -> None:
    """The whole of it: both servers over HTTP, webhooks lost, doubled, late and in any order."""
    async with provider_here(tmp_path) as here:
        cloud, stop, port_file = (
            build_cloud(settings_for(database_url, here.base), {}),
            asyncio.Event(),
            tmp_path / "port",
        )
        listener = Listener()
        cloud.cashier.listener = listener
        serving = asyncio.create_task(serve(cloud, host="127.0.0.1", port=0, port_file=port_file, stop=stop))
        await _written(port_file)
        base = f"http://127.0.0.1:{int(port_file.read_text())}"
        async with httpx.AsyncClient(base_url=base) as client:
            shop = Shop(cloud=cloud, here=here, client=client, listener=listener)
            await shop.open()
            await here.order("webhook", url=f"{base}/api/v1/payments/webhook", secret=SECRET)
            await here.order("events", how="duplicate", times=2)
            await here.order("events", how="hold", times=2)
            drafted = await shop.draft()
            await here.pay(drafted.payment.intent or "", drafted.client_secret)
            await _until(shop, drafted.payment.id, "authorised")
            async with cloud.database.connection() as connection, connection.transaction():
                await cloud.cashier.hear(connection, drafted.payment.id, PaymentNews.DECIDED_COMMITTED)
            await shop.do("UPDATE payments SET due_at = now()")
            await _until(shop, drafted.payment.id, "completed")
            await shop.give_back(drafted.payment.id, uuid4(), AMOUNT)
            forged = await here.order(
                "forge", kind="payment_intent.canceled", intent=drafted.payment.intent, secret="guessed"
            )
            assert forged == {"status": 400}
            await here.order("release", order="reversed")
            await here.settled()
            await _until(shop, drafted.payment.id, "refunded")
            for event in shop.events():
                await here.order("resend", event=event.id)
            await here.settled()
            assert (await shop.truth(drafted.payment.id))["did"].count("captured") == 1
            assert len(await shop.published("PaymentRefunded")) == 1
        stop.set()
        await serving


async def _written(path: Path) -> None:
    async with asyncio.timeout(20):
        for _ in iter(path.exists, True):
            await asyncio.sleep(0.01)


async def _until(shop: Shop, payment: UUID, status: str) -> None:
    async def status_now() -> object:
        return (await shop.rows("SELECT status FROM payments WHERE id = %(id)s", id=payment))[0]["status"]

    for _ in range(750):
        if await status_now() == status:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{payment} did not become {status}: {await status_now()}")
