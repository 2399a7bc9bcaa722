"""A driver's browser: quote, draft, the card at the provider, confirm, pass, over real HTTP. Next file: simulators/web_crowd.py.

The centre and the payment provider are asked as anybody would ask them. What each driver was told goes on record (simulators/record.py):

    web_asked     driver type starts_at ends_at
    web_drafted   driver reservation amount_minor
    web_paid      driver reservation intent status
    web_answered  driver reservation status reason ms alternatives      status: booked, or the HTTP status of the refusal
    web_pass      driver reservation
    web_failed    driver why                                            no answer, or one that is no answer to the question
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from parking.lot import SpotType
from simulators.record import Record

ANSWER_S = 20.0
AUTHENTICATES_S = 30.0
LOOK_EVERY_S = 0.1
SERVER_ERROR = 500
NOT_DECIDED = 202
BOOKED = "booked"


class NoAnswer(Exception):
    """What was asked got no answer that a browser could go on with; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebWish:
    """What a driver wants, with which card; `driver` is a number of the simulation's own."""

    driver: int
    type: SpotType
    starts_at: datetime
    ends_at: datetime
    card: str = "pm_card_visa"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidDraft:
    """A reservation whose money is held: it is to be confirmed."""

    wish: WebWish
    reservation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a driver was told. `reason` is "" where it is booked; `token` is the pass."""

    wish: WebWish
    reservation: str
    reason: str = ""
    token: str = ""

    @property
    def booked(self) -> bool:
        """Whether the driver has a place."""
        return not self.reason


class Web:
    """The centre and the provider as browsers reach them. `asked` and `errors` count answers and those that were the centre's fault."""

    def __init__(self, *, centre: str, provider: str, token: str, lot: str, record: Record) -> None:
        self.asked = 0
        self.errors = 0
        self._record = record
        self._lot = lot
        self._centre = httpx.AsyncClient(
            base_url=centre, timeout=ANSWER_S, headers={"Authorization": f"Bearer {token}"}
        )
        self._provider = httpx.AsyncClient(
            base_url=provider, timeout=ANSWER_S, headers={"Authorization": "Bearer pk_test_demo"}
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._centre.aclose()
        await self._provider.aclose()

    async def book(self, wish: WebWish) -> Told:
        """All of it.

        Raises:
            NoAnswer: it ended without a yes or a no.
        """
        return await self.confirm(await self.pay(wish))

    async def pay(self, wish: WebWish) -> PaidDraft:
        """Quote, draft, and the money held; nothing is promised yet.

        Raises:
            NoAnswer: it did not come so far.
        """
        window = {"starts_at": wish.starts_at.isoformat(), "ends_at": wish.ends_at.isoformat()}
        self._note("web_asked", wish, type=wish.type.value, **window)
        asked = {"lot": self._lot, "type": wish.type.value, **window}
        quote = self._answer(await self._post("/api/v1/quotes", asked, wish), wish)
        key = f"web {quote['id']}"
        draft = await self._post("/api/v1/reservations", {"quote": quote["quote"]}, wish, key=key)
        drafted = self._answer(draft, wish)
        reservation = str(drafted["id"])
        self._note("web_drafted", wish, reservation=reservation, amount_minor=drafted["amount_minor"])
        await self._hold_money(wish, reservation, str((drafted["payment"] or {}).get("client_secret") or ""))
        return PaidDraft(wish=wish, reservation=reservation)

    async def confirm(self, draft: PaidDraft) -> Told:
        """Book it now; with the pass where it is booked.

        Raises:
            NoAnswer: neither booked nor refused.
        """
        began_s = time.monotonic()
        path = f"/api/v1/reservations/{draft.reservation}/confirm"
        answer = await self._post(path, {}, draft.wish)
        while answer.status_code == NOT_DECIDED and time.monotonic() < began_s + ANSWER_S:
            await asyncio.sleep(float(answer.headers.get("Retry-After", LOOK_EVERY_S)))
            answer = await self._post(path, {}, draft.wish)
        if answer.status_code == NOT_DECIDED:
            raise self._failed(draft.wish, f"{path}: not decided in {ANSWER_S:g} s")
        said: Mapping[str, Any] = answer.json() if answer.content else {}
        reason = "" if answer.is_success else str(said.get("reason") or answer.status_code)
        self._note(
            "web_answered",
            draft.wish,
            reservation=draft.reservation,
            status=BOOKED if not reason else answer.status_code,
            reason=reason,
            ms=round((time.monotonic() - began_s) * 1_000, 3),
            alternatives=len(said.get("alternatives") or ()),
        )
        if reason:
            return Told(wish=draft.wish, reservation=draft.reservation, reason=reason)
        shown = await self._get(f"/api/v1/reservations/{draft.reservation}/pass", draft.wish)
        token = str(self._answer(shown, draft.wish)["token"])
        self._note("web_pass", draft.wish, reservation=draft.reservation)
        return Told(wish=draft.wish, reservation=draft.reservation, token=token)

    async def _hold_money(self, wish: WebWish, reservation: str, client_secret: str) -> None:
        """The card, and the holder's authentication where the bank asks for one."""
        if not client_secret:
            raise self._failed(wish, "the draft has no payment to confirm")
        intent = client_secret.partition("_secret_")[0]
        fields = {"client_secret": client_secret}
        with_card = {**fields, "payment_method": wish.card}
        answer = await self._provider.post(f"/v1/payment_intents/{intent}/confirm", data=with_card)
        until_s = time.monotonic() + AUTHENTICATES_S
        while (
            answer.is_success and answer.json()["status"] == "requires_action" and time.monotonic() < until_s
        ):
            await asyncio.sleep(LOOK_EVERY_S)
            answer = await self._provider.get(f"/v1/payment_intents/{intent}", params=fields)
        status = answer.json()["status"] if answer.is_success else str(answer.status_code)
        self._note("web_paid", wish, reservation=reservation, intent=intent, status=status)

    async def _post(
        self, path: str, body: Mapping[str, object], wish: WebWish, *, key: str = ""
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        try:
            return self._counted(await self._centre.post(path, json=body, headers=headers))
        except httpx.TransportError as error:
            raise self._failed(wish, f"{path}: {error!r}") from error

    async def _get(self, path: str, wish: WebWish) -> httpx.Response:
        try:
            return self._counted(await self._centre.get(path))
        except httpx.TransportError as error:
            raise self._failed(wish, f"{path}: {error!r}") from error

    def _counted(self, answer: httpx.Response) -> httpx.Response:
        self.asked += 1
        self.errors += answer.status_code >= SERVER_ERROR
        return answer

    def _answer(self, answer: httpx.Response, wish: WebWish) -> Mapping[str, Any]:
        if not answer.is_success:
            raise self._failed(wish, f"{answer.request.url.path}: {answer.status_code} {answer.text[:200]}")
        told: Mapping[str, Any] = answer.json()
        return told

    def _failed(self, wish: WebWish, why: str) -> NoAnswer:
        self._note("web_failed", wish, why=why)
        return NoAnswer(why)

    def _note(self, what: str, wish: WebWish, **fields: object) -> None:
        self._record.note(what, driver=wish.driver, **fields)
