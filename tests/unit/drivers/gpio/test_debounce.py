"""A contact counts once it has held: whatever bounces, whenever anybody looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gpio.debounce import Debouncer

SETTLE_S = 0.02
RESTLESS_S = 2.0


def contact(level: bool = False, at: float = 0.0) -> Debouncer:
    return Debouncer(level, at, settle_s=SETTLE_S, restless_s=RESTLESS_S)


def test_nothing_is_known_before_a_level_has_held() -> None:
    it = contact()
    assert (it.closed, it.due_at) == (None, SETTLE_S)
    assert not it.look(0.019)
    assert it.look(0.02)
    assert (it.closed, it.due_at) == (False, None)


def test_a_pulse_shorter_than_the_settling_time_is_none() -> None:
    it = contact()
    it.look(1)
    assert not it.feed(True, 1.0)
    assert not it.feed(False, 1.019)
    assert not it.look(9)
    assert it.closed is False


def test_a_level_counts_from_its_last_bounce() -> None:
    it = contact()
    it.look(1)
    for at in (1.0, 1.004, 1.008):
        it.feed(True, at)
        it.feed(False, at + 0.002)
    it.feed(True, 1.012)
    assert not it.look(1.031)
    assert it.look(1.032)
    assert it.closed is True


def test_a_press_that_was_over_before_anybody_looked_is_still_a_press() -> None:
    it = contact()
    it.look(1)
    assert not it.feed(True, 2.0)
    assert it.feed(False, 2.5), "it had held for half a second"
    assert it.closed is True
    assert it.look(3)
    assert it.closed is False


def test_a_contact_that_finds_no_rest_is_not_known_until_it_does() -> None:
    it = contact()
    it.look(1)
    at, level = 1.0, False
    while at < 3.1:
        level = not level
        it.feed(level, at)
        at += 0.01
    assert it.closed is None
    settles_at = it.due_at
    assert settles_at == pytest.approx(at - 0.01 + SETTLE_S)
    assert it.look(at + 1)
    assert it.closed is level


RUNS = st.lists(st.integers(1, 60), min_size=1, max_size=40)


@given(first=st.booleans(), runs=RUNS, looks=st.sets(st.integers(0, 2_500), max_size=60))
def test_what_is_told_depends_on_the_levels_and_never_on_when_somebody_looks(
    first: bool, runs: list[int], looks: set[int]
) -> None:
    """Each run of a level is as long as its number says, in milliseconds; the last one lasts."""
    settle, levels = 20, [first is not bool(place % 2) for place in range(len(runs) + 1)]
    lasting = [level for level, length in zip(levels, [*runs, settle], strict=True) if length >= settle]
    begins = [sum(runs[:place]) for place in range(len(runs) + 1)]
    it = Debouncer(levels[0], 0, settle_s=settle, restless_s=10_000)
    heard: list[bool | None] = []
    steps = sorted([(at, -1) for at in looks if at < begins[-1]] + list(zip(begins, range(99), strict=False)))
    for at, place in steps:
        if it.look(at) if place < 0 else it.feed(levels[place], at):
            heard.append(it.closed)
    if it.look(begins[-1] + settle):
        heard.append(it.closed)
    assert heard == [level for place, level in enumerate(lasting) if lasting[:place][-1:] != [level]]
