"""The whole provider on one page: account, idempotency keys, webhooks, troubles; and how orders change them.

Its record (simulators/record.py) has a line for each change of an intent, each event, each delivery and each order:

    intent    id did status received_minor refunded_minor metadata       did: created, held, captured, canceled, lapsed, refunded, …
    event     id kind intent how           delivery  id attempt status    order  order
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from parking.clock import Clock
from simulators.provider.account import Account, Habits
from simulators.provider.agenda import Agenda
from simulators.provider.idempotency import IdempotencyKeys
from simulators.provider.money import Intent
from simulators.provider.orders import (
    Advance,
    ComeUp,
    EndAuthentication,
    Forge,
    GoDown,
    Lapse,
    MakeTrouble,
    Order,
    PlanEvents,
    Release,
    Resend,
    SetHabits,
    SetWebhook,
)
from simulators.provider.refusals import missing
from simulators.provider.trouble import Ordered, Troubles
from simulators.provider.webhooks import Endpoint, Plan, Webhooks, event_of, signature
from simulators.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPlan:
    """What a provider is made from. `civil`: its hours are those of the demo's scale. `api_key` "": any key that begins with "sk_" is right."""

    seed: int = 1
    civil: bool = True
    api_key: str = ""
    authentication_takes: timedelta = timedelta(minutes=1)
    hold_lives: timedelta = timedelta(days=7)
    webhook_url: str = ""
    webhook_secret: str = ""
    first_pause: timedelta = timedelta(seconds=5)


class Provider:
    """One merchant's provider."""

    def __init__(
        self, plan: ProviderPlan, *, clock: Clock, record: Record, wall: Callable[[], float]
    ) -> None:
        self.plan = plan
        self.agenda = Agenda(clock, civil=plan.civil)
        self.keys = IdempotencyKeys(self.agenda.now)
        self.troubles = Troubles()
        self._request_key: str | None = None
        self.requests = 0
        self.webhooks = Webhooks(
            endpoint=Endpoint(url=plan.webhook_url, secret=plan.webhook_secret, first_pause=plan.first_pause),
            agenda=self.agenda,
            record=record,
            draw=Random(f"webhooks {plan.seed}"),
            wall=wall,
        )
        self.account = Account(
            agenda=self.agenda,
            draw=Random(f"account {plan.seed}"),
            habits=Habits(authentication_takes=plan.authentication_takes, hold_lives=plan.hold_lives),
            tell=self._changed,
        )
        self._draw = Random(f"events {plan.seed}")
        self._record = record
        self._wall = wall

    def perform(self, operation: Callable[[], dict[str, object]], key: str | None) -> dict[str, object]:
        """Do something that was asked under an idempotency key; events that it causes name the key.

        Raises:
            Refusal: it is refused.
        """
        self._request_key = key
        try:
            return operation()
        finally:
            self._request_key = None

    async def obey(self, order: Order) -> dict[str, object]:
        """Carry an order out; what came of it.

        Raises:
            Refusal: it names something that is not there.
        """
        self._record.note("order", order=order.model_dump(mode="json", exclude_none=True))
        self.agenda.catch_up()
        match order:
            case SetWebhook():
                endpoint = self.webhooks.endpoint
                endpoint.url, endpoint.secret = order.url, order.secret
                endpoint.first_pause = timedelta(seconds=order.pause_s)
            case MakeTrouble():
                self.troubles.ordered.append(
                    Ordered(on=order.on, how=order.how, times=order.times, delay_s=order.delay_s)
                )
            case GoDown():
                self.troubles.down = order.how
                self.troubles.down_until = self.agenda.now() + timedelta(seconds=order.for_s)
            case ComeUp():
                self.troubles.down_until = None
                self.troubles.ordered.clear()
            case SetHabits():
                for name, value in order.as_habits().items():
                    setattr(self.account.habits, name, value)
            case EndAuthentication():
                self.account.authenticate(order.intent, passed=order.passed)
            case Lapse():
                self.account.lapse(order.intent)
            case Advance():
                self.agenda.advance(timedelta(seconds=order.s))
            case PlanEvents():
                self.webhooks.endpoint.plans.append(
                    Plan(how=order.how, times=order.times, delay=timedelta(seconds=order.delay_s))
                )
            case Release():
                return {"released": self.webhooks.release(order.order)}
            case Resend():
                if not self.webhooks.resend(order.event):
                    raise missing("event", order.event)
            case Forge():
                return {"status": await self._forge(order)}
        return {}

    async def _forge(self, order: Forge) -> int:
        known = self.account.intents.get(order.intent)
        shown: dict[str, object] = {
            "id": order.intent,
            "object": "payment_intent",
            "status": "succeeded",
            "metadata": {},
        }
        if known is not None:
            shown = {**known.as_json(), "status": "succeeded", "amount_received": known.amount}
        unix = int(self._wall())
        event = event_of(
            id_=self._event_id(), kind=order.kind, intent=order.intent, shown=shown, created=unix, key=None
        )
        header = None if order.secret is None else signature(event.body, order.secret, unix)
        return await self.webhooks.send_raw(event.body, header)

    def _changed(self, kind: str, intent: Intent, shown: dict[str, object]) -> None:
        self._record.note("intent", id=intent.id, **intent.history[-1], metadata=intent.metadata)
        created = int(self.agenda.now().timestamp())
        self.webhooks.add(
            event_of(
                id_=self._event_id(),
                kind=kind,
                intent=intent.id,
                shown=shown,
                created=created,
                key=self._request_key,
            )
        )

    def _event_id(self) -> str:
        return f"evt_{self._draw.getrandbits(96):024x}"
