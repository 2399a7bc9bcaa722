"""Money owed for a stay, and how it was paid. Captured less refunded never exceeds what was demanded; one capture per demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from parking.ids import DemandId, PaymentId, StayId


class PaymentState(StrEnum):
    """How far a payment has come. `pending` is on record before anybody is asked for money."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"


PAYMENT_TABLE: dict[PaymentState, frozenset[PaymentState]] = {
    PaymentState.PENDING: frozenset({PaymentState.COMPLETED, PaymentState.FAILED}),
    PaymentState.COMPLETED: frozenset(),
    PaymentState.FAILED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a stay owes from `from_at` to `to_at`, with the lines that add up to it (each as the tariff's price gave it)."""

    id: DemandId
    stay: StayId
    amount_minor: int
    currency: str
    from_at: datetime
    to_at: datetime
    lines: tuple[Mapping[str, object], ...]
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One attempt to settle a demand. `reference` is the terminal's or provider's own id; no card data is kept."""

    id: PaymentId
    demand: DemandId
    amount_minor: int
    currency: str
    state: PaymentState
    terminal: str
    reference: str | None = None
    changed_at: datetime
    version: int = 1

    def moved_to(self, state: PaymentState, *, at: datetime, reference: str | None = None) -> Payment:
        """The next version of this payment in `state`.

        Raises:
            ValueError: the table has no such step.
        """
        if state not in PAYMENT_TABLE[self.state]:
            raise ValueError(f"payment {self.id} cannot go from {self.state} to {state}")
        return replace(
            self, state=state, changed_at=at, reference=reference or self.reference, version=self.version + 1
        )
