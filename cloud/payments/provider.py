"""The payment provider as we use it: a port, with answers that say what is known. Next in its story: cloud/payments/stripe_provider.

An answer is `Done` (it is so, here is what stands there), `Refused` (it was not done, and why), or `Unknown`: nothing may be concluded. An
unknown one is resolved by `lookup`, never by asking again; only `create` left no id to look by, and is repeated as it was.
Implementations never repeat by themselves and wait no longer than their time-out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, Protocol, TypeVar
from uuid import UUID

T = TypeVar("T")


class RefusalReason(StrEnum):
    """Why the provider did not do it. Whoever reads one may rely on it: nothing was done."""

    DECLINED = "declined"
    WRONG_STATE = "wrong_state"
    NO_SUCH = "no_such"
    NOTHING_LEFT = "nothing_left"
    TOO_MUCH = "too_much"
    KEY_REUSED = "key_reused"
    NOT_UNDERSTOOD = "not_understood"
    NOT_CONFIGURED = "not_configured"


class UnknownWhy(StrEnum):
    """Why nothing is known. `STORED_FAILURE`: the provider keeps its own failure under this idempotency key and will only repeat it.

    `NOT_LET_IN` is about our key: it was not done, and says nothing about the payment.
    """

    NO_ANSWER = "no_answer"
    PROVIDER_FAILED = "provider_failed"
    STORED_FAILURE = "stored_failure"
    BUSY = "busy"
    NOT_LET_IN = "not_let_in"
    STRANGE_ANSWER = "strange_answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Generic[T]):
    """It is so."""

    seen: T


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """It was not done. `detail` is the provider's sentence, for people."""

    reason: RefusalReason
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """It may have been done or not."""

    why: UnknownWhy
    detail: str = ""


Answer = Done[T] | Refused | Unknown


class IntentState(StrEnum):
    """How far a payment is at the provider. AWAITING: no money is held, whatever the driver is doing."""

    AWAITING = "awaiting"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    CANCELLED = "cancelled"


class RefundProgress(StrEnum):
    """How far a refund is at the provider."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSeen:
    """A refund as the provider has it. `refund` is our own id, "" where it was not we who made it."""

    id: str
    refund: str
    amount_minor: int
    progress: RefundProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentSeen:
    """A payment as the provider has it. `payment` is our own id.

    `lapses_at` ends the hold. `declined`: the last card was. `lapsed`: the provider itself let the hold go. `refunds` is None where
    they were not looked at: only `lookup` does. `client_secret` lets the driver's browser pay; it is handed on and never stored.
    """

    id: str
    payment: str
    state: IntentState
    amount_minor: int
    currency: str
    captured_minor: int = 0
    declined: bool = False
    lapsed: bool = False
    lapses_at: datetime | None = None
    refunds: tuple[RefundSeen, ...] | None = None
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIntent:
    """A payment to be created. `attempt` grows only where the provider keeps a failure of its own under the last one's key."""

    payment: UUID
    amount_minor: int
    currency: str
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """Money to be given back, under our own id: the same id is the same refund, two ids are two."""

    refund: UUID
    intent: str
    amount_minor: int


class PaymentProvider(Protocol):
    """Everything but `create` goes by the id that `create` gave."""

    async def create(self, intent: NewIntent) -> Answer[IntentSeen]:
        """Make a payment for the driver to confirm; it will hold the money and take none. The same `intent` gives the same payment."""
        ...

    async def lookup(self, intent: str) -> Answer[IntentSeen]:
        """How it stands, refunds included. Changes nothing."""
        ...

    async def capture(self, intent: str, *, amount_minor: int) -> Answer[IntentSeen]:
        """Take held money."""
        ...

    async def cancel(self, intent: str) -> Answer[IntentSeen]:
        """Let held money go; no money can be held on it any more."""
        ...

    async def refund(self, order: RefundOrder) -> Answer[RefundSeen]:
        """Give taken money back."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class NoProvider:
    """What stands in where no provider is configured: it refuses everything."""

    _refused = Refused(
        reason=RefusalReason.NOT_CONFIGURED, detail="no payment provider: set LOTGATE_CLOUD_STRIPE_KEY"
    )

    async def create(self, intent: NewIntent) -> Answer[IntentSeen]:
        """Refuse."""
        del intent
        return self._refused

    async def lookup(self, intent: str) -> Answer[IntentSeen]:
        """Refuse."""
        del intent
        return self._refused

    async def capture(self, intent: str, *, amount_minor: int) -> Answer[IntentSeen]:
        """Refuse."""
        del intent, amount_minor
        return self._refused

    async def cancel(self, intent: str) -> Answer[IntentSeen]:
        """Refuse."""
        del intent
        return self._refused

    async def refund(self, order: RefundOrder) -> Answer[RefundSeen]:
        """Refuse."""
        del order
        return self._refused

    async def close(self) -> None:
        """Nothing is open."""
