"""What sensors and people say: every replica ends alike, and no count leaves 0 … total (complaints row 13)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.availability import (
    Availability,
    Confidence,
    Face,
    Observation,
    ReportedCount,
    Source,
    SpotPicture,
    SpotState,
    Writer,
    face,
)
from parking.errors import NoSuchSpot
from parking.ids import SpotId, ZoneId
from parking.lot import Spot, SpotType, Tier

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SPOT = SpotId("spot")
WRITERS = [Writer(Tier.EDGE, 1), Writer(Tier.CLOUD, 1), Writer(Tier.EDGE, 2)]


def said(
    writer: Writer,
    n: int,
    state: SpotState,
    source: Source = Source.SENSOR,
    *,
    minute: int = 0,
    seen: dict[Writer, int] | None = None,
    spot: SpotId = SPOT,
    interval: timedelta | None = None,
) -> Observation:
    at = NOON + timedelta(minutes=minute)
    return Observation(
        spot=spot,
        state=state,
        source=source,
        writer=writer,
        n=n,
        seen=seen or {},
        occurred_at=at,
        received_at=at,
        interval=interval,
    )


def pictured(updates: list[Observation]) -> SpotPicture:
    picture = SpotPicture()
    for update in updates:
        picture.take(update)
    return picture


any_update = st.builds(
    said,
    st.sampled_from(WRITERS),
    st.integers(1, 4),
    st.sampled_from(SpotState),
    st.sampled_from(Source),
    minute=st.integers(0, 3),
    seen=st.dictionaries(st.sampled_from(WRITERS), st.integers(0, 4)),
)


@given(st.lists(any_update, min_size=3, max_size=5, unique_by=lambda update: (update.writer, update.n)))
def test_any_order_of_three_and_more_updates_ends_alike(updates: list[Observation]) -> None:
    """Vectors here are arbitrary, also such as no honest writer makes: the end must not depend on their honesty."""
    ends = [pictured([*order, order[0]]) for order in permutations(updates)]
    assert all(end.kept() == ends[0].kept() for end in ends)
    assert all(end.shown() == ends[0].shown() for end in ends)
    assert all(end.vector() == ends[0].vector() for end in ends)


@st.composite
def honest_histories(draw: st.DrawFn) -> list[Observation]:
    """Writers with a picture each, who hear of each other's updates at random and write in knowledge of what they heard."""
    pictures = {writer: SpotPicture() for writer in WRITERS}
    history: list[Observation] = []
    for minute in range(draw(st.integers(3, 7))):
        writer = draw(st.sampled_from(WRITERS))
        for heard in draw(st.lists(st.sampled_from(history), max_size=3)) if history else []:
            pictures[writer].take(heard)
        n = sum(update.writer == writer for update in history) + 1
        state, source = draw(st.sampled_from(SpotState)), draw(st.sampled_from(Source))
        update = said(writer, n, state, source, minute=minute, seen=dict(pictures[writer].vector()))
        pictures[writer].take(update)
        history.append(update)
    return history


@given(honest_histories(), st.randoms(use_true_random=False))
def test_what_is_kept_are_the_causally_maximal_updates(history: list[Observation], random: object) -> None:
    kept = pictured(history).kept()
    naive = [u for u in history if not any(other.surpasses(u) for other in history if other is not u)]
    assert sorted(kept, key=lambda u: u.writer) == sorted(naive, key=lambda u: u.writer)
    assert len({update.writer for update in kept}) == len(kept)


@given(honest_histories(), st.data())
def test_a_restart_from_the_kept_updates_loses_nothing(
    history: list[Observation], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(history)))
    restarted = pictured([*pictured(history[:at]).kept(), *history[at:]])
    assert restarted.kept() == pictured(history).kept()


def test_a_sensor_outranks_a_later_report_that_did_not_know_of_it() -> None:
    sensor = said(WRITERS[0], 1, SpotState.OCCUPIED)
    report = said(WRITERS[1], 1, SpotState.FREE, Source.USER_REPORT, minute=5)
    assert pictured([sensor, report]).shown() == sensor


def test_a_report_made_in_knowledge_of_the_sensor_replaces_it() -> None:
    sensor = said(WRITERS[0], 1, SpotState.OCCUPIED)
    report = said(WRITERS[1], 1, SpotState.FREE, Source.USER_REPORT, minute=5, seen={WRITERS[0]: 1})
    assert pictured([report, sensor]).shown() == report


def test_a_duplicate_changes_nothing() -> None:
    update = said(WRITERS[0], 1, SpotState.FREE)
    picture = pictured([update])
    assert picture.take(update) is False


def lot_of(count: int) -> Availability:
    return Availability(
        Spot(id=SpotId(str(n)), zone=ZoneId("z"), number=str(n), type=SpotType.REGULAR) for n in range(count)
    )


@given(st.lists(st.tuples(any_update, st.integers(0, 2)), max_size=20))
def test_counts_kept_are_the_counts_recomputed_and_never_leave_0_to_total(
    updates: list[tuple[Observation, int]],
) -> None:
    lot = lot_of(3)
    for update, spot in updates:
        moved = said(
            update.writer,
            update.n,
            update.state,
            update.source,
            seen=dict(update.seen),
            spot=SpotId(str(spot)),
        )
        lot.take(moved)
        counts = lot.counts()[SpotType.REGULAR]
        states = [lot.state(SpotId(str(n))) for n in range(3)]
        assert counts.free == states.count(SpotState.FREE)
        assert counts.occupied == states.count(SpotState.OCCUPIED)
        assert counts.unknown == states.count(SpotState.UNKNOWN)
        assert 0 <= counts.free <= counts.total == 3


def test_a_sensor_silent_for_three_of_its_intervals_is_stale() -> None:
    lot = lot_of(1)
    hour = timedelta(hours=1)
    lot.take(said(WRITERS[0], 1, SpotState.FREE, spot=SpotId("0"), interval=hour))
    assert lot.confidence(SpotId("0"), NOON + 3 * hour) is Confidence.FRESH
    later = NOON + 3 * hour + timedelta(seconds=1)
    assert lot.confidence(SpotId("0"), later) is Confidence.STALE
    assert lot.stale(later) == [SpotId("0")]


def test_nothing_is_believed_of_a_spot_that_nobody_spoke_of() -> None:
    assert lot_of(1).confidence(SpotId("0"), NOON) is Confidence.NONE


def test_a_spot_of_another_lot_is_refused() -> None:
    with pytest.raises(NoSuchSpot, match="not a spot of this lot"):
        lot_of(1).take(said(WRITERS[0], 1, SpotState.FREE, spot=SpotId("elsewhere")))


def test_a_closed_lot_is_closed_and_not_full() -> None:
    assert face(is_open=False, free=0) is Face.CLOSED
    assert face(is_open=False, free=12) is Face.CLOSED
    assert face(is_open=True, free=0) is Face.FULL
    assert face(is_open=True, free=None) is Face.UNKNOWN
    assert face(is_open=True, free=1) is Face.FREE


def test_8259_free_of_140_is_corrected_and_told() -> None:
    count = ReportedCount.of(free=8259, total=140)
    assert (count.free, count.drift) == (140, 8119)


@given(st.integers(), st.integers(0, 10_000))
def test_a_reported_count_is_within_0_to_total_whatever_was_reported(free: int, total: int) -> None:
    count = ReportedCount.of(free=free, total=total)
    assert 0 <= count.free <= total
    assert count.free + count.drift == free
