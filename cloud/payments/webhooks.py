"""Webhooks of the provider: proved, stored once, and taken as a reason to look. Next in its story: cloud/payments/cashier.

Nothing of what a webhook claims is believed: its signature proves who sent it, its id keeps it from counting twice, and then the payment is looked
at. So it may come early, late, twice, out of order, or be of a kind that we do not know, and only what stands at the provider moves a payment.

The signature is checked by the SDK over the bytes as received. Its age is checked here, against real time as this process has it, which the
SDK would read by itself: a webhook older than 5 minutes is a replay. Civil time (a demo's) has no part in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeGuard
from uuid import UUID

import stripe
import structlog

from cloud.database import Database
from cloud.errors import BadRequest, NotReady, TooLarge
from cloud.named_sql import named_sql
from cloud.observability import Metrics

QUERIES = named_sql("cloud.payments")
LOG = structlog.get_logger(__name__)

TOLERANCE_S = 300
LONGEST_BYTES = 262_144
LONGEST_NAME = 255
LONGEST_HEADER = 4_096
FIX = "sign the body as it is sent, with this endpoint's secret and the present time"


class WebhookOutcome(StrEnum):
    """What became of a webhook. The first four are answered with 200: the provider need not send it again."""

    LOOKING = "looking"
    REPEATED = "repeated"
    NOT_OURS = "not_ours"
    UNKNOWN_KIND = "unknown_kind"
    NOT_CONFIGURED = "not_configured"
    TOO_LARGE = "too_large"
    FORGED = "forged"
    TOO_OLD = "too_old"
    MALFORMED = "malformed"


_INTENT_KINDS = frozenset(
    f"payment_intent.{what}"
    for what in (
        "created",
        "processing",
        "requires_action",
        "amount_capturable_updated",
        "succeeded",
        "payment_failed",
        "canceled",
    )
)
_MONEY_KINDS = frozenset(
    {
        "charge.captured",
        "charge.expired",
        "charge.failed",
        "charge.succeeded",
        "charge.refunded",
        "charge.refund.updated",
        "charge.updated",
        "refund.created",
        "refund.updated",
        "refund.failed",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEvent:
    """What we read of a webhook. `intent` is the provider's id of the payment, None where the kind is not one of ours; `payment` is our own, if named."""

    id: str
    kind: str
    made_at: datetime
    intent: str | None
    payment: UUID | None


@dataclass(slots=True)
class NotAccepted(Exception):
    """A webhook that is not taken in."""

    outcome: WebhookOutcome
    detail: str

    def __str__(self) -> str:
        return self.detail


def verify(payload: bytes, header: str, secret: str, *, unix: float, tolerance_s: int = TOLERANCE_S) -> None:
    """Whether the holder of `secret` sent `payload` in the last `tolerance_s` seconds before real UNIX time `unix`.

    A time stamp ahead of ours passes, as with the SDK: only the holder of the secret can write one, and an event counts once.

    Raises:
        NotAccepted: FORGED or TOO_OLD.
    """
    if len(header) > LONGEST_HEADER or not header.isascii():
        raise NotAccepted(WebhookOutcome.FORGED, "the header is no signature")
    try:
        stripe.WebhookSignature.verify_header(payload, header, secret, tolerance=None)
    except stripe.SignatureVerificationError as error:
        raise NotAccepted(WebhookOutcome.FORGED, str(error.user_message)) from error
    except UnicodeError as error:
        raise NotAccepted(WebhookOutcome.FORGED, "the body is no UTF-8") from error
    # The SDK has just read the same field of the same header.
    stamp = next(part.split("=")[1] for part in header.split(",") if part.startswith("t="))
    if int(stamp) < unix - tolerance_s:
        raise NotAccepted(WebhookOutcome.TOO_OLD, f"the time stamp {stamp} is older than {tolerance_s} s")


def read_event(payload: bytes) -> ProviderEvent:
    """The event of a verified body.

    Raises:
        NotAccepted: MALFORMED; the message names the field.
    """
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise NotAccepted(WebhookOutcome.MALFORMED, "the body is no JSON") from error
    id_, kind, created = (_field(body, name) for name in ("id", "type", "created"))
    if not _is_name(id_):
        raise NotAccepted(WebhookOutcome.MALFORMED, "id: is no event id")
    if not _is_name(kind):
        raise NotAccepted(WebhookOutcome.MALFORMED, "type: is no kind of event")
    if isinstance(created, bool) or not isinstance(created, int) or not 0 <= created < 2**33:
        raise NotAccepted(WebhookOutcome.MALFORMED, "created: is no UNIX time")
    shown = _field(_field(body, "data"), "object")
    intent: object = None
    payment: UUID | None = None
    if kind in _INTENT_KINDS:
        intent, payment = _field(shown, "id"), _ours(_field(shown, "metadata"))
    elif kind in _MONEY_KINDS:
        intent = _field(shown, "payment_intent")
    return ProviderEvent(
        id=id_,
        kind=kind,
        made_at=datetime.fromtimestamp(created, UTC),
        intent=intent if _is_name(intent) else None,
        payment=payment,
    )


class Webhooks:
    """The endpoint. `unix` is real time; `looked` is told when a payment is due for a look."""

    def __init__(
        self,
        *,
        database: Database,
        metrics: Metrics,
        secret: str,
        unix: Callable[[], float],
        looked: Callable[[], None],
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._secret = secret
        self._unix = unix
        self._looked = looked

    async def take(self, payload: bytes, header: str) -> WebhookOutcome:
        """Take a webhook in; what became of it.

        Raises:
            NotReady: no secret is configured.
            TooLarge: it is longer than any of the provider's.
            BadRequest: it is forged, too old or malformed.
        """
        try:
            event = self._proved(payload, header)
        except NotAccepted as refused:
            self._metrics.payment_webhooks.labels(str(refused.outcome)).inc()
            LOG.warning("webhook refused", outcome=str(refused.outcome), detail=refused.detail)
            raise _problem(refused) from refused
        outcome = await self._store(event)
        self._metrics.payment_webhooks.labels(str(outcome)).inc()
        LOG.info("webhook", event_id=event.id, kind=event.kind, intent=event.intent, outcome=str(outcome))
        if outcome is WebhookOutcome.LOOKING:
            self._looked()
        return outcome

    def _proved(self, payload: bytes, header: str) -> ProviderEvent:
        if not self._secret:
            raise NotAccepted(WebhookOutcome.NOT_CONFIGURED, "webhooks are not configured here")
        if len(payload) > LONGEST_BYTES:
            raise NotAccepted(WebhookOutcome.TOO_LARGE, f"a webhook has at most {LONGEST_BYTES} bytes")
        verify(payload, header, self._secret, unix=self._unix())
        return read_event(payload)

    async def _store(self, event: ProviderEvent) -> WebhookOutcome:
        """In one transaction: the event, once, and its payment due for a look."""
        async with self._database.connection() as connection, connection.transaction():
            outcome = WebhookOutcome.UNKNOWN_KIND
            if event.intent is not None:
                cursor = await connection.execute(
                    QUERIES["payment_is_ours"], {"intent": event.intent, "payment": event.payment}
                )
                ours = await cursor.fetchone()
                outcome = WebhookOutcome.LOOKING if ours is not None else WebhookOutcome.NOT_OURS
            added = await connection.execute(
                QUERIES["payment_event_add"],
                {
                    "id": event.id,
                    "kind": event.kind,
                    "intent": event.intent,
                    "outcome": str(outcome),
                    "made_at": event.made_at,
                },
            )
            if await added.fetchone() is None:
                return WebhookOutcome.REPEATED
            if outcome is WebhookOutcome.LOOKING:
                await connection.execute(
                    QUERIES["payment_make_due"], {"intent": event.intent, "payment": event.payment}
                )
            return outcome


def _problem(refused: NotAccepted) -> BadRequest | NotReady | TooLarge:
    match refused.outcome:
        case WebhookOutcome.NOT_CONFIGURED:
            return NotReady(refused.detail)
        case WebhookOutcome.TOO_LARGE:
            return TooLarge(refused.detail)
        case WebhookOutcome.MALFORMED:
            return BadRequest(refused.detail, "body", "send the event as the provider made it")
    return BadRequest(refused.detail, "Stripe-Signature", FIX)


def _field(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _is_name(value: object) -> TypeGuard[str]:
    return (
        isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isascii() and value.isprintable()
    )


def _ours(metadata: object) -> UUID | None:
    try:
        return UUID(str(_field(metadata, "payment")))
    except ValueError:
        return None
