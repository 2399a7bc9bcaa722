"""The payment provider of the contract: the simulator; and the real Stripe in test mode where LOTGATE_TEST_STRIPE_KEY names a key of it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import stripe

from cloud.payments.provider import Done, IntentSeen, NewIntent
from cloud.payments.stripe_provider import StripeProvider
from tests.contract.payments.provider_here import ProviderHere, provider_here

REAL_KEY = os.environ.get("LOTGATE_TEST_STRIPE_KEY", "")
SIDES = ["simulator", "stripe"] if REAL_KEY.startswith("sk_test_") else ["simulator"]


@dataclass
class Desk:
    """Our adapter, and a driver with a test card, at either of the two."""

    provider: StripeProvider
    driver: stripe.StripeClient

    async def create(self, amount_minor: int = 1250, payment: UUID | None = None) -> IntentSeen:
        new = NewIntent(payment=payment or uuid4(), amount_minor=amount_minor, currency="EUR")
        answer = await self.provider.create(new)
        assert isinstance(answer, Done), answer
        return answer.seen

    async def pay(self, intent: IntentSeen, card: str = "pm_card_visa") -> None:
        await self.driver.v1.payment_intents.confirm_async(
            intent.id, {"payment_method": card, "return_url": "https://example.org/paid"}
        )

    async def held(self, amount_minor: int = 1250) -> IntentSeen:
        intent = await self.create(amount_minor)
        await self.pay(intent)
        return intent

    async def captured(self, amount_minor: int = 1250) -> IntentSeen:
        intent = await self.held(amount_minor)
        answer = await self.provider.capture(intent.id, amount_minor=amount_minor)
        assert isinstance(answer, Done), answer
        return answer.seen


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[ProviderHere]:
    async with provider_here(tmp_path) as here:
        yield here


async def desk_at(base: str, key: str) -> AsyncIterator[Desk]:
    from cloud.payments.stripe_transport import StripeTransport

    ours = StripeProvider(key=key, base=base, timeout_s=30.0 if not base else 2.0)
    transport = StripeTransport(timeout_s=30.0)
    driver = stripe.StripeClient(
        key, base_addresses={"api": base} if base else {}, http_client=transport, max_network_retries=0
    )
    yield Desk(provider=ours, driver=driver)
    await ours.close()
    await transport.close_async()


@pytest.fixture(params=SIDES)
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    if request.param == "stripe":
        async for real in desk_at("", REAL_KEY):
            yield real
        return
    async with provider_here(tmp_path) as here:
        async for made in desk_at(here.base, "sk_test_simulated"):
            yield made
