"""The payment provider as an object: where the money really is. It does what it is asked, late, and answers or does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from uuid import UUID

from cloud.payments.provider import (
    Answer,
    Done,
    IntentSeen,
    IntentState,
    NewIntent,
    RefundOrder,
    RefundProgress,
    RefundSeen,
    RefusalReason,
    Refused,
    Unknown,
    UnknownWhy,
)
from tests.simulation.trace import Trace


@dataclass(slots=True)
class Intent:
    """One payment. `refunds` by our id of each."""

    seen: IntentSeen
    refunds: dict[UUID, RefundSeen] = field(default_factory=dict)


class Provider:
    """`down`: nobody answers. `deaf`: the chance that an answer is lost, `undone`: that the call never arrived, where it is."""

    def __init__(self, random: Random, trace: Trace) -> None:
        self._random = random
        self._trace = trace
        self.intents: dict[str, Intent] = {}
        self.down = False
        self.deaf = 0.0
        self.changed: Callable[[IntentSeen], None] = lambda _: None

    # The driver, and time

    def of_payment(self, payment: str) -> IntentSeen | None:
        """The intent of one of our payments, as the driver's browser knows it."""
        for intent in self.intents.values():
            if intent.seen.payment == payment:
                return intent.seen
        return None

    def authenticate(self, payment: str, *, succeeds: bool) -> bool:
        """The driver confirms with the bank; whether money is held now."""
        seen = self.of_payment(payment)
        if seen is None or seen.state is not IntentState.AWAITING:
            return False
        state = IntentState.AUTHORISED if succeeds else IntentState.AWAITING
        self._set(replace(seen, state=state, declined=not succeeds))
        return succeeds

    def let_go(self, name: str) -> None:
        """A hold lapses by itself."""
        seen = self.intents[name].seen
        if seen.state is IntentState.AUTHORISED:
            self._set(replace(seen, state=IntentState.CANCELLED, lapsed=True))

    def _set(self, seen: IntentSeen) -> None:
        self.intents[seen.id].seen = seen
        self._trace.add("provider", f"{seen.id} {seen.state} captured={seen.captured_minor}")
        self.changed(seen)

    # What it is asked, see cloud/payments/provider.py

    async def create(self, intent: NewIntent) -> Answer[IntentSeen]:
        arrives, answers = await self._on_the_way()
        name = f"pi-{intent.payment}-{intent.attempt}"
        if arrives and name not in self.intents:
            seen = IntentSeen(
                id=name,
                payment=str(intent.payment),
                state=IntentState.AWAITING,
                amount_minor=intent.amount_minor,
                currency=intent.currency.upper(),
                client_secret="secret",
            )
            self.intents[name] = Intent(seen=seen)
            self._set(seen)
        return Done(seen=self.intents[name].seen) if answers else _unknown()

    async def lookup(self, intent: str) -> Answer[IntentSeen]:
        _, answers = await self._on_the_way()
        known = self.intents[intent]
        return (
            Done(seen=replace(known.seen, refunds=tuple(known.refunds.values()))) if answers else _unknown()
        )

    async def capture(self, intent: str, *, amount_minor: int) -> Answer[IntentSeen]:
        captured = {"state": IntentState.CAPTURED, "captured_minor": amount_minor}
        return await self._moved(intent, {IntentState.AUTHORISED}, captured)

    async def cancel(self, intent: str) -> Answer[IntentSeen]:
        return await self._moved(
            intent, {IntentState.AUTHORISED, IntentState.AWAITING}, {"state": IntentState.CANCELLED}
        )

    async def refund(self, order: RefundOrder) -> Answer[RefundSeen]:
        arrives, answers = await self._on_the_way()
        known = self.intents[order.intent]
        left = known.seen.captured_minor - sum(refund.amount_minor for refund in known.refunds.values())
        if arrives and order.refund not in known.refunds:
            if order.amount_minor > left:
                return Refused(reason=RefusalReason.NOTHING_LEFT) if answers else _unknown()
            known.refunds[order.refund] = RefundSeen(
                id=f"re-{order.refund}",
                refund=str(order.refund),
                amount_minor=order.amount_minor,
                progress=RefundProgress.SUCCEEDED,
            )
            self._trace.add("provider", f"{order.intent} refunded {order.amount_minor}")
        return Done(seen=known.refunds[order.refund]) if answers else _unknown()

    async def close(self) -> None:
        return None

    async def _moved(
        self, name: str, allowed: set[IntentState], change: dict[str, object]
    ) -> Answer[IntentSeen]:
        arrives, answers = await self._on_the_way()
        seen = self.intents[name].seen
        if not arrives:
            return _unknown()
        if seen.state not in allowed:
            refused: Answer[IntentSeen] = Refused(reason=RefusalReason.WRONG_STATE, detail=str(seen.state))
            return refused if answers else _unknown()
        self._set(replace(seen, **change))  # type: ignore[arg-type]  # the callers above give fields of the record
        return Done(seen=self.intents[name].seen) if answers else _unknown()

    async def _on_the_way(self) -> tuple[bool, bool]:
        """Whether a call arrives, and whether it is answered."""
        if self.down:
            await asyncio.sleep(10.0)
            return False, False
        await asyncio.sleep(self._random.uniform(0.05, 0.4))
        if self._random.random() < self.deaf:
            await asyncio.sleep(9.0)
            return self._random.random() < 0.5, False
        return True, True


def _unknown() -> Unknown:
    return Unknown(why=UnknownWhy.NO_ANSWER)
