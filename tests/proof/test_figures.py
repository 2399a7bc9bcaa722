"""The limits of issue 3, section 8, by the benchmarks that measure them; each runs on a machine that does nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def figures_of(benchmark: str) -> dict[str, object]:
    """Run a benchmark as README says; its JSON line."""
    done = subprocess.run(
        [sys.executable, f"benchmarks/{benchmark}.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stderr
    found: dict[str, object] = json.loads(lines[-1])
    assert done.returncode == 0, found
    return found


@pytest.mark.proof
def test_a_lane_decides_within_twenty_milliseconds() -> None:
    figures_of("decision_latency")


@pytest.mark.proof
def test_a_backlog_of_fourteen_days_drains_in_time_and_lanes_go_on() -> None:
    """Complaints rows 21 and 27."""
    figures_of("backlog_drain")


@pytest.mark.proof
def test_an_idle_agent_is_small_and_starts_quickly_on_fourteen_days_of_log() -> None:
    figures_of("idle_agent")


@pytest.mark.proof
def test_an_agent_with_nothing_to_do_takes_less_than_a_hundredth_of_a_core() -> None:
    """Complaints row 22."""
    figures_of("idle_cpu")


@pytest.mark.proof
def test_two_thousand_sensors_lose_nothing_over_restarts_of_the_broker_and_kills_of_the_agent() -> None:
    """Complaints rows 22 and 26."""
    figures_of("soak")


@pytest.mark.proof
def test_sensors_that_lie_are_found_and_honest_ones_left_alone() -> None:
    figures_of("liars")
