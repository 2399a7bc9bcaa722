"""A booking that comes a little before its window, and whether its promise may begin now.

Theory. Before its window a booking is a sale like any other: only what is sellable until then. On a spot of this tier the window grows
backwards, or the promise goes to another spot that is free for all of it. On a spot of the other tier this one grants nothing, since
that tier may be selling those very minutes: the promise comes over to a spot of ours. The row is a plan: apply it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from parking.book import Book
from parking.claims import Claim
from parking.ids import ClaimId
from parking.interval import Interval


def start_early(book: Book, claim: ClaimId, *, now: datetime) -> Claim | None:
    """Plan a promise that begins at `now` already: the row with its new window, on its spot or on another one free for all of it.

    None where nothing is sellable until the window begins, or no spot is free for that long.

    Raises:
        NoSuchClaim: unknown.
    """
    known = book.claim(claim)
    if not known.binds or known.spot is None or now >= known.window.starts_at:
        return None
    until_then = Interval(now, known.window.starts_at)
    wider = known.with_window(Interval(now, known.window.ends_at))
    if book.owner(known.spot) is not book.tier:
        return _brought_over(book, wider, now)
    if not book.left(book.type_of(known.spot), until_then):
        return None
    if not book.claims_on(known.spot, until_then):
        return wider
    if book.is_pinned(known):
        return None
    shelf = book.shelf(known.type, book.tier, now)
    spot = shelf.best_fit(shelf.guard(wider.window))
    return None if spot is None else replace(wider, spot=spot)


def _brought_over(book: Book, wider: Claim, now: datetime) -> Claim | None:
    """On a spot of this tier for all of the window, where the count allows one more for that long."""
    if book.is_pinned(wider) or not book.sellable(wider.type, wider.window, now=now):
        return None
    shelf = book.shelf(wider.type, book.tier, now)
    spot = shelf.best_fit(shelf.guard(wider.window))
    return None if spot is None else replace(wider, spot=spot)
