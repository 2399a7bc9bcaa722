"""What is promised of one spot: its claims in the order of time.

Claims of one spot never overlap, so sorted by start they are sorted by end too. Two sorted lists of instants and `bisect` then
answer "is it free?" in O(log n); putting one in is a bisect and a memmove. A claim without end ends at `FOREVER`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from parking.claims import Claim
from parking.errors import ClaimsOverlap, NoSuchClaim
from parking.interval import Interval

LONG_AGO = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)


def end_of(window: Interval) -> datetime:
    """When `window` ends; `FOREVER` where no end is known."""
    return FOREVER if window.ends_at is None else window.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The free time around a window: since the claim before it ended, until the claim after it starts."""

    since: datetime
    until: datetime


class SpotTimeline:
    """The binding claims of one spot."""

    __slots__ = ("_claims", "_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[datetime] = []
        self._ends: list[datetime] = []
        self._claims: list[Claim] = []

    def __len__(self) -> int:
        return len(self._claims)

    def __iter__(self) -> Iterator[Claim]:
        return iter(self._claims)

    def overlapping(self, window: Interval) -> Sequence[Claim]:
        """The claims that overlap `window`, in the order of time."""
        first = bisect_right(self._ends, window.starts_at)
        return self._claims[first : bisect_left(self._starts, end_of(window), first)]

    def is_free(self, window: Interval) -> bool:
        """Whether no claim overlaps `window`."""
        first = bisect_right(self._ends, window.starts_at)
        return first == len(self._starts) or self._starts[first] >= end_of(window)

    def gap(self, window: Interval) -> Gap | None:
        """The free time that holds all of `window`; None where a claim overlaps it."""
        first = bisect_right(self._ends, window.starts_at)
        until = self._starts[first] if first < len(self._starts) else FOREVER
        if until < end_of(window):
            return None
        return Gap(since=self._ends[first - 1] if first else LONG_AGO, until=until)

    def carries_any(self, after: datetime) -> bool:
        """Whether a claim here ends after `after`."""
        return bool(self._ends) and self._ends[-1] > after

    def insert(self, claim: Claim) -> None:
        """Put `claim` on this spot.

        Raises:
            ClaimsOverlap: another claim of this spot overlaps its window; nothing changed.
        """
        at = bisect_right(self._ends, claim.window.starts_at)
        ends_at = end_of(claim.window)
        if at < len(self._starts) and self._starts[at] < ends_at:
            raise ClaimsOverlap(str(claim.spot), claim.id, self._claims[at].id)
        self._starts.insert(at, claim.window.starts_at)
        self._ends.insert(at, ends_at)
        self._claims.insert(at, claim)

    def remove(self, claim: Claim) -> None:
        """Take `claim` off this spot.

        Raises:
            NoSuchClaim: it is not on this spot over this window.
        """
        at = bisect_left(self._starts, claim.window.starts_at)
        if at == len(self._claims) or self._claims[at].id != claim.id:
            raise NoSuchClaim(claim.id)
        del self._starts[at], self._ends[at], self._claims[at]

    def replace(self, old: Claim, new: Claim) -> None:
        """Put `new` where `old` was: another window, or another state.

        Raises:
            NoSuchClaim: `old` is not here.
            ClaimsOverlap: `new` does not fit; `old` is still here.
        """
        self.remove(old)
        try:
            self.insert(new)
        except ClaimsOverlap:
            self.insert(old)
            raise
