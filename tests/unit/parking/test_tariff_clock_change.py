"""Prices over the nights of a clock change, against a reference that walks minute by minute (complaints, row 9).

The reference shares nothing with the product but the standard library. It walks in UTC from noon of the day before and keeps the highest reading the wall clock has shown
so far: an edge has been passed once the clock has shown it. Repeated readings do not lower the mark; a jump lifts it over what was left out.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parking.civil_time import DAY_MIN, Calendar, Window
from parking.price import price
from parking.rates import Rate, RateStep
from parking.tariff import Tariff

MINUTE = timedelta(minutes=1)
ZONES = (
    "Africa/Cairo", "Africa/Casablanca", "America/Asuncion", "America/Havana", "America/Los_Angeles", "America/New_York",
    "America/Nuuk", "America/Santiago", "America/Scoresbysund", "America/St_Johns", "America/Toronto",
    "Antarctica/Troll", "Asia/Beirut", "Asia/Jerusalem", "Asia/Singapore", "Atlantic/Azores", "Australia/Adelaide",
    "Australia/Lord_Howe", "Australia/Sydney", "Europe/Amsterdam", "Europe/Berlin", "Europe/Chisinau", "Europe/Dublin",
    "Europe/London", "Europe/Zurich", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Easter", "UTC",
)  # fmt: skip


def changes_of(zone: ZoneInfo, year: int) -> list[datetime]:
    """The instants (UTC) of a year at which the zone's offset changes, to the minute."""
    found = []
    hour_at = datetime(year, 1, 1, tzinfo=UTC)
    while hour_at.year == year:
        next_at = hour_at + timedelta(hours=1)
        if hour_at.astimezone(zone).utcoffset() != next_at.astimezone(zone).utcoffset():
            minute_at = hour_at
            while minute_at.astimezone(zone).utcoffset() == hour_at.astimezone(zone).utcoffset():
                minute_at += MINUTE
            found.append(minute_at)
        hour_at = next_at
    return found


CHANGES = [(name, at) for name in ZONES for at in changes_of(ZoneInfo(name), 2024)]
STEADY = [(name, datetime(2024, 6, 2, 1, tzinfo=UTC)) for name in ZONES if name in {"Asia/Singapore", "UTC"}]


def two_windows(zone: str, day_from: int, night_from: int, *, per_min: int, maximum: int | None) -> Tariff:
    """Every day from one edge to the other, and the rest; each window is priced on its own."""
    cap = None if maximum is None else Fraction(maximum)
    windows = (
        ("Day", Window(from_min=day_from, until_min=night_from), 200),
        ("Night", Window(from_min=night_from, until_min=day_from + DAY_MIN), 90),
    )
    rates = tuple(
        Rate(
            label=label, window=window, steps=(RateStep(price=Fraction(cents), per_min=per_min),), maximum=cap
        )
        for label, window, cents in windows
    )
    return Tariff(id="t", version=1, name="t", currency="EUR", calendar=Calendar(timezone=zone), rates=rates)


def reference(
    zone: ZoneInfo,
    day_from: int,
    night_from: int,
    starts_at: datetime,
    ends_at: datetime,
    *,
    per_min: int,
    maximum: int | None,
) -> int:
    """Minute by minute: count the minutes of each window, then charge what has started."""
    at = datetime.combine(starts_at.astimezone(zone).date() - timedelta(days=2), time(12), UTC)
    mark = at.astimezone(zone).replace(tzinfo=None)
    minutes_in: dict[tuple[str, int], int] = {}
    edges_passed, by_day = 0, False
    while at < ends_at:
        reading = at.astimezone(zone).replace(tzinfo=None)
        if reading > mark:
            for name, edge in (("day", day_from), ("night", night_from)):
                passed = (mark - timedelta(minutes=edge)).date() < (reading - timedelta(minutes=edge)).date()
                edges_passed += passed
                by_day = (name == "day") if passed else by_day
            mark = reading
        if at >= starts_at:
            key = ("day" if by_day else "night", edges_passed)
            minutes_in[key] = minutes_in.get(key, 0) + 1
        at += MINUTE
    total = 0
    for (name, _), count in minutes_in.items():
        charge = -(-count // per_min) * (200 if name == "day" else 90)
        total += charge if maximum is None else min(charge, maximum)
    return total


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(CHANGES + STEADY),
    st.tuples(st.integers(-900, 300), st.integers(0, 2000)),
    st.sampled_from([1, 7, 30, 60]),
    st.sampled_from([None, 600]),
    st.sampled_from([(0, 720), (90, 180), (120, 1080), (150, 1200), (60, 1439), (125, 155), (420, 1080)]),
)
def test_the_price_over_a_clock_change_is_that_of_the_minutes_that_passed(
    change: tuple[str, datetime],
    begins_and_lasts_min: tuple[int, int],
    per_min: int,
    maximum: int | None,
    edges: tuple[int, int],
) -> None:
    name, change_at = change
    starts_at = change_at + timedelta(minutes=begins_and_lasts_min[0])
    ends_at = starts_at + timedelta(minutes=begins_and_lasts_min[1])
    tariff = two_windows(name, *edges, per_min=per_min, maximum=maximum)
    wanted = reference(ZoneInfo(name), *edges, starts_at, ends_at, per_min=per_min, maximum=maximum)
    assert price(tariff, starts_at, ends_at).total_minor == wanted


@pytest.mark.parametrize(
    ("name", "change_at"), CHANGES, ids=lambda value: str(value).replace(":00+00:00", "Z")
)
def test_every_change_night_of_every_zone_with_an_edge_in_the_changed_hour(
    name: str, change_at: datetime
) -> None:
    zone = ZoneInfo(name)
    wall = change_at.astimezone(zone)
    edge = (wall.hour * 60 + wall.minute + 15) % DAY_MIN
    edges = (edge, edge + 300) if edge + 300 < DAY_MIN else (edge - 300, edge)
    tariff = two_windows(name, *edges, per_min=10, maximum=None)
    for offset_min in (-180, -75, -20, -1, 0, 1, 20):
        starts_at = change_at + timedelta(minutes=offset_min)
        ends_at = change_at + timedelta(minutes=200)
        wanted = reference(zone, *edges, starts_at, ends_at, per_min=10, maximum=None)
        assert price(tariff, starts_at, ends_at).total_minor == wanted, (name, offset_min)


def test_both_nights_of_a_year_are_among_the_changes() -> None:
    assert len([name for name, _ in CHANGES if name == "Europe/Berlin"]) == 2
    assert len({name for name, _ in CHANGES}) >= 25


def test_the_second_half_past_one_is_an_hour_after_the_first() -> None:
    zone = ZoneInfo("America/Toronto")
    tariff = two_windows("America/Toronto", 420, 1080, per_min=1, maximum=None)
    first = datetime(2019, 11, 3, 1, 30, tzinfo=zone)
    assert price(tariff, first, first.replace(fold=1)).total_minor == 60 * 90
    assert price(tariff, first, datetime(2019, 11, 3, 2, 30, tzinfo=zone)).total_minor == 120 * 90


def test_an_edge_counts_once_where_its_hour_comes_twice_and_at_the_jump_where_it_does_not_come() -> None:
    berlin = Calendar(timezone="Europe/Berlin")
    twice = berlin.passes_at(datetime(2024, 10, 27, tzinfo=UTC).date(), 150)
    never = berlin.passes_at(datetime(2024, 3, 31, tzinfo=UTC).date(), 150)
    assert twice == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    assert never == datetime(2024, 3, 31, 1, 0, tzinfo=UTC)


def test_a_midnight_that_does_not_come_begins_the_day_at_the_jump() -> None:
    beirut = Calendar(timezone="Asia/Beirut")
    assert beirut.passes_at(datetime(2024, 3, 31, tzinfo=UTC).date(), 0) == datetime(
        2024, 3, 30, 22, tzinfo=UTC
    )


def test_a_day_that_was_left_out_of_the_calendar_costs_nothing() -> None:
    apia = two_windows("Pacific/Apia", 0, 720, per_min=60, maximum=100)
    starts_at = datetime(2011, 12, 29, 12, tzinfo=ZoneInfo("Pacific/Apia"))
    ends_at = datetime(2011, 12, 31, 12, tzinfo=ZoneInfo("Pacific/Apia"))
    assert price(apia, starts_at, ends_at).total_minor == 100 + 100
