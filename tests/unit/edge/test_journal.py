"""What a crash of a driver costs the loop, and what stands in the journal."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest
import structlog

from edge.journal import keep_journal


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def crash_deep(left: int, big: list[int]) -> None:
    if not left:
        raise RuntimeError("a bug in a driver")
    crash_deep(left - 1, big)


def crashed(*, on_terminal: bool) -> tuple[str, float]:
    """The lines of one crash with much in its frames, and the seconds that telling it took."""
    heard = io.StringIO()
    with redirect_stderr(heard):
        keep_journal(on_terminal=on_terminal)
        log = structlog.stdlib.get_logger("drivers.supervisor")
        try:
            crash_deep(40, list(range(100_000)))
        except RuntimeError:
            began = time.perf_counter()
            log.exception("driver_crashed", driver="bus")
            took_s = time.perf_counter() - began
    return heard.getvalue(), took_s


def test_a_crash_is_one_line_of_json_for_journald() -> None:
    lines, _ = crashed(on_terminal=False)
    (line,) = lines.splitlines()
    told = json.loads(line)
    assert (told["event"], told["driver"], told["level"]) == ("driver_crashed", "bus", "error")
    assert "a bug in a driver" in told["exception"]


@pytest.mark.parametrize("on_terminal", [True, False])
def test_telling_a_crash_holds_the_loop_for_no_time_that_a_lane_would_feel(on_terminal: bool) -> None:
    """A rich trace prints every variable of every frame: a tenth of a second and more."""
    lines, took_s = min((crashed(on_terminal=on_terminal) for _ in range(3)), key=lambda one: one[1])
    assert "a bug in a driver" in lines
    assert took_s < 0.02
