"""Stripe's HTTP interface, as far as we use it, and the control interface under /control.

A request passes: key, troubles before, idempotency key, the operation, troubles after. Answers carry `Request-Id`, `Stripe-Version` as asked, and
`Idempotent-Replayed` where an earlier answer is given again.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.responses import Response

from simulators.provider.forms import Form, read_form, text_of
from simulators.provider.idempotency import Answer
from simulators.provider.money import Intent
from simulators.provider.orders import ORDER
from simulators.provider.provider import Done, Operate, Provider
from simulators.provider.refusals import Refusal, broken, invalid, not_identified, too_many
from simulators.provider.trouble import CutOff, Mishap, NoAnswer, Ordered

LONGEST_BODY = 65_536
NEWEST_VERSION = "2026-10-28.endive"

OPERATIONS: Mapping[tuple[str, str, str], Operate] = {
    ("POST", "/v1/payment_intents", "create"): lambda one, _, form: one.account.create(form),
    ("GET", "/v1/payment_intents/{name}", "retrieve"): lambda one, name, form: one.account.retrieve(
        name, form
    ),
    ("POST", "/v1/payment_intents/{name}/confirm", "confirm"): lambda one, name, form: one.account.confirm(
        name, form
    ),
    ("POST", "/v1/payment_intents/{name}/capture", "capture"): lambda one, name, form: one.account.capture(
        name, form
    ),
    ("POST", "/v1/payment_intents/{name}/cancel", "cancel"): lambda one, name, form: one.account.cancel(
        name, form
    ),
    ("POST", "/v1/refunds", "refund"): lambda one, _, form: one.account.refund(form),
    ("GET", "/v1/refunds", "refunds"): lambda one, _, form: one.account.refunds(form),
    ("GET", "/v1/refunds/{name}", "retrieve_refund"): lambda one, name, form: one.account.retrieve_refund(
        name, form
    ),
}


BY_NAME: Mapping[str, Operate] = {name: operate for (_, _, name), operate in OPERATIONS.items()}


def build_provider_app(provider: Provider) -> FastAPI:
    """The application over `provider`."""
    app = FastAPI(title="payment provider simulator", docs_url=None, redoc_url=None, openapi_url=None)
    for (method, path, name), operate in OPERATIONS.items():
        app.add_api_route(path, partial(_answer, provider, name, operate), methods=[method])
    app.add_api_route("/control/orders", partial(_order, provider), methods=["POST"])
    app.add_api_route("/control/intents", partial(_intents, provider), methods=["GET"])
    app.add_api_route("/control/intents/{name}", partial(_intent, provider), methods=["GET"])
    app.add_api_route("/control/events", partial(_events, provider), methods=["GET"])
    app.add_api_route("/control/settled", partial(_settled, provider), methods=["POST"])
    return app


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One request, read."""

    operation: str
    name: str
    form: Form
    key: str | None
    trouble: Ordered | None

    @property
    def fingerprint(self) -> str:
        """What an idempotency key stands for."""
        return sha256(json.dumps([self.operation, self.name, self.form], sort_keys=True).encode()).hexdigest()


async def _answer(provider: Provider, operation: str, operate: Operate, request: Request) -> Response:
    provider.agenda.catch_up()
    provider.requests += 1
    body = (await request.body()).decode("utf-8", errors="replace")
    headers = {
        "Request-Id": f"req_{provider.requests:014d}",
        "Stripe-Version": request.headers.get("stripe-version", NEWEST_VERSION),
    }
    trouble = provider.troubles.next_for(operation, provider.agenda.now())
    try:
        asked = _read(provider, operation, request, body, trouble=trouble)
        before = _suffer_before(trouble)
        if before is not None:
            return before
        answer, replayed = await _once(provider, operate, asked)
    except Refusal as refusal:
        answer, replayed = Answer(status=refusal.status, body=refusal.body), False
    if trouble is not None and trouble.how is Mishap.DROP_AFTER:
        return CutOff()
    if trouble is not None and trouble.how is Mishap.HANG_AFTER:
        return NoAnswer()
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return JSONResponse(answer.body, status_code=answer.status, headers=headers)


def _read(
    provider: Provider, operation: str, request: Request, body: str, *, trouble: Ordered | None
) -> _Asked:
    form = _form(request, body)
    _identify(provider, request, operation, form)
    key = request.headers.get("idempotency-key") if request.method == "POST" else None
    if key is not None and len(key) > 255:
        raise invalid("Idempotency-Key is longer than 255 characters")
    name = str(request.path_params.get("name", ""))
    return _Asked(operation=operation, name=name, form=form, key=key, trouble=trouble)


def _suffer_before(trouble: Ordered | None) -> Response | None:
    match trouble:
        case Ordered(how=Mishap.RATE_LIMIT):
            raise too_many()
        case Ordered(how=Mishap.DROP_BEFORE):
            return CutOff()
        case Ordered(how=Mishap.HANG_BEFORE):
            return NoAnswer()
    return None


async def _once(provider: Provider, operate: Operate, asked: _Asked) -> tuple[Answer, bool]:
    """The operation's answer, and whether it is one that was given before."""
    if asked.key is None:
        return await _do(provider, operate, asked), False
    known = provider.keys.begin(asked.key, asked.fingerprint)
    if known is not None:
        return known, True
    kept: Answer | None = None
    try:
        kept = await _do(provider, operate, asked)
        return kept, False
    except Refusal as refusal:
        kept = Answer(status=refusal.status, body=refusal.body) if refusal.began else None
        raise
    finally:
        provider.keep(asked.key, asked.fingerprint, kept)


async def _do(provider: Provider, operate: Operate, asked: _Asked) -> Answer:
    trouble = asked.trouble
    if trouble is not None and trouble.how is Mishap.DELAY:
        await asyncio.sleep(trouble.delay_s)
    if trouble is not None and trouble.how is Mishap.ERROR_BEFORE:
        raise broken()
    done = Done(operation=asked.operation, name=asked.name, form=asked.form, key=asked.key)
    body = provider.perform(done, operate)
    if trouble is not None and trouble.how is Mishap.ERROR_AFTER:
        raise broken()
    return Answer(status=200, body=body)


def _form(request: Request, body: str) -> Form:
    if len(body) > LONGEST_BODY:
        raise invalid("Request is too large", status=413)
    if request.method == "GET":
        return read_form(request.url.query)
    kind = request.headers.get("content-type", "")
    if body and not kind.startswith("application/x-www-form-urlencoded"):
        raise invalid("Requests are to be form-encoded")
    return read_form(body)


def _identify(provider: Provider, request: Request, operation: str, form: Form) -> None:
    """A secret key may do all; a publishable one confirms with the intent's client secret, as a driver's browser does."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    key = given if scheme.lower() == "bearer" else _basic(given)
    expected = provider.plan.api_key
    if key.startswith("sk_") and expected in ("", key):
        return
    if key.startswith("pk_") and operation in ("confirm", "retrieve") and text_of(form, "client_secret"):
        return
    raise not_identified()


def _basic(given: str) -> str:
    try:
        return base64.b64decode(given, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


async def _order(provider: Provider, request: Request) -> JSONResponse:
    try:
        order = ORDER.validate_json(await request.body())
        return JSONResponse(await provider.obey(order))
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "order"
        return JSONResponse({"field": where, "problem": first["msg"]}, status_code=422)
    except Refusal as refusal:
        return JSONResponse(refusal.body, status_code=refusal.status)


async def _intents(provider: Provider) -> JSONResponse:
    """Every intent with its history and refunds: the truth about the money."""
    provider.agenda.catch_up()
    return JSONResponse([_told(intent) for intent in provider.account.intents.values()])


async def _intent(provider: Provider, name: str) -> JSONResponse:
    provider.agenda.catch_up()
    intent = provider.account.intents.get(name)
    return JSONResponse({} if intent is None else _told(intent), status_code=404 if intent is None else 200)


def _told(intent: Intent) -> dict[str, object]:
    refunds = [one.as_json() for one in intent.refunds]
    return {**intent.as_json(), "refunds": refunds, "history": intent.history}


async def _events(provider: Provider) -> JSONResponse:
    """Every event, in the order in which they came about."""
    return JSONResponse(
        [
            {"id": event.id, "kind": event.kind, "intent": event.intent}
            for event in provider.webhooks.events.values()
        ]
    )


async def _settled(provider: Provider) -> JSONResponse:
    """Answers when no delivery is under way."""
    await provider.webhooks.settled()
    return JSONResponse({})
