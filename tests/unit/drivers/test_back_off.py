from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.back_off import BackOff


@given(attempt=st.integers(0, 10_000), seed=st.integers())
def test_a_wait_is_never_longer_than_the_bound_of_its_attempt_and_never_than_the_ceiling(
    attempt: int, seed: int
) -> None:
    policy = BackOff(first_s=0.5, ceiling_s=30)
    assert 0 <= policy.delay_s(attempt, Random(seed)) <= policy.bound_s(attempt) <= 30


def test_the_bound_doubles_until_the_ceiling() -> None:
    policy = BackOff(first_s=1, ceiling_s=10)
    assert [policy.bound_s(attempt) for attempt in range(6)] == [1, 2, 4, 8, 10, 10]


def test_a_thousand_clients_of_one_broker_do_not_come_back_together() -> None:
    policy = BackOff(first_s=8, ceiling_s=8)
    delays = [policy.delay_s(0, Random(seed)) for seed in range(1_000)]
    busiest_second = max(sum(second <= delay < second + 1 for delay in delays) for second in range(8))
    assert busiest_second < 200


@pytest.mark.parametrize(("first_s", "ceiling_s"), [(0, 1), (2, 1), (-1, 1)])
def test_a_policy_that_cannot_wait_is_refused(first_s: float, ceiling_s: float) -> None:
    with pytest.raises(ValueError, match="ceiling_s"):
        BackOff(first_s=first_s, ceiling_s=ceiling_s)
