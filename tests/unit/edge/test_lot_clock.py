"""The lot's clock by itself: what it keeps, what it reads back, what it tells a person."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock_status import clock_fault, clock_status
from edge.lot_clock import LotClock
from edge.system_clock import BOOT, CIVIL_SCALE, machine_from
from parking.trusted_time import SILENT_AFTER_S, ClockQuality, TrustedTime
from sync.instants import to_us
from tests.integration.edge.conftest import NOON_AT
from tests.integration.edge.dark_lot import World


def told(world: World, kept: str | None = None) -> LotClock:
    clock = LotClock(world.machine(), kept=kept)
    clock.hear(to_us(world.true_at), 0.0)
    return clock


@given(before_s=st.floats(0, 1e7), gone_s=st.floats(0, 1e6), trip_s=st.floats(0, 15))
def test_what_is_kept_is_read_back(before_s: float, gone_s: float, trip_s: float) -> None:
    world = World(boot_s=before_s)
    clock = LotClock(world.machine())
    clock.hear(to_us(world.true_at), trip_s)
    world.passes(seconds=gone_s)
    again = LotClock(world.machine(), kept=clock.kept())
    assert again.quality is ClockQuality.HOLDOVER
    for mine, its in zip(instants(clock.time), instants(again.time), strict=True):
        assert abs(mine - its) < timedelta(microseconds=5)


def instants(time: TrustedTime) -> tuple[timedelta, ...]:
    assert time.upper_at is not None
    return tuple(at - NOON_AT for at in (time.lower_at, time.estimate_at, time.upper_at))


@pytest.mark.parametrize(
    "kept", ["", "rubbish", "a b c d e f g h i", "boot 1.0 synced 99999999999999999999999 1 1 - - -"]
)
def test_a_record_that_cannot_be_read_counts_as_nothing_known(kept: str) -> None:
    assert LotClock(World().machine(), kept=kept).quality is ClockQuality.UNKNOWN


def test_silence_is_seen_by_looking_and_told_once() -> None:
    world = World()
    clock = told(world)
    heard: list[ClockQuality] = []
    clock.subscribe(lambda _before, after: heard.append(after.quality))
    for _ in range(4):
        world.passes(seconds=SILENT_AFTER_S / 2)
        clock.tick()
    assert heard == [ClockQuality.HOLDOVER]


def test_a_time_that_cannot_be_is_counted_and_changes_nothing() -> None:
    world = World()
    clock = told(world)
    bound = clock.lower_bound()
    clock.hear(to_us(world.true_at - timedelta(days=1)), 0.0)
    clock.hear(to_us(world.true_at + timedelta(days=1)), 0.0)
    assert clock.contradictions == 2
    assert (clock.quality, clock.lower_bound()) == (ClockQuality.HOLDOVER, bound)


def test_a_person_reads_how_good_it_is_and_what_to_do() -> None:
    world = World(civil_off=timedelta(hours=-1))
    dark = LotClock(world.machine())
    fault = clock_fault(clock_status(dark.reading()))
    assert fault is not None
    assert "line" in fault.steps[0]
    status = clock_status(told(world).reading())
    assert clock_fault(status) is None
    assert "-3600 s off" in status.detail


def test_the_environment_names_the_boot_and_the_civil_clock() -> None:
    machine = machine_from({BOOT: "this one", CIVIL_SCALE: "1970-01-01T00:00:00+00:00,0,1"})
    assert machine.boot == "this_one"
    assert machine.clock.now().year < 1980
    assert machine_from({}).boot == machine_from({}).boot
    assert machine.boot_s() <= machine.boot_s()
