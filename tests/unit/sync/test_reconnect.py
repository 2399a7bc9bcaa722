from __future__ import annotations

from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.reconnect import RECONNECT_TABLE, Reconnect, ReconnectEvent, ReconnectState, ceiling_s, step

E = ReconnectEvent


def tried(times: int, random: Random) -> tuple[Reconnect, float]:
    now_s, link = 0.0, Reconnect.start(0.0)
    for _ in range(times):
        now_s = max(now_s, link.until_s)
        link = step(link, E.TIME_CAME, now_s, random)
        link = step(link, E.FAILED, now_s, random)
    return link, now_s


def test_the_first_dial_is_at_once() -> None:
    assert Reconnect.start(7.0).until_s == 7.0


@given(st.integers(1, 40), st.integers())
def test_a_wait_is_never_longer_than_its_ceiling_and_no_ceiling_passes_a_minute(
    times: int, seed: int
) -> None:
    link, now_s = tried(times, Random(seed))
    assert 0 <= link.until_s - now_s <= ceiling_s(times) <= 60


def test_the_ceiling_doubles_from_one_second_to_sixty() -> None:
    assert [ceiling_s(n) for n in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_thousand_lots_do_not_knock_at_once() -> None:
    waits = sorted(tried(7, Random(seed))[0].until_s - tried(7, Random(seed))[1] for seed in range(1_000))
    in_one_second = max(sum(1 for wait in waits if at <= wait < at + 1) for at in range(60))
    assert in_one_second < 60


@pytest.mark.parametrize(("lived_s", "ceiling"), [(29.9, 16.0), (30.0, 1.0)])
def test_only_a_session_that_lived_brings_the_short_waits_back(lived_s: float, ceiling: float) -> None:
    random = Random(1)
    link, _ = tried(4, random)
    link = step(step(link, E.TIME_CAME, 100.0, random), E.OPENED, 100.0, random)
    link = step(link, E.LOST, 100.0 + lived_s, random)
    assert ceiling_s(link.fruitless) == ceiling


def test_a_draining_centre_names_the_delay() -> None:
    random = Random(1)
    link = step(Reconnect.start(0.0), E.TIME_CAME, 0.0, random)
    link = step(step(link, E.OPENED, 1.0, random), E.DRAINED, 2.0, random, delay_s=5.0)
    assert 7.0 <= link.until_s <= 8.0
    assert link.fruitless == 0


@pytest.mark.parametrize(("state", "event"), sorted(set(product(ReconnectState, E)) - set(RECONNECT_TABLE)))
def test_what_the_table_does_not_have_is_refused(state: ReconnectState, event: ReconnectEvent) -> None:
    with pytest.raises(ValueError, match=event):
        step(Reconnect(state=state, since_s=0, until_s=0), event, 0.0, Random(1))
