"""A lot without lanes, a sensored street: there alone a spot's sensor opens and closes stays. The story goes on in edge/street.py.

Theory. Nobody is let in here, so a car is known by the spot that it stands on. A spot that was occupied for `stands_after` (60 s) without
interruption has an anonymous stay; one that was free for `gone_after` (10 s) has none any more: a sensor that flickers, or a car that shunts, makes no
second stay. What is not known changes nothing: an open stay stays open, a wait that was interrupted begins anew. So does every
wait when the agent starts; an open stay is found again by its spot, which is its credential's subject.

A sensor does not know whose car it sees: a booking of the spot is another promise and stands. The stay's claim is on that very spot where nothing is
promised of it for so long as a stay is assumed to last; else the stay is over the count, and what keeps promises (parking/extension.py,
parking/trouble.py) finds it a place in the accounts, or tells of the booking that has none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from parking.admission import NewIds
from parking.availability import SpotState
from parking.book import Book
from parking.claims import Claim, ClaimKind, ClaimState
from parking.ids import SpotId
from parking.interval import Interval
from parking.stays import Credential, CredentialKind, Stay, StayState


class BayPhase(StrEnum):
    """How a spot stands, by its sensor and its stay."""

    EMPTY = "empty"
    ARRIVING = "arriving"
    TAKEN = "taken"
    LEAVING = "leaving"


class BayEvent(StrEnum):
    """What can happen to it: a word of its sensor, the end of a wait, a stay that somebody else closed."""

    OCCUPIED = "occupied"
    FREE = "free"
    UNKNOWN = "unknown"
    LASTED = "lasted"
    CLOSED = "closed"


BAY_TABLE: dict[tuple[BayPhase, BayEvent], BayPhase] = {
    (BayPhase.EMPTY, BayEvent.OCCUPIED): BayPhase.ARRIVING,
    (BayPhase.ARRIVING, BayEvent.FREE): BayPhase.EMPTY,
    (BayPhase.ARRIVING, BayEvent.UNKNOWN): BayPhase.EMPTY,
    (BayPhase.ARRIVING, BayEvent.LASTED): BayPhase.TAKEN,
    (BayPhase.TAKEN, BayEvent.FREE): BayPhase.LEAVING,
    (BayPhase.TAKEN, BayEvent.CLOSED): BayPhase.EMPTY,
    (BayPhase.LEAVING, BayEvent.OCCUPIED): BayPhase.TAKEN,
    (BayPhase.LEAVING, BayEvent.UNKNOWN): BayPhase.TAKEN,
    (BayPhase.LEAVING, BayEvent.LASTED): BayPhase.EMPTY,
    (BayPhase.LEAVING, BayEvent.CLOSED): BayPhase.EMPTY,
}
"""What is not here changes nothing."""

WORDS: dict[str, BayEvent] = {
    SpotState.OCCUPIED: BayEvent.OCCUPIED,
    SpotState.FREE: BayEvent.FREE,
    SpotState.UNKNOWN: BayEvent.UNKNOWN,
}
"""By the state of a spot's row; a word that is not here is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bay:
    """One spot of the street. `since_s` (monotonic seconds) and `since_at` are when its phase began."""

    phase: BayPhase = BayPhase.EMPTY
    since_s: float = 0.0
    since_at: datetime | None = None

    def after(self, event: BayEvent, *, now_s: float, now_at: datetime) -> Bay:
        """The bay once `event` happened; itself where that changes nothing."""
        phase = BAY_TABLE.get((self.phase, event))
        if phase is None:
            return self
        return replace(self, phase=phase, since_s=now_s, since_at=now_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long a word must last, in real seconds."""

    stands_after_s: float
    gone_after_s: float

    def over_s(self, bay: Bay) -> float | None:
        """The monotonic second at which what the bay waits for has lasted; None where it waits for nothing."""
        if bay.phase is BayPhase.ARRIVING:
            return bay.since_s + self.stands_after_s
        if bay.phase is BayPhase.LEAVING:
            return bay.since_s + self.gone_after_s
        return None


def credential_at(spot: SpotId) -> Credential:
    """What the anonymous stay of a spot is known by: the spot."""
    return Credential(kind=CredentialKind.SENSOR, subject=spot)


def claim_on(
    book: Book, spot: SpotId, *, now: datetime, ids: NewIds, clock_known: bool = True
) -> Claim | None:
    """Plan the claim of whoever stands on `spot` from `now`: on that very spot; None where it is the other tier's or something is promised
    of it meanwhile. With the clock unknown it has no end. Apply it.

    Raises:
        NoSuchSpot: not of this lot.
    """
    window = Interval(now, now + book.policy.assumed_stay if clock_known else None)
    if book.owner(spot) is not book.tier or book.claims_on(spot, window):
        return None
    return Claim(
        id=ids.claim,
        spot=spot,
        type=book.type_of(spot),
        window=window,
        kind=ClaimKind.WALK_IN,
        holder_kind="stay",
        holder_id=ids.stay,
        state=ClaimState.FIRM,
        sold_by=book.tier,
        epoch=ids.epoch,
        revision=1,
    )


def stay_on(
    book: Book, spot: SpotId, claim: Claim | None, *, since_at: datetime, ids: NewIds, tariff_version: str
) -> Stay:
    """The anonymous stay of a car that stands on `spot` since `since_at`, over the count where it has no `claim`."""
    return Stay(
        id=ids.stay,
        credential=credential_at(spot),
        type=book.type_of(spot),
        state=StayState.INSIDE,
        lane="",
        admitted_at=since_at,
        entered_at=since_at,
        claim=None if claim is None else claim.id,
        over_count=claim is None,
        tariff_version=tariff_version,
    )
