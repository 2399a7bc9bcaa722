"""Many days of one lot and its centre, each drawn from a seed: whatever fails prints the one command that replays it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from edge.commitments import PREPARED
from tests.simulation.command import play_many, playing
from tests.simulation.coverage import needless, not_passed
from tests.simulation.faults import labels

ROOT = Path(__file__).parents[2]
FEW_DAYS = range(1, 17)
"""A day takes five to six seconds of a core: a hundred would take a third of the whole test run."""
DAYS = range(1, 101)
NOT_REACHED = {
    "edge.kiosk.before_sold",  # nothing is sold for nothing
    "edge.kiosk.sold",
    "edge.ledger.before_checkpoint",  # housekeeping is another task, see tests/integration/edge/test_power_cuts.py
    "edge.ledger.after_checkpoint",
}
RESUME = ROOT / ".simulation-seeds.jsonl"


def test_no_day_sells_twice_loses_or_takes_money_without_a_booking_and_calm_comes() -> None:
    days = list(playing(FEW_DAYS, jobs=os.cpu_count() or 1))
    assert [played.failure for played in days if played.failure] == []
    assert all(played.reached[PREPARED] for played in days), (
        "nothing was prepared, and the zeroes mean nothing"
    )


@pytest.mark.proof
def test_a_hundred_days_hold_and_pass_through_every_label_and_every_row_of_the_tables() -> None:
    rows: Counter[str] = Counter()
    reached: Counter[str] = Counter()
    struck: Counter[str] = Counter()
    failures = []
    for played in playing(DAYS, jobs=os.cpu_count() or 1):
        failures += [played.failure] if played.failure else []
        rows.update(played.rows)
        reached.update(played.reached)
        struck.update(played.struck)
    assert failures == []
    assert not_passed(rows) == set()
    everywhere = {*labels("edge"), *labels("cloud")} - NOT_REACHED
    assert everywhere - set(reached) == set()
    assert everywhere - set(struck) == set()


def test_every_excuse_for_a_row_that_no_day_passes_through_is_of_some_row() -> None:
    assert needless() == set()


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
