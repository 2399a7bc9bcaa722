"""The whole provider on one page: account, idempotency keys, webhooks, troubles; and how orders change them.

Its record (simulators/record.py) has a line for each change of an intent, each event, each delivery and each order:

    intent    id did status received_minor refunded_minor metadata       did: created, held, captured, canceled, lapsed, refunded, …
    event     id kind intent how           delivery  id attempt status    order  order
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from random import Random

from parking.clock import Clock
from simulators.provider.account import Account, Habits
from simulators.provider.agenda import Agenda
from simulators.provider.books import Books
from simulators.provider.forms import Form
from simulators.provider.idempotency import Answer, IdempotencyKeys
from simulators.provider.money import Intent
from simulators.provider.orders import (
    ORDER,
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
from simulators.provider.refusals import Refusal, missing
from simulators.provider.trouble import Ordered, Troubles
from simulators.provider.webhooks import Endpoint, Plan, Webhooks, event_of, signature
from simulators.record import Record

CHANGING = frozenset({"create", "confirm", "capture", "cancel", "refund"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One operation that is carried out: on the object of that name, with this form, under this idempotency key."""

    operation: str
    name: str
    form: Form
    key: str | None = None


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
    """One merchant's provider. `books` outlive its process (simulators/provider/books.py)."""

    def __init__(
        self,
        plan: ProviderPlan,
        *,
        clock: Clock,
        record: Record,
        wall: Callable[[], float],
        books: Books | None = None,
    ) -> None:
        self.plan = plan
        self.books = books or Books()
        self._is_reopening = False
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
            delivered=lambda event: self.books.add("delivered", event=event),
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

    def perform(self, done: Done, operate: Operate) -> dict[str, object]:
        """Carry an operation out; events that it causes name its idempotency key.

        Raises:
            Refusal: it is refused.
        """
        at = self.agenda.catch_up()
        if done.operation in CHANGING:
            self.books.add("done", at=at.isoformat(), **asdict(done))
        self._request_key = done.key
        try:
            return operate(self, done.name, done.form)
        finally:
            self._request_key = None

    def keep(self, key: str, asked: str, answer: Answer | None) -> None:
        """Answer so under an idempotency key from now on; None: the operation never began."""
        self.keys.end(key, answer)
        if answer is not None:
            at = self.agenda.now().isoformat()
            self.books.add("kept", at=at, key=key, asked=asked, status=answer.status, body=answer.body)

    def reopen(self, operations: Mapping[str, Operate]) -> None:
        """Go through what an earlier process wrote; what that one did not deliver is delivered by `webhooks.resume`."""
        self._is_reopening = True
        lines, books, self.books = list(self.books.lines()), self.books, Books()
        for line in lines:
            if "at" in line:
                self.agenda.again(datetime.fromisoformat(line["at"]))
            match line["what"]:
                case "done":
                    done = Done(**{name: line[name] for name in ("operation", "name", "form", "key")})
                    with suppress(Refusal):  # as it was then
                        self.perform(done, operations[done.operation])
                case "order":
                    with suppress(Refusal):
                        self._change(ORDER.validate_python(line["order"]))
                case "kept":
                    answer = Answer(status=line["status"], body=line["body"])
                    self.keys.restore(line["key"], line["asked"], answer)
                case "delivered":
                    self.webhooks.was_delivered(line["event"])
        self.agenda.again(None)
        self.books, self._is_reopening = books, False

    async def obey(self, order: Order) -> dict[str, object]:
        """Carry an order out; what came of it.

        Raises:
            Refusal: it names something that is not there.
        """
        plain = order.model_dump(mode="json", exclude_none=True)
        self._record.note("order", order=plain)
        at = self.agenda.catch_up()
        match order:
            case SetWebhook() | SetHabits() | EndAuthentication() | Lapse() | Advance():
                self.books.add("order", at=at.isoformat(), order=plain)
                self._change(order)
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

    def _change(self, order: Order) -> None:
        """What outlives the process."""
        match order:
            case SetWebhook():
                endpoint = self.webhooks.endpoint
                endpoint.url, endpoint.secret = order.url, order.secret
                endpoint.first_pause = timedelta(seconds=order.pause_s)
            case SetHabits():
                for name, value in order.as_habits().items():
                    setattr(self.account.habits, name, value)
            case EndAuthentication():
                self.account.authenticate(order.intent, passed=order.passed)
            case Lapse():
                self.account.lapse(order.intent)
            case Advance():
                self.agenda.advance(timedelta(seconds=order.s))

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
        event = event_of(
            id_=self._event_id(),
            kind=kind,
            intent=intent.id,
            shown=shown,
            created=int(self.agenda.now().timestamp()),
            key=self._request_key,
        )
        if self._is_reopening:
            self.webhooks.known(event)
            return
        self._record.note("intent", id=intent.id, **intent.history[-1], metadata=intent.metadata)
        self.webhooks.add(event)

    def _event_id(self) -> str:
        return f"evt_{self._draw.getrandbits(96):024x}"


Operate = Callable[[Provider, str, Form], dict[str, object]]
