"""The provider's webhooks: signed as Stripe signs, delivered until answered with 2xx, and made to go wrong on demand.

Signature: `Stripe-Signature: t=UNIX,v1=HEX`, HEX the HMAC-SHA256 of "UNIX.BODY" under the endpoint's secret. UNIX is real time, at each attempt
anew. Retries double their delay, in the provider's time.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import ssl
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from random import Random
from typing import Literal

import httpx

from simulators.provider.agenda import Agenda
from simulators.record import Record

How = Literal["duplicate", "delay", "lose", "hold"]
Order = Literal["as_made", "reversed", "shuffled"]

ANSWER_WITHIN_S = 10.0
MOST_ATTEMPTS = 18
LONGEST_PAUSE = timedelta(hours=6)


def signature(body: str, secret: str, unix: int) -> str:
    """The header of a body, as the holder of `secret` writes it at `unix`."""
    digest = hmac.new(secret.encode(), f"{unix}.{body}".encode(), sha256).hexdigest()
    return f"t={unix},v1={digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event; `body` is what is sent, byte by byte the same at each attempt."""

    id: str
    kind: str
    intent: str
    body: str


@dataclass(slots=True, kw_only=True)
class Plan:
    """What is to go wrong with the next `times` events."""

    how: How
    times: int
    delay: timedelta = timedelta()


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """Where webhooks go; no url: nowhere yet, and they wait."""

    url: str = ""
    secret: str = ""
    first_pause: timedelta = timedelta(seconds=5)
    plans: deque[Plan] = field(default_factory=deque)


class Webhooks:
    """Delivers events, each attempt a task of its own; `wall` is real UNIX time."""

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        agenda: Agenda,
        record: Record,
        draw: Random,
        wall: Callable[[], float],
        delivered: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.endpoint = endpoint
        self.events: dict[str, Event] = {}
        self._delivered = delivered
        self._of_earlier: dict[str, Event] = {}
        self._agenda = agenda
        self._record = record
        self._draw = draw
        self._wall = wall
        self._held: list[Event] = []
        self._tasks: set[asyncio.Task[int]] = set()
        # Webhooks stay on this machine, without TLS: a context that trusts nobody is made in no time.
        trusting_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client = httpx.AsyncClient(timeout=ANSWER_WITHIN_S, trust_env=False, verify=trusting_nobody)

    def add(self, event: Event) -> None:
        """Deliver a new event, as the endpoint's plans say."""
        self.events[event.id] = event
        plans = self.endpoint.plans
        plan = plans[0] if plans else None
        if plan is not None:
            plan.times -= 1
            if plan.times <= 0:
                plans.popleft()
        match plan:
            case None:
                self._attempt(event)
            case Plan(how="duplicate"):
                self._attempt(event)
                self._attempt(event)
            case Plan(how="delay"):
                self._agenda.after(plan.delay, lambda: self._attempt(event))
            case Plan(how="hold"):
                self._held.append(event)
            case Plan(how="lose"):
                pass
        self._record.note("event", id=event.id, kind=event.kind, intent=event.intent, how=plan and plan.how)

    def known(self, event: Event) -> None:
        """An event of an earlier process, of which it is not known yet whether that one delivered it."""
        self.events[event.id] = self._of_earlier[event.id] = event

    def was_delivered(self, event: str) -> None:
        """The earlier process delivered this one."""
        self._of_earlier.pop(event, None)

    def resume(self) -> None:
        """Deliver what the earlier process did not."""
        waiting, self._of_earlier = self._of_earlier, {}
        for event in waiting.values():
            self._attempt(event)

    def release(self, order: Order) -> int:
        """Deliver what was held, one by one in this order; how many they were."""
        held, self._held = self._held, []
        if order == "reversed":
            held.reverse()
        elif order == "shuffled":
            self._draw.shuffle(held)
        if held:
            self._spawn(self._in_order(held))
        return len(held)

    def resend(self, event: str) -> bool:
        """Deliver an event again, whatever became of it; False: there is no such event."""
        if event not in self.events:
            return False
        self._attempt(self.events[event])
        return True

    async def send_raw(self, body: str, header: str | None) -> int:
        """Send anything, once; the status of the answer, 0 where there was none. Forgeries go this way."""
        headers = {"Content-Type": "application/json"}
        if header is not None:
            headers["Stripe-Signature"] = header
        try:
            answer = await self._client.post(self.endpoint.url, content=body.encode(), headers=headers)
        except httpx.HTTPError:
            return 0
        return answer.status_code

    async def settled(self) -> None:
        """Wait until no attempt is under way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Stop delivering."""
        for task in set(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def _attempt(self, event: Event, number: int = 1) -> None:
        self._spawn(self._deliver(event, number))

    def _spawn(self, work: Coroutine[None, None, int]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _in_order(self, events: list[Event]) -> int:
        for event in events:
            await self._deliver(event, 1)
        return len(events)

    async def _deliver(self, event: Event, number: int) -> int:
        status = 0
        if self.endpoint.url:
            unix = int(self._wall())
            status = await self.send_raw(event.body, signature(event.body, self.endpoint.secret, unix))
        self._record.note("delivery", id=event.id, attempt=number, status=status)
        if 200 <= status < 300:
            self._delivered(event.id)
        elif number < MOST_ATTEMPTS:
            pause = min(self.endpoint.first_pause * 2 ** (number - 1), LONGEST_PAUSE)
            self._agenda.after(pause, lambda: self._attempt(event, number + 1))
        return status


def event_of(
    *, id_: str, kind: str, intent: str, shown: Mapping[str, object], created: int, key: str | None
) -> Event:
    """An event as Stripe writes it; `key` is the idempotency key of the request that caused it."""
    body = {
        "id": id_,
        "object": "event",
        "api_version": None,
        "created": created,
        "data": {"object": shown},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": key},
        "type": kind,
    }
    return Event(id=id_, kind=kind, intent=intent, body=json.dumps(body, separators=(",", ":")))
