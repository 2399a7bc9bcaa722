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
