"""A stay is one vehicle's time in the lot: a fact. It is recorded, never refused, and promises give way to it.

Theory. A stay is `admitted` when the decision to open was made durable, `inside` when the vehicle passed the entry's
safety loop, `left` when it passed an exit's. An admitted vehicle that never passed becomes `void` (it backed out, or five
minutes went by). A vehicle can leave without having been seen to enter: `admitted → left` is a fact too, and so is a void one that
turns out to be inside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from parking.ids import ClaimId, StayId
from parking.lot import SpotType


class StayState(StrEnum):
    """Where the vehicle is, as far as we know."""

    ADMITTED = "admitted"
    INSIDE = "inside"
    LEFT = "left"
    VOID = "void"


class StayEvent(StrEnum):
    """What can happen to a stay."""

    ENTERED = "entered"
    LEFT = "left"
    VOIDED = "voided"


STAY_TABLE: dict[tuple[StayState, StayEvent], StayState] = {
    (StayState.ADMITTED, StayEvent.ENTERED): StayState.INSIDE,
    (StayState.ADMITTED, StayEvent.LEFT): StayState.LEFT,
    (StayState.ADMITTED, StayEvent.VOIDED): StayState.VOID,
    (StayState.INSIDE, StayEvent.LEFT): StayState.LEFT,
    (StayState.VOID, StayEvent.ENTERED): StayState.INSIDE,
    (StayState.VOID, StayEvent.LEFT): StayState.LEFT,
}


class CredentialKind(StrEnum):
    """What the driver showed or was given."""

    TICKET = "ticket"
    PLATE = "plate"
    PASS = "pass"  # noqa: S105 - a kind of credential, not a secret
    PERMIT = "permit"
    SENSOR = "sensor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What ties a vehicle to its stay. `subject` is the token's subject, or the keyed hash of a plate: never a plate.

    Of a lot without lanes it is the spot whose sensor sees the vehicle (parking/street.py).
    """

    kind: CredentialKind
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One vehicle's time in the lot.

    `claim` is None where no place could be promised (`over_count`). `tariff_version` and `factor_1e4` are the price lock taken at
    entry. `paid_until` is the instant until which an exit opens without a further payment, None where nothing was paid.
    """

    id: StayId
    credential: Credential
    type: SpotType
    state: StayState
    lane: str
    admitted_at: datetime
    entered_at: datetime | None = None
    left_at: datetime | None = None
    claim: ClaimId | None = None
    over_count: bool = False
    tariff_version: str
    factor_1e4: int = 10_000
    paid_until: datetime | None = None
    version: int = 1

    @property
    def is_open(self) -> bool:
        """Whether the vehicle is, or is about to be, in the lot."""
        return self.state in {StayState.ADMITTED, StayState.INSIDE}

    def after(self, event: StayEvent, at: datetime) -> Stay:
        """The next version of this stay once `event` happened at `at`.

        Raises:
            ValueError: the table has no such step.
        """
        state = STAY_TABLE.get((self.state, event))
        if state is None:
            raise ValueError(f"stay {self.id} in state {self.state} cannot be {event}")
        entered_at = at if event is StayEvent.ENTERED else self.entered_at
        left_at = at if event is StayEvent.LEFT else self.left_at
        return replace(self, state=state, entered_at=entered_at, left_at=left_at, version=self.version + 1)

    def paid(self, paid_until: datetime) -> Stay:
        """The next version of this stay with its payment on record."""
        return replace(self, paid_until=paid_until, version=self.version + 1)

    def claimed(self, claim: ClaimId | None) -> Stay:
        """The next version of this stay on another claim; on None it is over the count."""
        return replace(self, claim=claim, over_count=claim is None, version=self.version + 1)
