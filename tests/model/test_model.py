"""The protocol itself, checked by SPIN: the model is clean, and every broken variant of it is caught.

`tests/model/run_all.sh T` does the same by hand with T transactions. Needs spin and gcc (the Makefile installs both).
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
REDUNDANT = {"NO_EPOCH_VOTE"}  # another check stands behind this one: breaking it alone breaks nothing


def checked(transactions: int) -> dict[str, str]:
    """What `run_all.sh` says of each variant, by its name; its last word is ok where the outcome is the expected one."""
    run = subprocess.run(
        [FOLDER / "run_all.sh", str(transactions)], capture_output=True, text=True, check=False, timeout=3_600
    )
    lines = {line.split(" errors=")[0].strip(): line for line in run.stdout.splitlines()}
    assert run.returncode == 0, run.stdout + run.stderr
    return lines


def mutants_of_the_model() -> set[str]:
    return set(re.findall(r"M_([A-Z_]+)", (FOLDER / "edge_sync.pml").read_text())) - {"x"}


def assert_clean(lines: dict[str, str]) -> None:
    assert "errors=0" in lines["protocol"]
    told = {name.split()[1] for name in lines if name.startswith("mutant")}
    assert told == mutants_of_the_model()
    for name, line in lines.items():
        survives = name == "protocol" or name.split()[1] in REDUNDANT
        assert f"errors={0 if survives else 1}" in line, line


def test_the_protocol_of_one_transaction_has_no_error_and_every_mutant_is_caught() -> None:
    assert_clean(checked(1))


@pytest.mark.proof
def test_the_protocol_of_two_transactions_has_no_error_and_every_mutant_is_caught() -> None:
    assert_clean(checked(2))
