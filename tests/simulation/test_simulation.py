"""Many days of one lot and its centre, each drawn from a seed: whatever fails prints the one command that replays it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.commitments import PREPARED
from tests.simulation.command import play, play_many

ROOT = Path(__file__).parents[2]
SEEDS = range(1, 7)
RESUME = ROOT / ".simulation-seeds.jsonl"


@pytest.mark.parametrize("seed", SEEDS)
def test_no_day_sells_twice_loses_or_takes_money_without_a_booking_and_calm_comes(seed: int) -> None:
    played = play(seed)
    assert not played.failure, played.failure
    assert played.reached[PREPARED] > 0, "nothing was ever prepared, and the zeroes mean nothing"


def test_a_seed_gives_the_same_trace_in_any_process() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seed", "7"]
    runs = [
        subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True
        )
        for seed in ("1", "2")
    ]
    ends = [run.communicate()[0].splitlines()[-1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert ends[0] == ends[1]
    assert len(ends[0]) == 64


@pytest.mark.proof
def test_twenty_thousand_days_hold() -> None:
    """Resumes where an earlier run was ended: what the file has is not played again."""
    assert play_many(range(1, 20_001), jobs=os.cpu_count() or 1, resume=RESUME) == 0
