"""Which spot a claim goes on: the best fit, and where none is free, a re-pack of claims that may move.

Best fit: of the spots free for the whole window the one that already carries a promise, and among those the one with the tightest gap,
so that the others stay free for long windows and for transfers.

Re-pack, in two attempts of rising cost:

1. *swap*: clear one spot of the claims in the way, each onto another spot that is free for it;
2. *cascade*: walk through time from the window's start. It takes the spot that is free then and whose own claims are furthest away; those in
   its way are displaced and, each at its own start, do the same. Where no pin lies ahead a free spot is always found (no instant has more
   claims than spots, so intervals colour perfectly); a pin may defeat it, which the caller names WOULD_NOT_PACK.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush

from parking.claims import Claim
from parking.conflicts import FOREVER, LONG_AGO, SpotTimeline, end_of
from parking.ids import ClaimId, SpotId
from parking.interval import Interval, guarded

SWAPS_TRIED = 12
MOVED_WITH_BUFFERS = 20
MOVED_AT_MOST = 200
"""Every claim moved is a row and an event of one transaction, while a driver waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """`spot` for the claim asked for, once every claim of `moves` stands on its new spot."""

    spot: SpotId
    moves: tuple[tuple[Claim, SpotId], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The spots that may be used, in order of preference among equals, and what stands on them."""

    spots: Sequence[SpotId]
    lines: dict[SpotId, SpotTimeline]
    may_move: Callable[[Claim], bool]
    buffer: timedelta
    now: datetime

    def best_fit(self, window: Interval, *, but: Iterable[SpotId] = ()) -> SpotId | None:
        """The best spot free for all of `window`; None where there is none."""
        excluded = set(but)
        best: SpotId | None = None
        best_rank: tuple[bool, timedelta] | None = None
        for spot in self.spots:
            line = self.lines[spot]
            gap = line.gap(window)
            if gap is None or spot in excluded:
                continue
            rank = (not line.carries_any(self.now), _room(gap.since, gap.until, self.now))
            if best_rank is None or rank < best_rank:
                best, best_rank = spot, rank
        return best

    def re_pack(self, window: Interval, *, close: bool = False) -> Packing | None:
        """A spot for `window` (not guarded) after moving other claims; None where none was found. `close`: without turnover time if need be."""
        return self.swap(self.guard(window)) or self.cascade(window, close=close)

    def swap(self, window: Interval, *, but: SpotId | None = None) -> Packing | None:
        """Clear one spot, not `but`, of the claims in the way."""
        in_the_way: list[tuple[int, int, SpotId, Sequence[Claim]]] = []
        for order, spot in enumerate(self.spots):
            claims = self.lines[spot].overlapping(window)
            if claims and spot != but and all(self.may_move(claim) for claim in claims):
                in_the_way.append((len(claims), order, spot, claims))
        for _, _, spot, claims in sorted(in_the_way)[:SWAPS_TRIED]:
            moves = self.elsewhere(claims, but=spot)
            if moves is not None:
                return Packing(spot=spot, moves=moves)
        return None

    def elsewhere(self, claims: Iterable[Claim], *, but: SpotId) -> tuple[tuple[Claim, SpotId], ...] | None:
        """Another spot for each of `claims`, which stand on `but` one after the other; None where one finds none."""
        moves = []
        for claim in claims:
            spot = self.best_fit(self.guard(claim.window), but=[but])
            if spot is None:
                return None
            moves.append((claim, spot))
        return tuple(moves)

    def guard(self, window: Interval) -> Interval:
        """`window` with the turnover buffer after it and, where it lies ahead, before it."""
        return guarded(window, self.buffer, self.now)

    def cascade(self, window: Interval, *, close: bool = False) -> Packing | None:
        """Put the window on a spot and let what it displaces displace others; with every buffer kept, then with its own alone, `close` with none."""
        guard = self.guard(window)
        packing = _Cascade(self, self.buffer, MOVED_WITH_BUFFERS).pack(window, guard)
        packing = packing or _Cascade(self, timedelta(0), MOVED_AT_MOST).pack(window, guard)
        if packing is None and close:
            return _Cascade(self, timedelta(0), MOVED_AT_MOST).pack(window, window)
        return packing


class _Cascade:
    """One walk through time. `away` left its spot; `taken` is until when a spot is used by what was displaced onto it."""

    def __init__(self, shelf: Shelf, buffer: timedelta, at_most: int) -> None:
        self.shelf = shelf
        self.buffer = buffer
        self.at_most = at_most
        self.away: set[ClaimId] = set()
        self.taken: dict[SpotId, datetime] = {}
        self.displaced: list[tuple[datetime, ClaimId, Claim]] = []

    def pack(self, window: Interval, kept_free: Interval) -> Packing | None:
        """The spot that `kept_free`, the window with what is kept free around it, finds, and the moves that clear it; None where one of them
        finds no spot, or they are too many.
        """
        target = self.place(kept_free, window.starts_at if self.buffer else kept_free.starts_at)
        moves: list[tuple[Claim, SpotId]] = []
        while target is not None and self.displaced:
            _, _, claim = heappop(self.displaced)
            kept_free = self.shelf.guard(claim.window) if self.buffer else claim.window
            spot = self.place(kept_free, claim.window.starts_at)
            if spot is None or len(moves) == self.at_most:
                return None
            moves.append((claim, spot))
        return None if target is None else Packing(spot=target, moves=tuple(moves))

    def place(self, kept_free: Interval, starts_at: datetime) -> SpotId | None:
        """Take the spot that is free at `starts_at` and whose own claims are furthest away; those in the way are displaced."""
        best: SpotId | None = None
        best_met: Sequence[Claim] = ()
        undisturbed_until = LONG_AGO
        for spot in self.shelf.spots:
            if self.taken.get(spot, LONG_AGO) > kept_free.starts_at:
                continue
            met = self.met(spot, kept_free)
            first_at = met[0].window.starts_at if met else FOREVER
            if first_at > starts_at and first_at > undisturbed_until and all(map(self.shelf.may_move, met)):
                best, best_met, undisturbed_until = spot, met, first_at
        if best is not None:
            self.taken[best] = end_of(kept_free)
            self.away.update(claim.id for claim in best_met)
            for claim in best_met:
                heappush(self.displaced, (claim.window.starts_at, claim.id, claim))
        return best

    def met(self, spot: SpotId, kept_free: Interval) -> Sequence[Claim]:
        """What still stands on `spot` in that time."""
        standing = self.shelf.lines[spot].overlapping(kept_free)
        return [claim for claim in standing if claim.id not in self.away] if standing else standing


def _room(since: datetime, until: datetime, now: datetime) -> timedelta:
    """How much free time a gap has, the past not counted."""
    return until - max(since, now) if since < until else timedelta(0)
