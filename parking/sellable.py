"""How many places of a type may still be sold for a window.

    sellable(type, window) = spots − spare_spots − max over the window of (claims + stays without a claim)

per owner (domain: what is sold); spare spots and claimless stays count on the edge's side. A sale keeps `turnover_buffer` to the
claims before and after it, so the window counted is the `guarded` one. *Sellable now* is that for [now, now + assumed_stay): the
number a sign shows. It changes with the claims, and by itself at two kinds of instants: when the next claim ends, and
when the next claim's start comes within `assumed_stay + turnover_buffer`. The earlier of them is `holds_until`.

A `Tally` keeps the starts and ends of one type's and owner's claims in two sorted lists. The depth of claims rises only
at a start, so the maximum over a window is found at its beginning or at a start inside it: bisect, then a walk over
the window's own starts and ends. No spot is looked at.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from datetime import datetime, timedelta

from parking.conflicts import FOREVER, end_of
from parking.interval import Interval
from parking.lot import LotPolicy

RESOLUTION = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SellableNow:
    """How many places may be sold to cars that come now; true at every instant before `holds_until`, while no claim changes.

    `count` is within 0 … `total`, always. `holds_until` None: nothing to come changes it.
    """

    count: int
    total: int
    holds_until: datetime | None


class Tally:
    """The claims of one type and owner, as instants at which one more and one fewer is running."""

    __slots__ = ("_ends", "_starts", "spots")

    def __init__(self) -> None:
        self.spots = 0
        self._starts: list[datetime] = []
        self._ends: list[datetime] = []

    def add(self, window: Interval) -> None:
        """Count a claim over `window`."""
        insort(self._starts, window.starts_at)
        insort(self._ends, end_of(window))

    def discard(self, window: Interval) -> None:
        """Count it no longer. It must have been added."""
        del self._starts[bisect_left(self._starts, window.starts_at)]
        del self._ends[bisect_left(self._ends, end_of(window))]

    def deepest(self, window: Interval) -> int:
        """The greatest number of claims running at one instant of `window`."""
        starts, ends = self._starts, self._ends
        begun = bisect_right(starts, window.starts_at)
        over = bisect_right(ends, window.starts_at)
        depth = deepest = begun - over
        for at in range(begun, bisect_left(starts, end_of(window), begun)):
            start = starts[at]
            depth += 1
            while ends[over] <= start:
                over += 1
                depth -= 1
            deepest = max(deepest, depth)
        return deepest

    def running(self, at: datetime) -> int:
        """How many claims run at one instant."""
        return bisect_right(self._starts, at) - bisect_right(self._ends, at)

    def next_end(self, after: datetime) -> datetime | None:
        """The first instant after `after` at which a claim ends."""
        at = bisect_right(self._ends, after)
        return self._ends[at] if at < len(self._ends) and self._ends[at] != FOREVER else None

    def next_start(self, not_before: datetime) -> datetime | None:
        """The first instant at or after `not_before` at which a claim starts."""
        at = bisect_left(self._starts, not_before)
        return self._starts[at] if at < len(self._starts) else None


def sellable(tally: Tally, window: Interval, *, taken: int) -> int:
    """Places for sale over an already guarded `window`, `taken` being spare spots and claimless stays. Within 0 … spots."""
    return min(tally.spots, max(0, tally.spots - taken - tally.deepest(window)))


def sellable_now(tally: Tally, now: datetime, *, taken: int, policy: LotPolicy) -> SellableNow:
    """*Sellable now* with the instant until which it holds."""
    ahead = policy.assumed_stay + policy.turnover_buffer
    start = tally.next_start(now + ahead)
    # A start exactly at the window's edge is outside at `now` and inside one tick later.
    nears_at = None if start is None else max(start - ahead, now + RESOLUTION)
    changes = [at for at in (tally.next_end(now), nears_at) if at is not None]
    return SellableNow(
        count=sellable(tally, Interval(now, now + ahead), taken=taken),
        total=tally.spots,
        holds_until=min(changes, default=None),
    )
