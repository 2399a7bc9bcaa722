"""Sensors that lie: each kind within its stated bound, honest ones never by the rules that prove."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.chances import Chances
from parking.counter_drift import CounterDrift
from parking.ids import SpotId
from parking.liars import FLAPS, RULES, Doubt, Liars, Lie, Word

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def say(
    liars: Liars,
    device: str,
    *,
    occupied: bool,
    at: datetime,
    late: timedelta = timedelta(0),
    repeated: bool = False,
    spot: str = "",
) -> frozenset[Lie]:
    word = Word(
        device=device,
        spot=SpotId(spot or device),
        occupied=occupied,
        occurred_at=at - late,
        received_at=at,
        repeated=repeated,
    )
    liars.hear(word)
    return liars.doubt(device).lies


def test_every_lie_has_a_rule_and_a_bound_and_lowers_the_confidence() -> None:
    assert set(RULES) == set(Lie)
    for lie in Lie:
        assert RULES[lie].bound
        doubt = Doubt(lies=frozenset({lie}))
        assert 0 < doubt.confidence_1e4 < 10_000
        assert doubt.believed is RULES[lie].believed


def test_the_sixth_change_within_ten_minutes_is_flapping_and_half_an_hour_of_calm_ends_it() -> None:
    liars = Liars(has_lanes=False)
    found = [say(liars, "s", occupied=n % 2 == 0, at=NOON + n * MINUTE) for n in range(FLAPS + 1)]
    assert found == [frozenset()] * FLAPS + [{Lie.FLAPPING}]
    assert not liars.doubt("s").believed
    calm_from = NOON + FLAPS * MINUTE
    liars.look(calm_from + 29 * MINUTE, [])
    assert liars.doubt("s").lies == {Lie.FLAPPING}
    assert list(liars.look(calm_from + 31 * MINUTE, [])) == ["s"]
    assert not liars.doubt("s").lies


def test_cars_that_come_and_go_quickly_are_no_flapping() -> None:
    liars = Liars(has_lanes=False)
    for n in range(40):
        assert not say(liars, "s", occupied=n % 2 == 0, at=NOON + n * timedelta(minutes=3))


def test_the_fifth_repetition_among_ten_messages_is_told_and_ten_clean_ones_end_it() -> None:
    liars = Liars(has_lanes=False)
    found = []
    for n in range(5):
        say(liars, "s", occupied=True, at=NOON + n * HOUR)
        found.append(say(liars, "s", occupied=True, at=NOON + n * HOUR, repeated=True))
    assert found == [frozenset()] * 4 + [{Lie.REPEATING}]
    assert liars.doubt("s").believed
    for n in range(5, 15):
        say(liars, "s", occupied=True, at=NOON + n * HOUR)
    assert not liars.doubt("s").lies


def test_a_broker_that_brings_one_message_twice_accuses_nobody() -> None:
    liars = Liars(has_lanes=False)
    for n in range(30):
        say(liars, "s", occupied=True, at=NOON + n * HOUR)
        assert not say(liars, "s", occupied=True, at=NOON + n * HOUR, repeated=n % 7 == 0)


def test_three_late_words_over_half_an_hour_are_late_and_a_backlog_at_once_is_not() -> None:
    liars = Liars(has_lanes=False)
    ten = 10 * MINUTE
    found = [say(liars, "s", occupied=True, at=NOON + n * 20 * MINUTE, late=ten) for n in range(3)]
    assert found == [frozenset(), frozenset(), {Lie.LATE}]
    say(liars, "s", occupied=True, at=NOON + 80 * MINUTE)
    assert say(liars, "s", occupied=True, at=NOON + 100 * MINUTE) == frozenset()
    for n in range(50):
        assert not say(liars, "backlog", occupied=True, at=NOON + n * timedelta(seconds=1), late=HOUR)


def test_three_of_its_own_longest_pauses_without_a_word_are_silence() -> None:
    liars = Liars(has_lanes=False)
    for n in range(17):
        say(liars, "s", occupied=False, at=NOON + n * HOUR)
    last = NOON + 16 * HOUR
    liars.look(last + 3 * HOUR, [])
    assert not liars.doubt("s").lies
    liars.look(last + 3 * HOUR + MINUTE, [])
    assert liars.doubt("s").lies == {Lie.SILENT}
    assert liars.doubt("s").believed
    assert not say(liars, "s", occupied=False, at=last + 4 * HOUR)


def test_a_place_that_is_taken_longer_than_any_car_is_inside_is_contradicted_until_it_says_otherwise() -> (
    None
):
    liars = Liars(has_lanes=True)
    say(liars, "s", occupied=True, at=NOON)
    liars.look(NOON + 9 * MINUTE, [])
    assert not liars.doubt("s").lies
    liars.look(NOON + HOUR, [NOON - MINUTE])
    assert not liars.doubt("s").lies
    liars.look(NOON + HOUR, [NOON + 30 * MINUTE])
    assert liars.doubt("s").lies == {Lie.CONTRADICTING}
    assert not say(liars, "s", occupied=False, at=NOON + 2 * HOUR)


def test_where_some_of_several_words_must_be_false_all_lose_confidence_and_none_is_accused() -> None:
    liars = Liars(has_lanes=True)
    for n in range(4):
        say(liars, f"s{n}", occupied=True, at=NOON + n * MINUTE)
    liars.look(NOON + HOUR, [NOON - HOUR, NOON - HOUR])
    assert [liars.doubt(f"s{n}").confidence_1e4 for n in range(4)] == [10_000, 10_000, 5_000, 5_000]
    assert not liars.doubted()


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 120), st.integers(1, 2_000)), max_size=30))
def test_cars_that_are_really_inside_contradict_no_sensor(cars: list[tuple[int, int, int]]) -> None:
    """Each car came in, parked some minutes later, and stands there still or has left with its stay."""
    liars = Liars(has_lanes=True)
    events = []
    for number, (came, searched, stood) in enumerate(cars):
        events.append((came + searched, number, True))
        events.append((came + searched + stood, number, False))
    now = 1_500
    for at, number, occupied in sorted(events):
        if at <= now:
            say(liars, f"s{number}", occupied=occupied, at=NOON + at * MINUTE)
    inside = [NOON + came * MINUTE for came, searched, stood in cars if came + searched + stood > now]
    liars.look(NOON + now * MINUTE, inside)
    assert not [device for device, doubt in liars.doubted().items() if Lie.CONTRADICTING in doubt.lies]
    assert all(liars.doubt(device).confidence_1e4 == 10_000 for device in liars.devices())


def test_two_sensors_of_one_place_that_disagree_for_ten_minutes_contradict_each_other() -> None:
    liars = Liars(has_lanes=False)
    say(liars, "left", occupied=True, at=NOON, spot="1")
    say(liars, "right", occupied=False, at=NOON, spot="1")
    liars.look(NOON + 9 * MINUTE, [])
    assert not liars.doubted()
    liars.look(NOON + 10 * MINUTE, [])
    assert {device: doubt.lies for device, doubt in liars.doubted().items()} == {
        "left": {Lie.CONTRADICTING},
        "right": {Lie.CONTRADICTING},
    }
    assert liars.believed_word(SpotId("1")) is None


def busy_places(chances: Chances, draw: Random, visits: int) -> None:
    """Drivers prefer 'near' over 'far': it is taken whenever it is free."""
    for name in ("near", "far", "farther"):
        chances.began(name, occupied=False)
    for _ in range(visits):
        chances.changed("near", occupied=True)
        if draw.random() < 0.2:
            chances.changed("far", occupied=True)
            chances.changed("far", occupied=False)
        chances.changed("near", occupied=False)


def test_a_liked_place_that_everybody_passes_over_is_stuck_and_a_far_one_in_a_quiet_lot_is_not() -> None:
    chances, draw = Chances(), Random(1)
    busy_places(chances, draw, 100)
    assert not any(chances.is_stuck(name) for name in ("near", "far", "farther"))
    needed = 0
    while not chances.is_stuck("near"):
        chances.changed("far", occupied=True)
        chances.changed("far", occupied=False)
        needed += 1
    assert 20 <= needed <= 60
    assert not chances.is_stuck("farther")


@pytest.mark.parametrize(("off", "told"), [(0, 0), (1, 1), (-1, -1), (-3, -3)])
def test_a_count_that_is_off_is_told_within_a_day_whatever_drives_about(off: int, told: int) -> None:
    drift = CounterDrift()
    for minute in range(0, 24 * 60, 5):
        driving = 0 if minute % 720 == 0 else minute % 7
        drift.note(NOON + minute * MINUTE, taken=50 + off - driving, inside=50)
    assert drift.drift == told
    drift.recounted()
    assert drift.drift == 0


def test_proven_liars_cost_the_honest_ones_nothing() -> None:
    liars = Liars(has_lanes=True)
    for n in range(8):
        say(liars, f"liar{n}", occupied=True, at=NOON + n * MINUTE)
    say(liars, "honest", occupied=True, at=NOON + HOUR)
    liars.look(NOON + 2 * HOUR, [NOON + 50 * MINUTE])
    assert liars.doubt("honest").confidence_1e4 == 10_000
    assert len(liars.doubted()) == 8
