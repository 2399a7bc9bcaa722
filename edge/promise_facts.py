"""What the log tells of bookings that give way to cars that stay longer: moved to another spot, or at risk. Next: edge/change.py.

The row of the claim tells where it stands now; these facts tell the centre why, for whom, and that somebody may have to be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from edge.change import fact
from edge.ledger import Ledger
from parking.book import Book
from parking.claims import Claim, ClaimKind, ClaimState
from parking.errors import NoSuchClaim
from parking.ids import ClaimId, StayId
from sync.events import EventDraft, EventKind
from sync.instants import to_us
from sync.participant_news import PassShown

BOOKED = "reservation"
TOLD = "at_risk"


class Risk(StrEnum):
    """Why a booking may not be kept."""

    OVERSTAY = "overstay"
    OVER_COUNT = "over_count"
    PHYSICALLY_FULL = "physically_full"


def rehomed(
    book: Book, claims: Iterable[Claim], *, at: datetime, why: Risk, stay: StayId | None
) -> Sequence[EventDraft]:
    """The bookings among `claims`, rows about to be applied, that stand on another spot in the book now."""
    return [
        fact(
            EventKind.BOOKING_REHOMED,
            to_us(at),
            **_named(claim),
            from_spot=before,
            to_spot=claim.spot,
            why=str(why),
            stay=stay,
        )
        for claim in claims
        if is_booking(claim) and (before := book.spot_of(claim.id)) is not None and before != claim.spot
    ]


def at_risk(
    claims: Iterable[Claim], *, at: datetime, why: Risk, stay: StayId | None = None
) -> Sequence[EventDraft]:
    """The bookings among `claims`, none of which has a place."""
    return [
        fact(EventKind.BOOKING_AT_RISK, to_us(at), **_named(claim), reason=str(why), stay=stay)
        for claim in claims
        if is_booking(claim)
    ]


def found_full(shown: PassShown, claim: ClaimId | None, *, at: datetime) -> EventDraft:
    """A driver with a booking is at the lane, and no place is free of cars."""
    named = {"reservation": shown.id.reservation, "revision": shown.id.revision, "claim": claim}
    why = {"reason": str(Risk.PHYSICALLY_FULL), "stay": None}
    return fact(EventKind.BOOKING_AT_RISK, to_us(at), **named, **why)


def is_booking(claim: Claim) -> bool:
    """Whether the claim is a driver's booking."""
    return claim.kind is ClaimKind.BOOKING and claim.holder_kind == BOOKED


class RisksTold:
    """Which bookings the log has told to be at risk, so that each is told once: remembered in the change that tells it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def new(self, claims: Iterable[Claim]) -> Sequence[Claim]:
        """The firm bookings among `claims` that were not told yet."""
        told = self._told()
        return [
            claim
            for claim in claims
            if is_booking(claim) and claim.state is ClaimState.FIRM and claim.id not in told
        ]

    def remembering(self, claims: Iterable[Claim]) -> Mapping[str, str]:
        """What the ledger is to remember with the change that tells these; what is over is forgotten with it."""
        known = [claim for claim in self._told() if self._stands(claim)]
        return {TOLD: " ".join(dict.fromkeys((*known, *(claim.id for claim in claims))))}

    def _told(self) -> Sequence[ClaimId]:
        return [ClaimId(claim) for claim in str(self._ledger.meta(TOLD) or "").split()]

    def _stands(self, claim: ClaimId) -> bool:
        try:
            return self._ledger.book.claim(claim).state is not ClaimState.RELEASED
        except NoSuchClaim:
            return False


def _named(claim: Claim) -> dict[str, object]:
    return {"reservation": claim.holder_id, "revision": claim.revision, "claim": claim.id}
