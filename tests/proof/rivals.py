"""Who wants the town's few places: drivers who book and pay over the web at either process of the centre, and cars that come to the lane.

They go on as people do where nothing answers: they ask again, at the other process or at the same lane, until they have an answer. What they
were told is kept, since that is what must be true afterwards.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import httpx

from tests.integration.edge.agent_site import IN, LOT_ID, OUT
from tests.proof.town import Town

PATIENCE_S = 90.0
AGAIN_S = 0.2
SOON = timedelta(minutes=30)
REFUSING = frozenset({"full", "refused", "closed"})
LETTING_IN = frozenset({"ticket", "opening", "drive"})


class NeverAnswered(AssertionError):
    """Somebody asked for so long that the system counts as stuck."""


@dataclass(slots=True, kw_only=True)
class Buyer:
    """One driver on the web. `told` is what the last answer to `confirm` said: 200 or why not. `confirms_at`: the process that is asked first."""

    town: Town
    draw: Random
    starts_at: datetime
    hours: int = 2
    reservation: str = ""
    told: int = 0
    reason: str = ""
    cancels: bool = False
    confirms_at: str = ""
    called_off: bool = False
    strange: list[str] = field(default_factory=list)

    async def buy(self) -> None:
        """Quote, draft, pay, confirm; and cancel again, where that is the plan or the line was down."""
        drafted = await self._drafted()
        if drafted is None:
            return
        await self._pay(drafted)
        answer = await self._asked(
            "POST", f"/reservations/{self.reservation}/confirm", unpaid=True, first=self.confirms_at
        )
        self.told, self.reason = answer.status_code, str(answer.json().get("reason") or "")
        if self.told not in {200, 409}:
            self.strange.append(answer.text)
        if self.reason == "link_down" or (self.told == 200 and self.cancels):
            answer = await self._asked("DELETE", f"/reservations/{self.reservation}")
            self.called_off = answer.status_code in {200, 202}
            if not self.called_off:
                self.strange.append(answer.text)

    async def _drafted(self) -> dict[str, Any] | None:
        window = {
            "starts_at": self.starts_at.isoformat(),
            "ends_at": (self.starts_at + timedelta(hours=self.hours)).isoformat(),
        }
        while True:
            quoted = await self._asked("POST", "/quotes", json={"lot": LOT_ID, "type": "regular", **window})
            if quoted.status_code != 200:
                self.strange.append(quoted.text)
                return None
            drafted = await self._asked(
                "POST",
                "/reservations",
                json={"quote": quoted.json()["quote"]},
                headers={"Idempotency-Key": str(UUID(int=self.draw.getrandbits(128)))},
            )
            told: dict[str, Any] = drafted.json()
            if drafted.status_code == 201 and told["payment"]["client_secret"]:
                self.reservation = told["id"]
                return told
            if drafted.status_code not in {201, 402}:
                self.strange.append(drafted.text)
                return None

    async def _pay(self, drafted: dict[str, Any]) -> None:
        secret = drafted["payment"]["client_secret"]
        intent = secret.partition("_secret_")[0]
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                await self.town.provider.pay(intent, secret)
                status = await self.town.provider.status(intent)
            except httpx.HTTPError:
                await asyncio.sleep(AGAIN_S)  # dead, or it closed an idle connection: the browser asks again
                continue
            assert status in {"requires_capture", "succeeded", "canceled"}, status
            return
        raise NeverAnswered(f"the provider takes no money for {intent}")

    async def _asked(
        self, method: str, path: str, *, unpaid: bool = False, first: str = "", **request: object
    ) -> httpx.Response:
        """Ask either process until one answers. `unpaid`: also while the centre has not seen the payment yet.

        Raises:
            NeverAnswered: it took longer than any driver waits.
        """
        last = ""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            centre, first = first or self.draw.choice(sorted(self.town.centres)), ""
            try:
                answer = await self.town.ask(centre, method, path, **request)
            except httpx.HTTPError as error:
                last = repr(error)
            else:
                if answer.status_code < 500 and not (unpaid and _is_to_be_asked_again(answer)):
                    return answer
                last = answer.text
            await asyncio.sleep(AGAIN_S)
        raise NeverAnswered(f"{method} {path}: {last}")


@dataclass(slots=True, kw_only=True)
class Cars:
    """Cars at the entry and at the exit, one at a time each. `tickets` were shown on the screen, `full` were turned away."""

    town: Town
    tickets: list[str] = field(default_factory=list)
    let_out: int = 0
    full: int = 0

    async def come(self) -> str | None:
        """A car comes for a ticket; None where it was turned away.

        Raises:
            NeverAnswered: nobody let it in or turned it away.
        """
        gate = self.town.site.gate_in
        gate.arming_loop(1)
        ticket = ""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            screen = await self._view(IN)
            shown = screen.get("ticket") or {}
            ticket = str(shown.get("text") or ticket)
            if gate.position(time.monotonic()) >= 1.0:
                await self._through(gate)
                if ticket:
                    self.tickets.append(ticket)
                return ticket or None
            if screen.get("screen") in REFUSING:
                self.full += 1
                gate.arming_loop(0)
                await self._until(lambda: self._shows(IN, "idle"))
                return None
            if screen and screen.get("screen") not in LETTING_IN:
                await self._post(IN, "button")
            await asyncio.sleep(0.05)
        raise NeverAnswered(f"a car at the entry sees {await self._view(IN)}")

    async def go(self, ticket: str) -> None:
        """A car leaves within the free hour.

        Raises:
            NeverAnswered: nobody let it out.
        """
        gate = self.town.site.gate_out
        gate.arming_loop(1)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if gate.position(time.monotonic()) >= 1.0:
                await self._through(gate)
                self.let_out += 1
                return
            if (await self._view(OUT)).get("screen") in {"idle", "detected", "help"}:
                await self._post(OUT, "code", {"text": ticket})
            await asyncio.sleep(0.05)
        raise NeverAnswered(f"a car at the exit sees {await self._view(OUT)}")

    async def _through(self, gate: Any) -> None:
        gate.safety_loop(1, time.monotonic())
        await asyncio.sleep(0.2)
        gate.arming_loop(0)
        await asyncio.sleep(0.2)
        gate.safety_loop(0, time.monotonic())
        await self._until(lambda: gate.position(time.monotonic()) <= 0.0)

    async def _shows(self, lane: str, screen: str) -> bool:
        return bool((await self._view(lane)).get("screen") == screen)

    async def _view(self, lane: str) -> dict[str, Any]:
        """What the screen shows; nothing while the agent is dead."""
        try:
            return await self.town.site.view(lane)
        except (httpx.HTTPError, ValueError):
            return {}

    async def _post(self, lane: str, verb: str, body: dict[str, object] | None = None) -> None:
        try:
            await self.town.site.post(lane, verb, body)
        except httpx.HTTPError:
            return  # dead: it is pressed again

    async def _until(self, holds: Callable[[], Any]) -> None:
        await self.town.site.until(holds, within_s=PATIENCE_S)


def _is_to_be_asked_again(answer: httpx.Response) -> bool:
    """Not paid as far as is known yet, or not decided."""
    return answer.status_code in {202, 402}


def soon() -> datetime:
    """When a booking begins that wants the very places on which cars stand now."""
    return datetime.now(UTC).replace(second=0, microsecond=0) + SOON
