"""Which spot a claim goes on: the best fit, and where none is free, a re-pack of claims that may move.

Best fit: of the spots free for the whole window the one that already carries a promise, and among those the one with the tightest gap,
so that the others stay free for long windows and for transfers.

Re-pack, in two attempts of rising cost:

1. *swap*: clear one spot of the claims in the way, each onto another spot that is free for it;
2. *sweep*: take off all claims that may move and start in the window's reach, then put everything back in the order of starts,
   each on the spot whose free time ends soonest. Where nothing is pinned but what is running at the window's start this is optimal
   (intervals colour perfectly); pins to come may defeat it, which the caller names WOULD_NOT_PACK.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heapify, heapreplace

from parking.claims import Claim
from parking.conflicts import FOREVER, LONG_AGO, SpotTimeline, end_of
from parking.ids import SpotId
from parking.interval import Interval, guarded

SWAPS_TRIED = 12
SWEPT_AT_MOST = 2_000
"""A sweep over more claims than this would keep a lane waiting."""


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

    def re_pack(self, window: Interval) -> Packing | None:
        """A spot for `window` (not guarded) after moving other claims; None where none was found."""
        return self.swap(self.guard(window)) or self.sweep(window)

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

    def sweep(self, window: Interval) -> Packing | None:
        """Put things back in the order of starts: first what is in the window, then all that lies ahead; with every buffer kept,
        then with those around `window` alone.
        """
        for everything in (False, True):
            for buffer in (self.buffer, timedelta(0)):
                packing = self._sweep(window, everything, buffer)
                if packing is not None:
                    return packing
        return None

    def _sweep(self, window: Interval, everything: bool, buffer: timedelta) -> Packing | None:
        kept_free = self.guard(window)
        asked_from = window.starts_at if buffer else kept_free.starts_at
        loose: list[_Loose] = [(asked_from, end_of(kept_free), None)]
        rows: list[_Row] = []
        ahead = Interval(min(self.now, window.starts_at), None)
        for spot in self.spots:
            row = _Row(spot)
            for claim in self.lines[spot].overlapping(ahead):
                starts_at, ends_at = claim.window.starts_at, later(end_of(claim.window), buffer)
                in_reach = starts_at > self.now and (everything or claim.window.overlaps(kept_free))
                if in_reach and self.may_move(claim):
                    loose.append((starts_at, ends_at, claim))
                else:
                    row.fix(starts_at, ends_at)
            rows.append(row)
        if len(loose) > SWEPT_AT_MOST:
            return None
        loose.sort(key=lambda item: (item[0], item[1]))
        return _placed(loose, rows)


def later(instant: datetime, by: timedelta) -> datetime:
    """`instant + by`, where `FOREVER` stays what it is."""
    return instant if instant == FOREVER else instant + by


_Loose = tuple[datetime, datetime, Claim | None]
"""From, until, and the claim to place; None for the one that is asked for."""


class _Row:
    """One spot in a sweep: free from `since` until `until`, when the next fixed claim starts."""

    __slots__ = ("fixed", "since", "spot", "until")

    def __init__(self, spot: SpotId) -> None:
        self.spot = spot
        self.fixed: list[tuple[datetime, datetime]] = []
        self.since = LONG_AGO
        self.until = FOREVER

    def fix(self, starts_at: datetime, ends_at: datetime) -> None:
        """A claim that stays where it is; given in the order of time. An earlier one's buffer gives way to it."""
        if self.fixed and self.fixed[-1][1] > starts_at:
            self.fixed[-1] = (self.fixed[-1][0], starts_at)
        self.fixed.append((starts_at, ends_at))

    def advance(self) -> None:
        """Past the next fixed claim."""
        self.since = self.fixed.pop(0)[1]
        self.until = self.fixed[0][0] if self.fixed else FOREVER


def _placed(loose: list[_Loose], rows: list[_Row]) -> Packing | None:
    """Each loose claim on the row whose free time ends soonest, its own spot among equals."""
    for row in rows:
        row.until = row.fixed[0][0] if row.fixed else FOREVER
    coming = [(row.until, at) for at, row in enumerate(rows)]
    heapify(coming)
    moves: list[tuple[Claim, SpotId]] = []
    target: SpotId | None = None
    for starts_at, ends_at, claim in loose:
        while coming[0][0] <= starts_at:
            row = rows[coming[0][1]]
            row.advance()
            heapreplace(coming, (row.until, coming[0][1]))
        home = claim.spot if claim is not None else None
        fitting = [row for row in rows if row.since <= starts_at and ends_at <= row.until]
        if not fitting:
            return None
        row = min(fitting, key=lambda row: (row.until, row.spot != home))
        row.since = ends_at
        if claim is None:
            target = row.spot
        elif row.spot != home:
            moves.append((claim, row.spot))
    return None if target is None else Packing(spot=target, moves=tuple(moves))


def _room(since: datetime, until: datetime, now: datetime) -> timedelta:
    """How much free time a gap has, the past not counted."""
    return until - max(since, now) if since < until else timedelta(0)
