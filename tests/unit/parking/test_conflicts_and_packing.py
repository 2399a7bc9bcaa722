"""One spot's timeline, and the shelf of spots: what is free is found, what is in the way moves, pins stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.claims import Claim, ClaimKind, ClaimState
from parking.conflicts import FOREVER, LONG_AGO, Gap, SpotTimeline
from parking.errors import ClaimsOverlap, NoSuchClaim
from parking.ids import ClaimId, SpotId
from parking.interval import Interval
from parking.lot import SpotType, Tier
from parking.packing import Packing, Shelf

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hours(starts: int, ends: int | None) -> Interval:
    return Interval(NOON + starts * HOUR, None if ends is None else NOON + ends * HOUR)


def claim(name: str, window: Interval, spot: str = "spot", *, held: bool = False) -> Claim:
    return Claim(
        id=ClaimId(name),
        spot=SpotId(spot),
        type=SpotType.REGULAR,
        window=window,
        kind=ClaimKind.BOOKING,
        holder_kind="reservation",
        holder_id=name,
        state=ClaimState.HELD if held else ClaimState.FIRM,
        sold_by=Tier.EDGE,
        epoch=1,
    )


windows = st.builds(
    lambda starts, length: hours(starts, None if length > 5 else starts + length),
    st.integers(0, 20),
    st.integers(1, 6),
)


@given(st.lists(windows, max_size=15), windows)
def test_the_timeline_of_a_spot_answers_as_a_list_would(offered: list[Interval], asked: Interval) -> None:
    line, naive = SpotTimeline(), list[Claim]()
    for n, window in enumerate(offered):
        new = claim(str(n), window)
        clashing = [other for other in naive if other.window.overlaps(window)]
        assert line.is_free(window) is (not clashing)
        if clashing:
            with pytest.raises(ClaimsOverlap):
                line.insert(new)
        else:
            line.insert(new)
            naive.append(new)
    naive.sort(key=lambda c: c.window.starts_at)
    assert list(line) == naive
    assert list(line.overlapping(asked)) == [c for c in naive if c.window.overlaps(asked)]
    assert (line.gap(asked) is None) is any(c.window.overlaps(asked) for c in naive)
    for removed in naive:
        line.remove(removed)
    assert len(line) == 0


def test_a_refused_overlap_names_both_claims_and_the_spot() -> None:
    line = SpotTimeline()
    line.insert(claim("first", hours(0, 2)))
    with pytest.raises(ClaimsOverlap, match="claim second would overlap claim first on spot spot"):
        line.insert(claim("second", hours(1, 3)))


def test_claims_that_only_touch_do_not_overlap() -> None:
    line = SpotTimeline()
    line.insert(claim("first", hours(0, 2)))
    line.insert(claim("second", hours(2, 4)))
    assert line.gap(hours(4, 5)) == Gap(since=NOON + 4 * HOUR, until=FOREVER)
    assert line.gap(hours(-2, 0)) == Gap(since=LONG_AGO, until=NOON)


def test_nothing_comes_after_a_claim_without_end() -> None:
    line = SpotTimeline()
    line.insert(claim("endless", hours(0, None)))
    with pytest.raises(ClaimsOverlap):
        line.insert(claim("later", hours(1000, 1001)))


def test_an_extension_that_does_not_fit_leaves_the_claim_as_it_was() -> None:
    line = SpotTimeline()
    short, later = claim("short", hours(0, 2)), claim("later", hours(3, 4))
    line.insert(short)
    line.insert(later)
    with pytest.raises(ClaimsOverlap):
        line.replace(short, short.with_window(hours(0, 4)))
    assert list(line) == [short, later]
    longer = short.with_window(hours(0, 3))
    line.replace(short, longer)
    assert list(line) == [longer, later]


def test_what_is_not_on_the_spot_cannot_be_taken_off() -> None:
    with pytest.raises(NoSuchClaim, match="is not known here"):
        SpotTimeline().remove(claim("absent", hours(0, 1)))


def shelf_of(*rows: list[Claim], buffer: timedelta = timedelta(0), now: datetime = NOON - HOUR) -> Shelf:
    lines = {}
    for n, row in enumerate(rows):
        lines[SpotId(str(n))] = line = SpotTimeline()
        for each in row:
            line.insert(each)
    return Shelf(
        spots=list(lines),
        lines=lines,
        may_move=lambda c: c.state is not ClaimState.HELD,
        buffer=buffer,
        now=now,
    )


def test_the_best_fit_already_carries_a_booking() -> None:
    assert shelf_of([], [claim("a", hours(0, 2), "1")]).best_fit(hours(5, 6)) == "1"


def test_the_best_fit_has_the_tightest_gap() -> None:
    loose = [claim("a", hours(0, 2), "0"), claim("b", hours(9, 10), "0")]
    tight = [claim("c", hours(0, 4), "1"), claim("d", hours(6, 7), "1")]
    assert shelf_of(loose, tight).best_fit(hours(4, 6)) == "1"


def test_the_turnover_buffer_stays_free_on_both_sides() -> None:
    shelf = shelf_of([claim("a", hours(0, 2), "0")], buffer=timedelta(minutes=15))
    assert shelf.best_fit(shelf.guard(hours(2, 3))) is None
    assert shelf.best_fit(shelf.guard(hours(3, 4))) == "0"


def test_a_re_pack_moves_what_is_in_the_way_to_another_spot() -> None:
    shelf = shelf_of([claim("a", hours(0, 2), "0")], [claim("b", hours(3, 5), "1")])
    packing = shelf.re_pack(hours(0, 5))
    assert packing is not None
    assert len(packing.moves) == 1


def test_a_claim_between_vote_and_decision_is_never_moved() -> None:
    held = [claim("a", hours(0, 2), "0", held=True)], [claim("b", hours(3, 5), "1", held=True)]
    assert shelf_of(*held).re_pack(hours(0, 5)) is None


def test_a_cascade_uses_the_place_that_a_displaced_claim_left_behind() -> None:
    """The window takes spot 0 from x, x takes spot 2 from v, and v stands where x would have stood."""
    shelf = shelf_of(
        [claim("x", hours(2, 8), "0")],
        [claim("a", hours(1, 3), "1"), claim("b", hours(3, 7), "1")],
        [claim("w", hours(-1, 2), "2", held=True), claim("v", hours(4, 6), "2")],
    )
    packing = shelf.re_pack(hours(0, 3))
    assert packing is not None
    assert packing.spot == "0"
    assert [(moved.id, spot) for moved, spot in packing.moves] == [("x", "2"), ("v", "0")]


@st.composite
def shelves(draw: st.DrawFn) -> list[list[Claim]]:
    """Up to three spots with claims as they came, some of them pinned."""
    rows: list[list[Claim]] = [[] for _ in range(draw(st.integers(1, 3)))]
    for n in range(draw(st.integers(0, 7))):
        row, starts, length = (
            draw(st.integers(0, len(rows) - 1)),
            draw(st.integers(0, 10)),
            draw(st.integers(1, 4)),
        )
        new = claim(
            f"c{n}",
            hours(starts, starts + length),
            str(row),
            held=draw(st.sampled_from([False] * 4 + [True])),
        )
        if not any(new.window.overlaps(other.window) for other in rows[row]):
            rows[row].append(new)
    return rows


def packs(rows: list[list[Claim]], window: Interval) -> bool:
    """Every way to put the movable claims and the window on the spots, tried."""
    loose = [c.window for row in rows for c in row if c.state is not ClaimState.HELD] + [window]
    for places in product(range(len(rows)), repeat=len(loose)):
        stand = [[c.window for c in row if c.state is ClaimState.HELD] for row in rows]
        for place, each in zip(places, loose, strict=True):
            if any(each.overlaps(other) for other in stand[place]):
                break
            stand[place].append(each)
        else:
            return True
    return False


@given(shelves(), st.integers(0, 10), st.integers(1, 6))
def test_a_plan_is_right_and_where_nothing_is_pinned_it_is_found_whenever_there_is_one(
    rows: list[list[Claim]], starts: int, length: int
) -> None:
    window = hours(starts, starts + length)
    shelf = shelf_of(*rows)
    spot = shelf.best_fit(window)
    packing = Packing(spot=spot) if spot is not None else shelf.re_pack(window)
    if packing is None:
        anything_pinned = any(c.state is ClaimState.HELD for row in rows for c in row)
        assert anything_pinned or not packs(rows, window)
        return
    stand = {c.id: (SpotId(str(n)), c.window) for n, row in enumerate(rows) for c in row}
    for moved, target in packing.moves:
        assert moved.state is not ClaimState.HELD
        stand[moved.id] = (target, moved.window)
    placed = [*stand.values(), (packing.spot, window)]
    for n, (where, when) in enumerate(placed):
        assert not any(where == other and when.overlaps(then) for other, then in placed[n + 1 :])
