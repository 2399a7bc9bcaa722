"""The payment provider over Stripe's API, with its official SDK. Next in its story: the provider itself (in tests simulators/payment_provider).

Manual capture: confirming holds the money, capturing takes it. Our own ids travel as metadata (`payment`, `refund`), so that a refund whose answer
was lost is found by looking. Only ids come back to us: the card is seen by the driver's browser and the provider alone (PCI scope SAQ-A).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import stripe

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
from cloud.payments.stripe_transport import StripeTransport

if TYPE_CHECKING:
    from stripe.params import RefundListParams

# The SDK would write an id of this machine into its user's home and send it along.
stripe.enable_telemetry = False

API_VERSION = "2026-10-28.endive"
TIMEOUT_S = 10.0
REFUNDS_AT_MOST = 1_000

T = TypeVar("T")

_STATES = {
    "requires_payment_method": IntentState.AWAITING,
    "requires_confirmation": IntentState.AWAITING,
    "requires_action": IntentState.AWAITING,
    "processing": IntentState.AWAITING,
    "requires_capture": IntentState.AUTHORISED,
    "succeeded": IntentState.CAPTURED,
    "canceled": IntentState.CANCELLED,
}
_PROGRESS = {
    "pending": RefundProgress.PENDING,
    "requires_action": RefundProgress.PENDING,
    "succeeded": RefundProgress.SUCCEEDED,
    "failed": RefundProgress.FAILED,
    "canceled": RefundProgress.FAILED,
}
_REASONS = {
    "resource_missing": RefusalReason.NO_SUCH,
    "payment_intent_unexpected_state": RefusalReason.WRONG_STATE,
    "charge_already_captured": RefusalReason.WRONG_STATE,
    "charge_expired_for_capture": RefusalReason.WRONG_STATE,
    "charge_already_refunded": RefusalReason.NOTHING_LEFT,
    "amount_too_large": RefusalReason.TOO_MUCH,
}


class StripeProvider:
    """`base` "" is the real Stripe. `count` is told each operation with the class of its answer."""

    def __init__(
        self,
        *,
        key: str,
        base: str = "",
        timeout_s: float = TIMEOUT_S,
        count: Callable[[str, str], None] = lambda _operation, _answer: None,
    ) -> None:
        self._transport = StripeTransport(timeout_s=timeout_s)
        self._count = count
        self._client = stripe.StripeClient(
            key,
            base_addresses={"api": base} if base else {},
            http_client=self._transport,
            max_network_retries=0,
            stripe_version=API_VERSION,
        )
        self._intents = self._client.v1.payment_intents
        self._refunds = self._client.v1.refunds

    async def create(self, intent: NewIntent) -> Answer[IntentSeen]:
        """Make a payment; the idempotency key is our id and the attempt."""
        asked = self._intents.create_async(
            {
                "amount": intent.amount_minor,
                "currency": intent.currency.lower(),
                "capture_method": "manual",
                "allowed_payment_method_types": ["card"],
                "metadata": {"payment": str(intent.payment)},
            },
            {"idempotency_key": f"lotgate-payment-{intent.payment}-{intent.attempt}"},
        )
        return await self._asked("create", asked, _intent)

    async def lookup(self, intent: str) -> Answer[IntentSeen]:
        """Retrieve it with its charge, and its refunds where money was taken."""
        return await self._asked("lookup", self._looked_up(intent), lambda seen: seen)

    async def capture(self, intent: str, *, amount_minor: int) -> Answer[IntentSeen]:
        """Take held money."""
        asked = self._intents.capture_async(intent, {"amount_to_capture": amount_minor})
        return await self._asked("capture", asked, _intent)

    async def cancel(self, intent: str) -> Answer[IntentSeen]:
        """Let held money go."""
        return await self._asked("cancel", self._intents.cancel_async(intent), _intent)

    async def refund(self, order: RefundOrder) -> Answer[RefundSeen]:
        """Give money back; the idempotency key is our id."""
        asked = self._refunds.create_async(
            {
                "payment_intent": order.intent,
                "amount": order.amount_minor,
                "metadata": {"refund": str(order.refund)},
            },
            {"idempotency_key": f"lotgate-refund-{order.refund}"},
        )
        return await self._asked("refund", asked, _refund)

    async def close(self) -> None:
        """Close connections."""
        await self._transport.close_async()

    async def _looked_up(self, name: str) -> IntentSeen:
        intent = await self._intents.retrieve_async(name, {"expand": ["latest_charge"]})
        if intent.status != "succeeded":
            return _intent(intent, refunds=())
        return _intent(intent, refunds=await self._refunds_of(name))

    async def _refunds_of(self, intent: str) -> tuple[RefundSeen, ...]:
        """Page by page, up to a bound that no booking comes near."""
        found: list[RefundSeen] = []
        params: RefundListParams = {"payment_intent": intent, "limit": 100}
        while True:
            page = await self._refunds.list_async(params)
            found += [_refund(refund) for refund in page.data]
            if not page.has_more or not page.data or len(found) >= REFUNDS_AT_MOST:
                return tuple(found)
            params["starting_after"] = page.data[-1].id

    async def _asked(
        self, operation: str, call: Awaitable[T], read: Callable[[T], _R]
    ) -> Done[_R] | Refused | Unknown:
        answer: Done[_R] | Refused | Unknown
        try:
            answer = Done(seen=read(await call))
        except stripe.StripeError as error:
            answer = _class_of(error)
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            # What came is no payment as this version of the API has it; it says nothing about what was done.
            answer = Unknown(why=UnknownWhy.STRANGE_ANSWER, detail=repr(error))
        name = answer.reason if isinstance(answer, Refused) else getattr(answer, "why", "done")
        self._count(operation, str(name))
        return answer


_R = TypeVar("_R")


def _class_of(error: stripe.StripeError) -> Refused | Unknown:
    """What an error of the SDK says about the request."""
    detail = f"{error.code or type(error).__name__}: {error.user_message or ''}"
    match error:
        case stripe.CardError():
            return Refused(reason=RefusalReason.DECLINED, detail=detail)
        case stripe.IdempotencyError():
            return Refused(reason=RefusalReason.KEY_REUSED, detail=detail)
        case stripe.InvalidRequestError():
            reason = _REASONS.get(error.code or "", RefusalReason.NOT_UNDERSTOOD)
            return Refused(reason=reason, detail=detail)
        case stripe.AuthenticationError() | stripe.PermissionError():
            return Unknown(why=UnknownWhy.NOT_LET_IN, detail=detail)
        case stripe.APIConnectionError():
            return Unknown(why=UnknownWhy.NO_ANSWER, detail=detail)
        case stripe.RateLimitError():
            return Unknown(why=UnknownWhy.BUSY, detail=detail)
    if error.http_status == 409:
        return Unknown(why=UnknownWhy.BUSY, detail=detail)
    if (error.headers or {}).get("idempotent-replayed") == "true":
        return Unknown(why=UnknownWhy.STORED_FAILURE, detail=detail)
    return Unknown(why=UnknownWhy.PROVIDER_FAILED, detail=detail)


def _intent(intent: stripe.PaymentIntent, *, refunds: tuple[RefundSeen, ...] | None = None) -> IntentSeen:
    return IntentSeen(
        id=intent.id,
        payment=_named(intent.metadata, "payment"),
        state=_STATES[intent.status],
        amount_minor=intent.amount,
        currency=intent.currency.upper(),
        captured_minor=intent.amount_received if intent.status == "succeeded" else 0,
        declined=intent.status == "requires_payment_method" and intent.last_payment_error is not None,
        lapsed=intent.cancellation_reason in ("automatic", "expired"),
        lapses_at=_lapses_at(intent),
        refunds=refunds,
        client_secret=intent.client_secret or "",
    )


def _lapses_at(intent: stripe.PaymentIntent) -> datetime | None:
    charge = intent.latest_charge
    if intent.status != "requires_capture" or not isinstance(charge, stripe.Charge):
        return None
    details = charge.payment_method_details
    before = details.card.capture_before if details is not None and details.card is not None else None
    return None if before is None else datetime.fromtimestamp(before, UTC)


def _refund(refund: stripe.Refund) -> RefundSeen:
    return RefundSeen(
        id=refund.id,
        refund=_named(refund.metadata, "refund"),
        amount_minor=refund.amount,
        progress=_PROGRESS[refund.status or ""],
    )


def _named(metadata: stripe.StripeObject | None, name: str) -> str:
    """One of our own ids, "" where it is not there."""
    return "" if metadata is None else str(metadata.to_dict().get(name, ""))
