"""What a box may say of the time: complete tables for the quality, Hypothesis for the bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.trusted_time import (
    CLOCK_TABLE,
    DRIFT,
    EARLIEST_AT,
    SILENT_AFTER_S,
    ClockNews,
    ClockQuality,
    TimeWord,
    TrustedTime,
    resumed,
    set_by_hand,
    silent,
    told,
)

NOON_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOTHING = timedelta(0)
WILD = [
    timedelta(0),
    HOUR,
    -HOUR,
    timedelta(days=9 * 365),
    EARLIEST_AT - NOON_AT,
]


def new_box(at: datetime = NOON_AT, at_s: float = 10.0, speed: float = 1.0) -> TrustedTime:
    return TrustedTime.first(boot="one", at_s=at_s, civil_at=at, speed=speed)


def told_at(time: TrustedTime, at: datetime, round_trip: timedelta = NOTHING) -> TrustedTime:
    return told(time, TimeWord(sent_at=at, round_trip=round_trip), at)


@pytest.mark.parametrize("quality", ClockQuality)
@pytest.mark.parametrize("news", ClockNews)
def test_every_piece_of_news_has_an_answer_in_every_quality(quality: ClockQuality, news: ClockNews) -> None:
    after = CLOCK_TABLE[quality, news]
    if news is ClockNews.TOLD:
        assert after is ClockQuality.SYNCED
    elif news is ClockNews.REBOOTED:
        assert after is ClockQuality.UNKNOWN
    elif news is not ClockNews.SET:
        assert (after is ClockQuality.UNKNOWN) == (quality is ClockQuality.UNKNOWN), "silence forgets nothing"
    if after is ClockQuality.SYNCED:
        assert news is ClockNews.TOLD or (quality is after and news is ClockNews.SET)


def test_the_table_holds_nothing_else() -> None:
    assert len(CLOCK_TABLE) == len(ClockQuality) * len(ClockNews)


@pytest.mark.parametrize("civil_at", [NOON_AT + wild for wild in WILD])
def test_a_box_that_was_never_told_knows_nothing_whatever_its_clock_shows(civil_at: datetime) -> None:
    box = new_box(civil_at)
    assert not box.known
    assert box.lower_at == EARLIEST_AT
    assert box.upper_at is None


@pytest.mark.parametrize("wild", WILD)
def test_a_civil_clock_that_jumps_moves_neither_bound_nor_estimate(wild: timedelta) -> None:
    word = TimeWord(sent_at=NOON_AT, round_trip=timedelta(seconds=1))
    box = told(new_box(NOON_AT + wild), word, NOON_AT + wild)
    later = told(
        box.at(70.0), TimeWord(sent_at=NOON_AT + timedelta(minutes=1), round_trip=NOTHING), NOON_AT + wild
    )
    assert NOON_AT <= box.estimate_at <= NOON_AT + timedelta(seconds=1)
    assert later.quality is ClockQuality.SYNCED
    assert abs(later.estimate_at - NOON_AT - timedelta(minutes=1)) <= timedelta(seconds=1)


def test_five_minutes_of_silence_are_holdover_and_the_next_word_ends_it() -> None:
    box = told_at(new_box(), NOON_AT)
    assert silent(box.at(10.0 + SILENT_AFTER_S - 1)).quality is ClockQuality.SYNCED
    quiet = silent(box.at(10.0 + SILENT_AFTER_S))
    assert quiet.quality is ClockQuality.HOLDOVER
    assert told_at(quiet, NOON_AT + timedelta(seconds=SILENT_AFTER_S)).quality is ClockQuality.SYNCED


@pytest.mark.parametrize("wrong", [-HOUR, HOUR, timedelta(days=9 * 365), EARLIEST_AT - NOON_AT])
def test_a_word_outside_the_bounds_is_not_believed(wrong: timedelta) -> None:
    box = told_at(new_box(), NOON_AT)
    after = told_at(box, NOON_AT + wrong)
    assert after.quality is ClockQuality.HOLDOVER
    assert (after.lower_at, after.estimate_at, after.upper_at) == (
        box.lower_at,
        box.estimate_at,
        box.upper_at,
    )


def test_two_servers_a_second_apart_are_both_believed() -> None:
    box = told_at(new_box(), NOON_AT + timedelta(seconds=1))
    after = told_at(box, NOON_AT)
    assert after.quality is ClockQuality.SYNCED
    assert after.lower_at == NOON_AT + timedelta(seconds=1)


def test_another_boot_forgets_the_time_and_counts_the_dark_as_nothing() -> None:
    box = told_at(new_box(), NOON_AT).at(3_610.0)
    dark = resumed(box, boot="two", now_s=5.0)
    assert not dark.known
    assert dark.lower_at == box.lower_at
    assert dark.unknown_since_at == dark.estimate_at == box.estimate_at
    assert dark.at(1_005.0).estimate_at - box.estimate_at == timedelta(seconds=1_000) * (1 - DRIFT)


def test_a_second_boot_in_the_dark_is_the_same_unknown_time() -> None:
    dark = resumed(told_at(new_box(), NOON_AT), boot="two", now_s=5.0).at(105.0)
    darker = resumed(dark, boot="three", now_s=7.0)
    assert darker.unknown_since_at == dark.unknown_since_at
    assert darker.estimate_at == dark.estimate_at


def test_an_agent_that_starts_anew_in_the_same_boot_goes_on() -> None:
    box = told_at(new_box(), NOON_AT)
    again = resumed(box, boot="one", now_s=1_010.0)
    assert again.quality is ClockQuality.HOLDOVER
    assert again.estimate_at == NOON_AT + timedelta(seconds=1_000)


def test_a_scaled_box_counts_civil_time() -> None:
    box = told_at(new_box(speed=60.0), NOON_AT).at(70.0)
    assert box.estimate_at == NOON_AT + HOUR
    assert box.lower_at == NOON_AT + HOUR * (1 - DRIFT)


@pytest.mark.parametrize(
    ("civil_at", "believed"),
    [(NOON_AT, True), (EARLIEST_AT, False), (datetime(2019, 12, 31, tzinfo=UTC), False)],
)
def test_a_lot_without_a_centre_believes_a_clock_that_somebody_has_set(
    civil_at: datetime, believed: bool
) -> None:
    after = set_by_hand(new_box(civil_at), civil_at)
    assert after.known is believed
    assert after.quality is (ClockQuality.HOLDOVER if believed else ClockQuality.UNKNOWN)


@pytest.mark.parametrize(
    ("wild", "believed"),
    [(-HOUR, False), (HOUR, True), (timedelta(days=9 * 365), False), (EARLIEST_AT - NOON_AT, False)],
)
def test_a_lot_without_a_centre_never_takes_a_time_before_what_has_passed(
    wild: timedelta, believed: bool
) -> None:
    before = set_by_hand(new_box(), NOON_AT)
    dark = resumed(before, boot="two", now_s=1.0)
    after = set_by_hand(dark, NOON_AT + wild)
    assert after.known is believed
    assert after.lower_at >= before.lower_at


# What holds under any story


@dataclass
class World:
    """True time, a quartz that is wrong by at most a thousandth, a civil clock that anybody sets, and a box on them."""

    quartz: float
    true_at: datetime = NOON_AT
    boot: int = 0
    boot_s: float = 3.0
    civil_off: timedelta = NOTHING
    box: TrustedTime = field(init=False)
    lowest: datetime = EARLIEST_AT

    def __post_init__(self) -> None:
        self.box = TrustedTime.first(
            boot="0", at_s=self.boot_s, civil_at=self.true_at + self.civil_off, speed=1.0
        )

    def passes(self, seconds: float) -> None:
        self.true_at += timedelta(seconds=seconds)
        self.boot_s += seconds * (1 + self.quartz)

    def look(self) -> TrustedTime:
        return self.box.at(self.boot_s)

    def word(self, out_s: float, back_s: float) -> None:
        self.passes(out_s)
        sent_at = self.true_at
        self.passes(back_s)
        slack = timedelta(seconds=(out_s + back_s) * (1 + DRIFT))
        civil_at = self.true_at + self.civil_off
        self.box = told(self.look(), TimeWord(sent_at=sent_at, round_trip=slack), civil_at)

    def starts_anew(self, dark_s: float, *, boots: bool) -> None:
        kept = self.look()
        self.passes(dark_s)
        if boots:
            self.boot += 1
            self.boot_s = dark_s % 40
        self.box = resumed(kept, boot=str(self.boot), now_s=self.boot_s)


_seconds = st.floats(0, 400_000, allow_nan=False)
_trip = st.floats(0, 20, allow_nan=False)
STORIES = st.lists(
    st.one_of(
        st.tuples(st.just("passes"), _seconds),
        st.tuples(st.just("word"), _trip, _trip),
        st.tuples(st.just("dark"), _seconds, st.booleans()),
        st.tuples(st.just("jump"), st.sampled_from(WILD)),
        st.tuples(st.just("silent")),
    ),
    max_size=25,
)


@given(st.floats(-DRIFT / 2, DRIFT / 2), st.sampled_from(WILD), STORIES)
def test_the_lower_bound_never_passes_the_truth_and_never_goes_back(
    quartz: float, civil_off: timedelta, story: list[tuple[Any, ...]]
) -> None:
    world = World(quartz=quartz, civil_off=civil_off)
    for step in story:
        match step:
            case ("passes", seconds):
                world.passes(seconds)
            case ("word", out_s, back_s):
                world.word(out_s, back_s)
            case ("dark", seconds, boots):
                world.starts_anew(seconds, boots=boots)
            case ("jump", off):
                world.civil_off = off
            case ("silent",):
                world.box = silent(world.look())
        seen = world.look()
        microsecond = timedelta(milliseconds=1)  # what floats of seconds lose in a long boot
        assert world.lowest - microsecond <= seen.lower_at <= world.true_at + microsecond
        assert seen.lower_at <= seen.estimate_at or not seen.known
        if seen.upper_at is not None:
            assert world.true_at <= seen.upper_at + microsecond
            assert seen.estimate_at <= seen.upper_at
        world.lowest = seen.lower_at


@given(st.floats(-DRIFT / 2, DRIFT / 2), st.sampled_from(WILD), STORIES)
def test_while_the_time_is_unknown_no_stay_seems_longer_than_it_was(
    quartz: float, civil_off: timedelta, story: list[tuple[Any, ...]]
) -> None:
    world = World(quartz=quartz, civil_off=civil_off)
    entered_at, truly_entered_at = world.look().estimate_at, world.true_at
    for step in story:
        match step:
            case ("passes", seconds):
                world.passes(seconds)
            case ("dark", seconds, boots):
                world.starts_anew(seconds, boots=boots)
            case ("jump", off):
                world.civil_off = off
            case _:
                continue
        seemed = world.look().estimate_at - entered_at
        assert seemed <= world.true_at - truly_entered_at + timedelta(milliseconds=1)
