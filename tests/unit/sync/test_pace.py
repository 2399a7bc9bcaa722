from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync.messages import MAX_PAGE_ROWS
from sync.pace import MIN_ROWS, Pace, PaceSettings

SETTINGS = PaceSettings(rate_per_s=100, burst=50)


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 600)), max_size=60))
def test_never_more_rows_than_burst_and_rate_allow(steps: list[tuple[float, int]]) -> None:
    now_s, gone, pace = 0.0, 0, Pace(SETTINGS, 0.0)
    for passed_s, waiting in steps:
        now_s += passed_s
        rows = pace.allowance(waiting, now_s)
        pace.spent(rows)
        gone += rows
        assert gone <= SETTINGS.burst + SETTINGS.rate_per_s * now_s + 1


@given(st.integers(1, 600), st.floats(0, 1e6), st.integers(0, 50))
def test_at_the_instant_it_names_something_may_go(waiting: int, start_s: float, spent: int) -> None:
    pace = Pace(SETTINGS, start_s)
    pace.spent(spent)
    assert pace.allowance(waiting, pace.ready_at(waiting, start_s)) >= 1


@given(st.lists(st.sampled_from(["quick", "slow", "refused", "lost"]), max_size=40))
def test_page_and_window_stay_within_their_bounds(answers: list[str]) -> None:
    pace = Pace(PaceSettings(), 0.0)
    for answer in answers:
        match answer:
            case "quick":
                pace.answered(0.1)
            case "slow":
                pace.answered(9.0)
            case "refused":
                pace.refused(0.0)
            case _:
                pace.lost()
        assert MIN_ROWS <= pace.rows <= MAX_PAGE_ROWS
        assert 1 <= pace.window <= 4


def test_slow_answers_make_pages_small_and_quick_ones_make_them_large_again() -> None:
    pace = Pace(PaceSettings(), 0.0)
    for _ in range(10):
        pace.answered(5.0)
    assert (pace.rows, pace.window) == (MIN_ROWS, 1)
    for _ in range(25):
        pace.answered(0.05)
    assert (pace.rows, pace.window) == (MAX_PAGE_ROWS, 4)
