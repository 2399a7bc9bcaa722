"""A provider that dies knows, started again, all that it did: whatever it was asked, and wherever its file was cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from parking.clock import CivilScale, ScaledClock
from simulators.provider.books import Books
from simulators.provider.provider import Provider, ProviderPlan
from simulators.provider.wire import BY_NAME, build_provider_app
from simulators.record import Record

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CARDS = ("pm_card_visa", "pm_card_authenticationRequired", "pm_card_visa_chargeDeclined")
A_DAY_S = 86_400
KEY = {"Authorization": "Bearer sk_test_books"}


@dataclass
class Shop:
    """Asks one provider after the other, over the same file; `s` are the real seconds so far."""

    folder: Path
    s: float = 0.0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[Provider, httpx.AsyncClient]]:
        """A process's life: it ends without a word."""
        scale = CivilScale(anchor_at=NOON, anchor_monotonic=0.0, speed=1.0)
        clock = ScaledClock(source=lambda: self.s, scale=scale)
        with Record(self.folder / "record.jsonl", clock) as record:
            provider = Provider(
                ProviderPlan(seed=3), clock=clock, record=record, wall=lambda: self.s,
                books=Books(self.folder / "books"),
            )  # fmt: skip
            provider.reopen(BY_NAME)
            transport = httpx.ASGITransport(build_provider_app(provider))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://provider", headers=KEY
            ) as client:
                try:
                    yield provider, client
                finally:
                    await provider.webhooks.close()
                    provider.books.close()

    async def busy(self, client: httpx.AsyncClient, draw: Random, times: int) -> dict[str, Any]:
        """Whatever comes to a shop's mind; the answers under their idempotency keys."""
        told: dict[str, Any] = {}
        for number in range(times):
            known = [one["id"] for one in (await client.get("/control/intents")).json()] or ["pi_none"]
            name = draw.choice(known)
            self.s += draw.choice([0.0, 0.5, 70.0, 90_000.0])
            path, form = draw.choice(
                [
                    ("/v1/payment_intents", {"amount": "700", "currency": "eur", "capture_method": "manual"}),
                    (f"/v1/payment_intents/{name}/confirm", {"payment_method": draw.choice(CARDS)}),
                    (f"/v1/payment_intents/{name}/confirm", {"payment_method": "pm_card_visa"}),
                    (f"/v1/payment_intents/{name}/capture", {}),
                    (f"/v1/payment_intents/{name}/cancel", {}),
                    ("/v1/refunds", {"payment_intent": name, "amount": "100"}),
                    ("/control/orders", {"do": "habit", "pending_refunds": 1, "decline": draw.randrange(2)}),
                    ("/control/orders", {"do": "trouble", "how": "error_after"}),
                ]
            )
            if path.startswith("/control"):
                assert (await client.post(path, json=form)).status_code == 200
                continue
            key = f"key-{self.s}-{number}"
            answer = await client.post(path, data=form, headers={"Idempotency-Key": key})
            told[key] = (path, form, answer.status_code, answer.json())
        return told


async def books_of(client: httpx.AsyncClient) -> tuple[Any, Any]:
    return (await client.get("/control/intents")).json(), (await client.get("/control/events")).json()


@pytest.mark.parametrize("seed", range(8))
async def test_a_provider_that_died_is_the_same_and_answers_each_key_as_before(
    tmp_path: Path, seed: int
) -> None:
    shop, draw = Shop(tmp_path), Random(seed)
    async with shop.opened() as (_, client):
        told = await shop.busy(client, draw, 30)
        before = await books_of(client)
    for _ in range(2):
        async with shop.opened() as (_, client):
            assert await books_of(client) == before
            for key, (path, form, status, body) in told.items():
                if float(key.split("-")[1]) < shop.s - A_DAY_S:
                    continue  # a key is good for a day
                again = await client.post(path, data=form, headers={"Idempotency-Key": key})
                if again.headers.get("Idempotent-Replayed"):
                    assert (again.status_code, again.json()) == (status, body)
                else:
                    assert 400 <= status < 500, "only what never began is not kept"
            told |= await shop.busy(client, draw, 5)
            before = await books_of(client)


async def test_a_line_that_a_death_cut_short_was_heard_by_nobody(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    async with shop.opened() as (_, client):
        await shop.busy(client, Random(1), 10)
        before = await books_of(client)
    books = tmp_path / "books"
    whole = books.read_bytes()
    books.write_bytes(whole + b'{"what":"done","at":"2026')
    async with shop.opened() as (_, client):
        assert await books_of(client) == before
    assert books.read_bytes() == whole


async def test_webhooks_that_the_dead_did_not_deliver_are_delivered_by_the_next(tmp_path: Path) -> None:
    heard: list[str] = []

    async def hears(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        body = await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
        heard.append(body.decode().split('"')[3])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    shop = Shop(tmp_path)
    async with await asyncio.start_server(hears, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        async with shop.opened() as (provider, client):
            create = {"amount": "700", "currency": "eur"}
            await client.post("/v1/payment_intents", data=create)
            await provider.webhooks.settled()  # told to nobody: there is no address yet
            await client.post("/control/orders", json={"do": "webhook", "url": url, "secret": "whsec_x"})
            await client.post("/v1/payment_intents", data=create)
            await provider.webhooks.settled()
            assert len(heard) == 1
        async with shop.opened() as (provider, _):
            provider.webhooks.resume()
            await provider.webhooks.settled()
            assert heard == list(provider.webhooks.events)[::-1]
