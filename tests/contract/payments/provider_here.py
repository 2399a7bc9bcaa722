"""The provider's simulator in this process, served over HTTP, and its drivers."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from cloud.payments.provider import IntentSeen
from parking.clock import Clock
from simulators.provider.provider import Provider, ProviderPlan
from simulators.provider.serving import served
from simulators.record import Record
from simulators.system_clock import clock_on, scale_from


@dataclass
class ProviderHere:
    """A provider that takes orders."""

    base: str
    provider: Provider
    client: httpx.AsyncClient
    name: str = field(default="simulator")

    async def order(self, do: str, **fields: object) -> dict[str, Any]:
        answer = await self.client.post(f"{self.base}/control/orders", json={"do": do, **fields})
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def pay(self, intent: IntentSeen | str, secret: str = "", card: str = "pm_card_visa") -> str:
        """A driver's browser confirms; the intent's status, or the error's code."""
        name, client_secret = (
            (intent.id, intent.client_secret) if isinstance(intent, IntentSeen) else (intent, secret)
        )
        answer = await self.client.post(
            f"{self.base}/v1/payment_intents/{name}/confirm",
            data={"client_secret": client_secret, "payment_method": card},
            headers={"Authorization": "Bearer pk_test_driver"},
        )
        body = answer.json()
        return str(body["error"]["code"] if "error" in body else body["status"])

    async def settled(self) -> None:
        """Until no webhook is under way."""
        await self.client.post(f"{self.base}/control/settled", timeout=30)

    def truth(self, intent: str) -> dict[str, Any]:
        """What the provider itself has of an intent."""
        found = self.provider.account.intents[intent]
        return {
            "status": str(found.status),
            "received": found.received,
            "refunded": found.refunded,
            "refunds": [one.amount for one in found.refunds],
            "did": [one["did"] for one in found.history],
        }


@asynccontextmanager
async def provider_here(
    folder: Path, *, clock: Clock | None = None, plan: ProviderPlan | None = None
) -> AsyncIterator[ProviderHere]:
    clock = clock or clock_on(scale_from({}))
    with Record(folder / "payments.jsonl", clock) as record:
        provider = Provider(plan or ProviderPlan(seed=1), clock=clock, record=record, wall=time.time)
        async with (
            served(provider) as port,
            httpx.AsyncClient(trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as client,
        ):
            yield ProviderHere(base=f"http://127.0.0.1:{port}", provider=provider, client=client)
