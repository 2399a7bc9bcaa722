"""The provider's objects and how Stripe writes them: payment intents, their charge, and refunds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class IntentStatus(StrEnum):
    """How far a payment intent is."""

    NO_METHOD = "requires_payment_method"
    UNCONFIRMED = "requires_confirmation"
    AUTHENTICATING = "requires_action"
    HELD = "requires_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


@dataclass(slots=True, kw_only=True)
class Charge:
    """Money held or taken. `capture_before` ends the hold."""

    id: str
    amount: int
    created_at: datetime
    capture_before: datetime | None
    captured: int = 0
    refunded: int = 0


@dataclass(slots=True, kw_only=True)
class Refund:
    """Money given back, or on its way."""

    id: str
    intent: str
    charge: str
    amount: int
    currency: str
    created_at: datetime
    metadata: dict[str, str]
    reason: str | None = None
    status: str = "succeeded"

    def as_json(self) -> dict[str, object]:
        """As Stripe writes it."""
        return {
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "charge": self.charge,
            "created": int(self.created_at.timestamp()),
            "currency": self.currency,
            "metadata": dict(self.metadata),
            "payment_intent": self.intent,
            "reason": self.reason,
            "status": self.status,
        }


@dataclass(slots=True, kw_only=True)
class Intent:
    """One payment. `history` tells each change, for comparison with what others believe."""

    id: str
    amount: int
    currency: str
    created_at: datetime
    client_secret: str
    capture_method: str
    metadata: dict[str, str]
    description: str | None = None
    payment_method: str | None = None
    status: IntentStatus = IntentStatus.NO_METHOD
    charge: Charge | None = None
    last_error: dict[str, object] | None = None
    cancellation_reason: str | None = None
    canceled_at: datetime | None = None
    refunds: list[Refund] = field(default_factory=list)
    history: list[dict[str, object]] = field(default_factory=list)

    @property
    def received(self) -> int:
        """Money taken, in minor units."""
        return self.charge.captured if self.charge is not None else 0

    @property
    def refunded(self) -> int:
        """Money given back, in minor units."""
        return self.charge.refunded if self.charge is not None else 0

    @property
    def refundable(self) -> int:
        """What may still be given back."""
        return self.received - self.refunded

    def as_json(self, *, expand_charge: bool = False) -> dict[str, object]:
        """As Stripe writes it; the charge as its id, or whole."""
        charge: object = None
        if self.charge is not None:
            charge = self.charge_as_json() if expand_charge else self.charge.id
        held = self.charge.amount if self.charge is not None and self.status is IntentStatus.HELD else 0
        asks = self.status is IntentStatus.AUTHENTICATING
        return {
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": held,
            "amount_received": self.received,
            "canceled_at": None if self.canceled_at is None else int(self.canceled_at.timestamp()),
            "cancellation_reason": self.cancellation_reason,
            "capture_method": self.capture_method,
            "client_secret": self.client_secret,
            "confirmation_method": "automatic",
            "created": int(self.created_at.timestamp()),
            "currency": self.currency,
            "description": self.description,
            "last_payment_error": self.last_error,
            "latest_charge": charge,
            "livemode": False,
            "metadata": dict(self.metadata),
            "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {}} if asks else None,
            "payment_method": self.payment_method,
            "payment_method_types": ["card"],
            "status": str(self.status),
        }

    def charge_as_json(self) -> dict[str, object]:
        """The charge, whole."""
        charge = self.charge
        if charge is None:
            return {}
        before = None if charge.capture_before is None else int(charge.capture_before.timestamp())
        return {
            "id": charge.id,
            "object": "charge",
            "amount": charge.amount,
            "amount_captured": charge.captured,
            "amount_refunded": charge.refunded,
            "captured": charge.captured > 0,
            "created": int(charge.created_at.timestamp()),
            "currency": self.currency,
            "livemode": False,
            "metadata": dict(self.metadata),
            "payment_intent": self.id,
            "payment_method_details": {"type": "card", "card": {"capture_before": before}},
            "refunded": 0 < charge.captured == charge.refunded,
            "status": "succeeded",
        }
