from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulators.web_crowd import DOUBT_AT, DOUBT_COMES_AT, RACERS, RIVALS, in_doubt, racers, web_drivers

CUT, KILL, MENDED = 1 / 3, 1 / 2, 2 / 3


@given(seed=st.integers(0, 10_000))
def test_every_seed_books_before_during_and_after_the_cut_and_some_come_while_it_lasts(seed: int) -> None:
    drivers = web_drivers(seed)
    assert [one.asks_at for one in drivers] == sorted(one.asks_at for one in drivers)
    assert len({one.driver for one in drivers}) == len(drivers)
    assert sum(1 for one in drivers if one.asks_at < CUT) >= 3
    assert sum(1 for one in drivers if CUT < one.asks_at < MENDED) >= 2
    assert any(one.asks_at > MENDED for one in drivers)
    assert sum(1 for one in drivers if one.comes_at is not None and CUT < one.comes_at < MENDED) >= 2
    assert all(one.comes_at is None or one.asks_at < one.comes_at < 1 for one in drivers)
    assert web_drivers(seed) == drivers


def test_the_one_in_doubt_comes_while_the_line_is_down_with_time_to_queue() -> None:
    assert in_doubt().asks_at == DOUBT_AT == CUT
    assert CUT < DOUBT_COMES_AT < KILL


def test_more_race_than_there_are_places_of_the_type_in_the_demo_s_lot() -> None:
    assert len(racers()) == RACERS > 10
    assert RIVALS >= 1
