from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from sync.failpoints import Failpoints


def test_the_armed_label_strikes_at_its_nth_hit_and_at_no_other() -> None:
    struck: list[str] = []
    points = Failpoints.parse("edge.here:3", strike=lambda: struck.append("now"))
    for _ in range(2):
        points.hit("edge.here")
        points.hit("edge.there")
    assert struck == []
    points.hit("edge.here")
    points.hit("edge.here")
    assert struck == ["now"]
    assert points.labels_hit == {"edge.here": 4, "edge.there": 2}


@pytest.mark.parametrize("text", [None, ""])
def test_nothing_armed_only_counts(text: str | None) -> None:
    points = Failpoints.parse(text)
    points.hit("edge.here")
    assert points.labels_hit["edge.here"] == 1


@pytest.mark.parametrize("text", ["edge.here:0", "edge.here:soon"])
def test_a_count_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"0|soon"):
        Failpoints.parse(text)


def test_a_strike_ends_the_process_without_any_handler() -> None:
    program = "import atexit; from sync.failpoints import Failpoints; atexit.register(print, 'handled'); Failpoints.parse('x').hit('x')"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout == b""
