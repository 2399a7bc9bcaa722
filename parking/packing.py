"""Which spot a claim goes on: the best fit, and where none is free, a re-pack of claims that may move.

Best fit: of the spots free for the whole window the one that already carries a promise, and among those the one with the tightest gap,
so that the others stay free for long windows and for transfers.

Re-pack, in two attempts of rising cost:

1. *swap*: clear one spot of the claims in the way, each onto another spot that is free for it;
2. *sweep*: walk through time from the window's start. Each claim that may move stays on its spot where that is still free, else takes
   the row whose own claims are furthest away, until all that was displaced is over. Where no pin lies ahead this always succeeds
   (intervals colour perfectly, and a colouring right so far can be continued); a pin may defeat it, which the caller names WOULD_NOT_PACK.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import zip_longest

from parking.claims import Claim
from parking.conflicts import FOREVER, LONG_AGO, SpotTimeline, end_of
from parking.ids import SpotId
from parking.interval import Interval, guarded

SWAPS_TRIED = 12
A_DAY = timedelta(days=1)
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
        """Let claims in reach change rows: of the window first, then of a day more, then all; with every buffer, then without."""
        end = end_of(self.guard(window))
        for reach in (end, later(end, A_DAY), FOREVER):
            for buffer in (self.buffer, timedelta(0)):
                packing = self._sweep(window, reach, buffer)
                if packing is not None:
                    return packing
        return None

    def _sweep(self, window: Interval, reach: datetime, buffer: timedelta) -> Packing | None:
        """What starts after the window does, and before `reach`, is loose where it may move; all else is fixed.

        What runs when the window starts keeps its spot: a colouring that is right so far can always be continued.
        """
        kept_free = self.guard(window)
        since = window.starts_at if buffer else kept_free.starts_at
        span = Interval(since, None if reach == FOREVER else reach)
        loose: list[_Loose] = [(since, end_of(kept_free), None)]
        rows = [_Row(spot) for spot in self.spots]
        for row in rows:
            claims = self.lines[row.spot].overlapping(span)
            beyond = self.lines[row.spot].next_start(reach)
            for claim, following in zip_longest(claims, claims[1:]):
                gives_way_at = beyond if following is None else following.window.starts_at
                ends_at = min(later(end_of(claim.window), buffer), gives_way_at)
                if claim.window.starts_at > since and self.may_move(claim):
                    loose.append((claim.window.starts_at, ends_at, claim))
                    row.own.append(claim.window.starts_at)
                else:
                    row.fix(claim.window.starts_at, ends_at)
            if beyond != FOREVER:
                row.fix(beyond, FOREVER)
        loose.sort(key=lambda item: (item[0], item[1]))
        return _placed(loose, _Rows(rows))


def later(instant: datetime, by: timedelta) -> datetime:
    """`instant + by`, where `FOREVER` stays what it is."""
    return instant if instant == FOREVER else instant + by


_Loose = tuple[datetime, datetime, Claim | None]
"""From, until, and the claim to place; None for the one that is asked for."""


class _Row:
    """One spot in a sweep: free from `since` until `until`, when the next fixed claim starts. `own` are its loose claims' starts."""

    __slots__ = ("fixed", "is_free", "own", "since", "spot", "until")

    def __init__(self, spot: SpotId) -> None:
        self.spot = spot
        self.fixed: deque[tuple[datetime, datetime]] = deque()
        self.own: list[datetime] = []
        self.since = LONG_AGO
        self.until = FOREVER
        self.is_free = False

    def fix(self, starts_at: datetime, ends_at: datetime) -> None:
        """A claim that stays where it is; given in the order of time."""
        self.fixed.append((starts_at, ends_at))
        self.until = self.fixed[0][0]

    def advance(self) -> None:
        """Past the next fixed claim."""
        self.since = self.fixed.popleft()[1]
        self.until = self.fixed[0][0] if self.fixed else FOREVER

    def undisturbed_until(self, instant: datetime) -> datetime:
        """When, after `instant`, the first of its own loose claims would like to be back."""
        at = bisect_left(self.own, instant)
        return self.own[at] if at < len(self.own) else FOREVER


class _Rows:
    """The rows of a sweep at one instant: the free ones by the end of their free time, the others by its beginning."""

    def __init__(self, rows: Sequence[_Row]) -> None:
        self._rows = rows
        self._at = {row.spot: at for at, row in enumerate(rows)}
        self._free: list[tuple[datetime, int]] = []
        self._busy = [(row.since, at) for at, row in enumerate(rows)]

    def move_to(self, instant: datetime) -> None:
        """Bring free and busy up to `instant`, which never goes back."""
        while self._free and self._free[0][0] <= instant:
            _, at = self._free.pop(0)
            self._rows[at].is_free = False
            self._rows[at].advance()
            heappush(self._busy, (self._rows[at].since, at))
        while self._busy and self._busy[0][0] <= instant:
            _, at = heappop(self._busy)
            row = self._rows[at]
            while row.until <= instant:
                row.advance()
            if row.since <= instant:
                row.is_free = True
                insort(self._free, (row.until, at))
            else:
                heappush(self._busy, (row.since, at))

    def place(self, starts_at: datetime, ends_at: datetime, home: SpotId | None) -> SpotId | None:
        """A row free until `ends_at`: the claim's own, else the one whose own claims are furthest away; None where none is free."""
        fits = bisect_left(self._free, (ends_at, -1))
        if fits == len(self._free):
            return None
        at = self._at[home] if home is not None else -1
        if home is None or not self._rows[at].is_free or self._rows[at].until < ends_at:
            _, at = max(self._free[fits:], key=lambda free: self._rows[free[1]].undisturbed_until(starts_at))
        row = self._rows[at]
        del self._free[bisect_left(self._free, (row.until, at))]
        row.is_free, row.since = False, ends_at
        heappush(self._busy, (ends_at, at))
        return row.spot


def _placed(loose: Iterable[_Loose], rows: _Rows) -> Packing | None:
    """Each loose claim, in the order of starts, on a row; done once all that was displaced is over."""
    moves: list[tuple[Claim, SpotId]] = []
    target: SpotId | None = None
    displaced_until = LONG_AGO
    for starts_at, ends_at, claim in loose:
        if target is not None and starts_at >= displaced_until:
            break
        rows.move_to(starts_at)
        spot = rows.place(starts_at, ends_at, None if claim is None else claim.spot)
        if spot is None or len(moves) > MOVED_AT_MOST:
            return None
        if claim is None:
            target, displaced_until = spot, ends_at
        elif spot != claim.spot:
            moves.append((claim, spot))
            displaced_until = max(displaced_until, ends_at)
    return None if target is None else Packing(spot=target, moves=tuple(moves))


def _room(since: datetime, until: datetime, now: datetime) -> timedelta:
    """How much free time a gap has, the past not counted."""
    return until - max(since, now) if since < until else timedelta(0)
