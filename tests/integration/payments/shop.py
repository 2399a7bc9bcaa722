"""A centre whose payments go to a simulated provider, in the hand of a test: webhooks arrive when the test says so."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID, uuid4

import httpx
from psycopg.rows import DictRow

from cloud.bootstrap import Cloud
from cloud.payments.cashier import Cashier, Pursued
from cloud.payments.records import NewPayment, PaymentRecord
from cloud.settings import CloudSettings
from simulators.provider.webhooks import Event, signature
from sync.failpoints import Failpoints
from sync.payment import PaymentAct, PaymentNews
from tests.contract.payments.provider_here import ProviderHere

SECRET = "whsec_of_the_tests"
LOT = UUID("00000000-0000-4000-8000-00000000000a")
AMOUNT = 1250


def settings_for(database_url: str, base: str) -> CloudSettings:
    return CloudSettings.model_validate(
        {
            "database_url": database_url,
            "pool_min": 1,
            "pool_max": 12,
            "stripe_key": "sk_test_shop",
            "stripe_base": base,
            "stripe_webhook_secret": SECRET,
        }
    )


class ProcessDied(BaseException):
    """A failpoint struck: what follows in this process does not happen."""


def die() -> None:
    raise ProcessDied


@dataclass
class Listener:
    """Notes what it is told."""

    told: list[tuple[UUID, PaymentAct]] = field(default_factory=list)

    async def payment_told(self, payment: PaymentRecord, act: PaymentAct) -> None:
        self.told.append((payment.id, act))

    def of(self, payment: UUID) -> list[PaymentAct]:
        return [act for one, act in self.told if one == payment]


@dataclass
class Shop:
    """Asks for money, and sees what became of it on both sides."""

    cloud: Cloud
    here: ProviderHere
    client: httpx.AsyncClient
    listener: Listener

    async def open(self) -> None:
        """There is a lot to sell."""
        await self.rows(
            "INSERT INTO parking_lots (id, name, source) VALUES (%(lot)s, 'Lot', 'staff') RETURNING id",
            lot=LOT,
        )

    @property
    def cashier(self) -> Cashier:
        return self.cloud.cashier

    def another_process(self, failpoint: str = "", nth: int = 1, strike: Callable[[], None] = die) -> Cashier:
        """A cashier of its own on the same database and provider."""
        return Cashier(
            database=self.cloud.database,
            provider=self.cloud.provider,
            lots=self.cloud.lots,
            clock=self.cloud.clock,
            metrics=self.cloud.metrics,
            failpoints=Failpoints(armed=failpoint or None, nth=nth, strike=strike),
            draw=Random(1),
            listener=self.listener,
        )

    async def draft(self, cashier: Cashier | None = None, amount_minor: int = AMOUNT) -> Pursued:
        cashier = cashier or self.cashier
        new = NewPayment(id=uuid4(), lot=LOT, amount_minor=amount_minor, currency="EUR", reservation=uuid4())
        async with self.cloud.database.connection() as connection, connection.transaction():
            work = await cashier.record(connection, new)
        return await cashier.pursue(work)

    async def authorised(self) -> UUID:
        drafted = await self.draft()
        assert drafted.payment.intent is not None
        assert await self.here.pay(drafted.payment.intent, drafted.client_secret) == "requires_capture"
        await self.cashier.look(drafted.payment.id)
        return drafted.payment.id

    async def decide(self, payment: UUID, news: PaymentNews, cashier: Cashier | None = None) -> PaymentRecord:
        cashier = cashier or self.cashier
        async with self.cloud.database.connection() as connection, connection.transaction():
            work = await cashier.hear(connection, payment, news)
        return (await cashier.pursue(work)).payment

    async def captured(self) -> UUID:
        payment = await self.authorised()
        await self.decide(payment, PaymentNews.DECIDED_COMMITTED)
        return payment

    async def give_back(
        self, payment: UUID, refund: UUID, amount_minor: int, cashier: Cashier | None = None
    ) -> None:
        cashier = cashier or self.cashier
        async with self.cloud.database.connection() as connection, connection.transaction():
            work = await cashier.ask_refund(
                connection, payment, refund=refund, amount_minor=amount_minor, reason="asked"
            )
        await cashier.pursue(work)

    def events(self) -> list[Event]:
        """Every event that the provider has made so far."""
        return list(self.here.provider.webhooks.events.values())

    async def deliver(self, event: Event) -> str:
        """One webhook arrives; what became of it."""
        return await self.post(event.body, signature(event.body, SECRET, int(time.time())))

    async def post(self, body: str | bytes, header: str | None) -> str:
        headers = {"content-type": "application/json"}
        if header is not None:
            headers["stripe-signature"] = header
        answer = await self.client.post("/api/v1/payments/webhook", content=body, headers=headers)
        told = answer.json()
        return str(told["outcome"]) if answer.status_code == 200 else f"{answer.status_code} {told['title']}"

    async def look_at_due(self) -> int:
        return await self.cashier.look_at_due()

    async def all_due(self) -> None:
        """Real time passes: whoever waits for his turn has it now."""
        await self.do("UPDATE payments SET due_at = now() WHERE due_at IS NOT NULL")
        await self.look_at_due()

    async def do(self, sql: str) -> None:
        async with self.cloud.database.connection() as connection:
            await connection.execute(sql.encode())

    async def rows(self, sql: str, **parameters: Any) -> list[DictRow]:
        async with self.cloud.database.connection() as connection:
            return await (await connection.execute(sql.encode(), parameters)).fetchall()

    async def published(self, kind: str) -> list[dict[str, Any]]:
        found = await self.rows("SELECT body FROM event_outbox WHERE kind = %(kind)s ORDER BY n", kind=kind)
        return [row["body"] for row in found]

    async def truth(self, payment: UUID) -> dict[str, Any]:
        """What the provider has of it."""
        record = await self.cashier.read(payment)
        return self.here.truth(record.intent or "")

    async def picture(self) -> str:
        """Everything of payments that the database has, as text: two equal ones mean that nothing changed."""
        parts = [
            await self.rows(
                "SELECT id, standing, status, captured_minor, version, refusal FROM payments ORDER BY id"
            ),
            await self.rows("SELECT id, state, amount_minor FROM refunds ORDER BY id"),
            await self.rows("SELECT payment_id FROM receivables ORDER BY 1"),
            await self.rows("SELECT count(*) AS n FROM event_outbox"),
        ]
        return json.dumps(parts, default=str)
