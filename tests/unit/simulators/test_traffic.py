from __future__ import annotations

import statistics
from collections import defaultdict
from datetime import datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from benchmarks.fit_traffic import DAYS, mean_dwell_h, occupancy_profile, occupancy_readings
from parking.lot import SpotType
from simulators.traffic import Demand, Vehicle, traffic
from simulators.traffic_tables import ARRIVALS, FLOOR, MEAN_DWELL_MIN, kind_of_day

LONDON = ZoneInfo("Europe/London")
TUESDAY = datetime(2026, 11, 24, tzinfo=LONDON)
DATA = Path(__file__).parents[4] / "shared" / "data"
LARGEST_MISFIT = 0.04
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the real occupancy series lie in ../shared/data, which is not there"
)


def demand(spaces: int = 150, **others: float) -> Demand:
    return Demand(spaces=spaces, timezone=LONDON, **others)


def a_day(seed: int, day: datetime, spaces: int) -> list[Vehicle]:
    """All who are inside at the day's beginning or come on it."""
    end = day + timedelta(days=1)
    return list(takewhile(lambda vehicle: vehicle.arrives_at < end, traffic(seed, day, demand(spaces))))


def test_the_same_seed_brings_the_same_vehicles() -> None:
    noon = TUESDAY + timedelta(hours=12)
    first, again, other = (list(islice(traffic(seed, noon, demand()), 300)) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_more_back_outs_change_no_arrival_and_no_dwell() -> None:
    noon = TUESDAY + timedelta(hours=12)
    calm = islice(traffic(1, noon, demand(back_outs=0.0)), 200)
    nervous = islice(traffic(1, noon, demand(back_outs=0.5)), 200)
    for one, other in zip(calm, nervous, strict=True):
        assert (one.arrives_at, one.dwell, one.type, one.plate) == (
            other.arrives_at,
            other.dwell,
            other.type,
            other.plate,
        )


def test_who_is_inside_at_the_beginning_came_before_and_leaves_after() -> None:
    noon = TUESDAY + timedelta(hours=12)
    inside = list(takewhile(lambda vehicle: vehicle.arrives_at <= noon, traffic(1, noon, demand())))
    assert len(inside) > 50
    assert all(vehicle.leaves_at > noon for vehicle in inside)


def test_cars_inside_at_a_glance_stay_longer_than_cars_that_arrive() -> None:
    noon = TUESDAY + timedelta(hours=12)
    stream = traffic(1, noon, demand(spaces=2_000))
    inside: list[float] = []
    coming: list[float] = []
    for vehicle in takewhile(lambda one: one.arrives_at < noon + timedelta(hours=2), stream):
        if vehicle.type is not SpotType.EV:
            (inside if vehicle.arrives_at <= noon else coming).append(vehicle.dwell / timedelta(minutes=1))
    assert statistics.mean(coming) == pytest.approx(MEAN_DWELL_MIN, rel=0.08)
    assert statistics.mean(inside) > 1.15 * statistics.mean(coming)


def test_arrivals_follow_the_table_hour_by_hour() -> None:
    spaces = 3_000
    by_hour: dict[int, int] = defaultdict(int)
    for vehicle in a_day(3, TUESDAY, spaces):
        if vehicle.arrives_at >= TUESDAY:
            by_hour[vehicle.arrives_at.astimezone(LONDON).hour] += 1
    for hour, rate in enumerate(ARRIVALS[kind_of_day(TUESDAY.weekday())]):
        expected = rate * spaces
        assert abs(by_hour[hour] - expected) <= 4 * max(1.0, expected) ** 0.5


def test_no_two_vehicles_share_a_plate() -> None:
    plates = [vehicle.plate for vehicle in islice(traffic(1, TUESDAY, demand()), 5_000)]
    assert len(set(plates)) == len(plates)


@needs_data
@pytest.mark.parametrize("day", list(DAYS))
def test_the_lot_fills_and_empties_as_the_real_ones_do(day: str) -> None:
    """Seeds, arrivals and dwell together, against the mean of the four car parks: no half hour differs by more than LARGEST_MISFIT."""
    spaces, seeds = 1_000, (1, 2, 3)
    date = TUESDAY + timedelta(days={"weekday": 0, "saturday": 4, "sunday": 5}[day])
    profile = occupancy_profile(occupancy_readings(DATA), tuple(DAYS[day]))
    misfits = []
    for bin_ in range(16, 48):  # from 8:00: a day takes its own kind as its eve, and Friday is no Saturday
        instant = date + timedelta(minutes=30 * bin_ + 15)
        there = statistics.mean(
            sum(
                vehicle.type is not SpotType.EV and vehicle.arrives_at <= instant < vehicle.leaves_at
                for vehicle in a_day_of(seed, date, spaces)
            )
            for seed in seeds
        )
        misfits.append(abs(there / spaces + FLOOR[day] - profile[bin_]))
    assert max(misfits) <= LARGEST_MISFIT


_DAYS: dict[tuple[int, datetime, int], list[Vehicle]] = {}


def a_day_of(seed: int, day: datetime, spaces: int) -> list[Vehicle]:
    """A day, drawn once."""
    key = (seed, day, spaces)
    if key not in _DAYS:
        _DAYS[key] = a_day(seed, day, spaces)
    return _DAYS[key]


@needs_data
def test_the_mean_dwell_is_still_that_of_the_series() -> None:
    dwells = [mean_dwell_h(rows, tuple(DAYS["weekday"])) for rows in occupancy_readings(DATA).values()]
    assert statistics.median(dwells) * 60 == pytest.approx(MEAN_DWELL_MIN, rel=0.02)
