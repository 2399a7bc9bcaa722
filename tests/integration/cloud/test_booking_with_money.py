"""A booking that costs something: the provider's simulator over Stripe's wire, the coordinator on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cloud.bootstrap import build_cloud
from cloud.settings import CloudSettings
from parking.ids import spot_id
from tests.contract.payments.provider_here import ProviderHere, provider_here
from tests.integration.cloud.booking_lot import Driver, VotingLot, at_port, give_to_the_cloud, tariff_of
from tests.integration.cloud.cloud_process import CloudHere, Gateway
from tests.integration.cloud.conftest import LOT, NOON, STAFF
from tests.integration.cloud.test_booking import hang_up, one, until


class PaidCloudHere(CloudHere):
    """A centre whose payments go to the simulator."""

    provider_base: str = ""

    def settings(self) -> CloudSettings:
        return CloudSettings.model_validate(
            {
                "database_url": self.database_url,
                "tokens": STAFF,
                "key_file": self.folder / "cloud.key",
                "pool_min": 1,
                "pool_max": 8,
                "stripe_key": "sk_test_booking",
                "stripe_base": self.provider_base,
            }
        )


@dataclass
class Market:
    """All who take part."""

    here: CloudHere
    provider: ProviderHere
    lot: VotingLot
    driver: Driver

    async def paid_draft(self) -> dict[str, Any]:
        drafted = await self.driver.draft()
        await self.pay(drafted)
        return drafted

    async def pay(self, drafted: dict[str, Any]) -> None:
        intent = one(self.here, "SELECT stripe_payment_intent_id FROM payments")
        assert await self.provider.pay(intent, drafted["payment"]["client_secret"]) == "requires_capture"

    def truth(self) -> dict[str, Any]:
        return self.provider.truth(one(self.here, "SELECT stripe_payment_intent_id FROM payments"))


@pytest.fixture
async def market(database_url: str, tmp_path: Path) -> AsyncIterator[Market]:
    async with provider_here(tmp_path) as provider:
        here = PaidCloudHere(database_url=database_url, folder=tmp_path)
        here.provider_base = provider.base
        await here.start(build_cloud(here.settings(), {}))
        gateway = Gateway()
        await gateway.enrol(here)
        assert here.cloud is not None
        await here.cloud.gateways.put_tariff(UUID(LOT), tariff_of("2.50"), NOON - timedelta(days=1))
        await gateway.open(here)
        lot = VotingLot(gateway=gateway)
        lot.start()
        async with at_port(here) as client:
            yield Market(here=here, provider=provider, lot=lot, driver=Driver(client=client))
        await lot.stop()
        await gateway.hang_up()
        await here.end()


async def test_money_is_taken_exactly_when_the_booking_stands(market: Market) -> None:
    drafted = await market.driver.draft()
    assert (drafted["amount_minor"], drafted["currency"]) == (500, "EUR")
    early = await market.driver.confirm(drafted["id"])
    assert early.status_code == 402
    assert market.lot.prepares == []
    await market.pay(drafted)
    answer = await market.driver.confirm(drafted["id"])
    assert answer.status_code == 200, answer.text
    await until(market.here, "SELECT standing FROM payments", "captured")
    assert (market.truth()["status"], market.truth()["received"]) == ("succeeded", 500)


async def test_money_is_let_go_when_the_lot_says_no(market: Market) -> None:
    market.lot.full = True
    drafted = await market.paid_draft()
    assert (await market.driver.confirm(drafted["id"])).status_code == 409
    await until(market.here, "SELECT standing FROM payments", "void")
    assert (market.truth()["status"], market.truth()["received"]) == ("canceled", 0)


async def test_the_provider_s_word_begins_the_booking_where_the_driver_s_browser_is_gone(
    market: Market,
) -> None:
    drafted = await market.paid_draft()
    assert market.here.cloud is not None
    await market.here.cloud.cashier.look(UUID(drafted["payment"]["id"]))
    await until(market.here, "SELECT status FROM reservations", "active")
    await until(market.here, "SELECT standing FROM payments", "captured")
    assert (await market.driver.confirm(drafted["id"])).json()["status"] == "active"
    assert len(market.lot.prepares) == 1


async def test_confirmed_twice_at_once_is_one_booking_and_one_capture(market: Market) -> None:
    drafted = await market.paid_draft()
    answers = await asyncio.gather(*(market.driver.confirm(drafted["id"]) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    await until(market.here, "SELECT standing FROM payments", "captured")
    assert market.truth()["received"] == 500
    assert one(market.here, "SELECT count(*) FROM claims") == 1


async def test_a_cancellation_is_refunded_when_the_lot_has_released_the_place(market: Market) -> None:
    drafted = await market.paid_draft()
    assert (await market.driver.confirm(drafted["id"])).status_code == 200
    await until(market.here, "SELECT standing FROM payments", "captured")
    assert (await market.driver.cancel(drafted["id"])).status_code == 202
    assert market.truth()["refunded"] == 0
    await market.lot.release(drafted["id"])
    await until(market.here, "SELECT status FROM reservations", "cancelled")
    with_due = market.here.cloud
    assert with_due is not None
    await with_due.cashier.look(UUID(drafted["payment"]["id"]))
    await until(market.here, "SELECT standing FROM payments", "refunded")
    assert market.truth()["refunded"] == 500


async def test_a_place_of_the_cloud_s_own_is_paid_with_the_line_down(market: Market) -> None:
    give_to_the_cloud(market.here.database_url, "R-002")
    await hang_up(market.here, market.lot)
    drafted = await market.paid_draft()
    assert (await market.driver.confirm(drafted["id"])).status_code == 200
    assert one(market.here, "SELECT spot_id::text FROM claims WHERE state = 'firm'") == str(
        spot_id(LOT, "R-002")
    )
    await until(market.here, "SELECT standing FROM payments", "captured")


async def test_what_the_driver_was_told_cannot_be_is_not_begun_behind_his_back_when_the_line_is_back(
    market: Market,
) -> None:
    await hang_up(market.here, market.lot)
    drafted = await market.paid_draft()
    lost = await market.driver.confirm(drafted["id"])
    assert (lost.status_code, lost.json()["reason"]) == (409, "link_down")
    await market.lot.gateway.open(market.here)
    market.lot.start()
    cloud = market.here.cloud
    assert cloud is not None
    await cloud.cashier.look(UUID(drafted["payment"]["id"]))
    told = (await market.driver.get(drafted["id"])).json()
    assert (told["status"], told["reason"]) == ("draft", "link_down")
    answer = (await market.driver.confirm(drafted["id"])).json()
    assert (answer["status"], answer["reason"]) == ("active", None)
    assert len(market.lot.prepares) == 1
