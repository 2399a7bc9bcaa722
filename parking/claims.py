"""A claim is a promise of a place for a window: it can be refused, moved and released, and promises never overlap.

Theory. A claim begins `held` (promised, but a decision is still to come) or `firm` (sold). `held` becomes `firm` only by
the coordinator's decision or by a pass. `released` never returns. Every change carries a higher version; a store applies a row
only where its version is higher, so that a late `held` never undoes a `firm`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from parking.ids import ClaimId, SpotId
from parking.interval import Interval
from parking.lot import SpotType, Tier


class ClaimKind(StrEnum):
    """Why the place is promised."""

    BOOKING = "booking"
    WALK_IN = "walk_in"
    PERMIT = "permit"
    BLOCK = "block"
    BURN = "burn"


class ClaimState(StrEnum):
    """How far the promise has come."""

    HELD = "held"
    FIRM = "firm"
    RELEASED = "released"


CLAIM_TABLE: dict[ClaimState, frozenset[ClaimState]] = {
    ClaimState.HELD: frozenset({ClaimState.FIRM, ClaimState.RELEASED}),
    ClaimState.FIRM: frozenset({ClaimState.RELEASED}),
    ClaimState.RELEASED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One promise. `spot` is None only while a re-pack has it off its spot, and for a clashing fact without a place.

    `holder` names whom the promise is for: ("stay", id), ("reservation", id), ("permit", id) or ("system", reason).
    `clashing` marks a firm claim that arrived as a fact against another one: recorded, outside the rule of no overlap.
    """

    id: ClaimId
    spot: SpotId | None
    type: SpotType
    window: Interval
    kind: ClaimKind
    holder_kind: str
    holder_id: str
    state: ClaimState
    sold_by: Tier
    epoch: int
    revision: int = 1
    version: int = 1
    clashing: bool = False

    @property
    def binds(self) -> bool:
        """Whether this claim keeps others off its spot."""
        return self.state is not ClaimState.RELEASED and not self.clashing and self.spot is not None

    def moved_to(self, state: ClaimState) -> Claim:
        """The next version of this claim in `state`.

        Raises:
            ValueError: the table has no such step.
        """
        if state not in CLAIM_TABLE[self.state]:
            raise ValueError(f"claim {self.id} cannot go from {self.state} to {state}")
        return replace(self, state=state, version=self.version + 1)

    def with_window(self, window: Interval) -> Claim:
        """The next version of this claim over another window."""
        return replace(self, window=window, version=self.version + 1)

    def on_spot(self, spot: SpotId | None) -> Claim:
        """The next version of this claim on another spot of the lot."""
        return replace(self, spot=spot, version=self.version + 1)
