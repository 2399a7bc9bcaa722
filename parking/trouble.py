"""Bookings about to begin for which the cars inside leave no place: who is to be told before the driver comes.

Theory. A stay without a claim stands on no spot of the accounts, but its car stands on one of the lot. So shortly before a booking starts the
places of its type are counted once more: where the claims running then and the claimless stays are more than the places there are, whoever
begins last is in trouble. A better type with room is a new home; who finds none is at risk. A promise between its vote and its decision
is left alone: the lot gave its word on that very spot.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from parking.book import Book
from parking.claims import Claim, ClaimKind, ClaimState
from parking.lot import SpotType


def in_trouble(book: Book, *, now: datetime) -> Sequence[Claim]:
    """The firm bookings on this tier's spots that begin within `trouble_ahead`, or have begun, and find too many cars inside."""
    return [claim for spot_type in book.types() for claim in _of_type(book, spot_type, now)]


def better_home(book: Book, claim: Claim, *, now: datetime) -> Claim | None:
    """Plan the row of `claim` on a spot of a better type that has room for one more; None where there is none. Apply it."""
    if book.is_pinned(claim):
        return None
    for spot_type in book.policy.better_types.get(claim.type, ()):
        shelf = book.shelf(spot_type, book.tier, now)
        spot = shelf.best_fit(shelf.guard(claim.window))
        if spot is not None and book.sellable(spot_type, claim.window, now=now):
            return claim.on_spot(spot)
    return None


def _of_type(book: Book, spot_type: SpotType, now: datetime) -> Sequence[Claim]:
    claimless = book.claimless(spot_type)
    if not claimless:
        return ()
    room = book.owned(spot_type) - claimless
    troubled: list[Claim] = []
    soon = _soon(book, spot_type, now)
    for order, claim in enumerate(soon):
        at = max(now, claim.window.starts_at)
        behind = sum(other.window.starts_at <= at for other in soon[order + 1 :])
        without = sum(other.window.contains(at) for other in troubled)
        if book.running(spot_type, at) - behind - without > room:
            troubled.append(claim)
    return troubled


def _soon(book: Book, spot_type: SpotType, now: datetime) -> Sequence[Claim]:
    """Bookings of nobody inside, in the order in which they begin."""
    until = now + book.policy.trouble_ahead
    spots = set(book.shelf(spot_type, book.tier, now).spots)
    soon = [
        claim
        for claim in book.claims()
        if claim.kind is ClaimKind.BOOKING
        and claim.state is ClaimState.FIRM
        and claim.spot in spots
        and claim.window.starts_at <= until
        and (claim.window.ends_at is None or claim.window.ends_at > now)
        and not book.has_stay(claim.id)
    ]
    return sorted(soon, key=lambda claim: (claim.window.starts_at, claim.id))
