"""Breaks a copy of the tree, runs the tests that must notice it, and says whether they did."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants.table import Break

ROOT = Path(__file__).parents[2]
ROOMS = (
    "parking",
    "sync",
    "drivers",
    "edge",
    "cloud",
    "simulators",
    "tests",
    "config",
    "docs",
    "deploy",
    "systemd",
)
FILES = ("lotgate.py", "pyproject.toml")
TIMEOUT_S = 600
FAILED = 1
"""pytest's exit status where tests failed; others say that they did not run."""


class Verdict(StrEnum):
    """What became of a mutant. `unclear`: its tests did not run, which proves nothing."""

    CAUGHT = "caught"
    SURVIVED = "survived"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row of the table: what it took in real seconds, and by which test it was caught."""

    broken: Break
    verdict: Verdict
    seconds: float
    by: str = ""


def apply_to(folder: Path, broken: Break) -> None:
    """Break the copy in `folder`.

    Raises:
        ValueError: the text does not stand there exactly once.
    """
    path = folder / broken.path
    text = path.read_text(encoding="utf-8")
    if text.count(broken.old) != 1:
        raise ValueError(f"{broken.name}: its text stands {text.count(broken.old)} times in {broken.path}")
    path.write_text(text.replace(broken.old, broken.new), encoding="utf-8")


def run(broken: Break) -> Result:
    """Break a fresh copy and run its tests there; the checkout is not touched."""
    with TemporaryDirectory(prefix="lotgate-mutant-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _copy_to(folder)
        apply_to(folder, broken)
        began_s = time.monotonic()
        status, output = _tests_in(folder, broken.tests)
    seconds = time.monotonic() - began_s
    verdict = {0: Verdict.SURVIVED, FAILED: Verdict.CAUGHT}.get(status, Verdict.UNCLEAR)
    found = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    by = (
        found[0].split(" - ")[0].partition("::")[2] if found else output[-200:] * (verdict is Verdict.UNCLEAR)
    )
    return Result(broken=broken, verdict=verdict, seconds=seconds, by=by)


def run_unbroken(tests: Sequence[str]) -> tuple[bool, str]:
    """Whether these tests pass where nothing is broken, and what they said: else their failures prove nothing."""
    with TemporaryDirectory(prefix="lotgate-mutant-", ignore_cleanup_errors=True) as name:
        _copy_to(Path(name))
        status, output = _tests_in(Path(name), tests)
    return status == 0, output


def _copy_to(folder: Path) -> None:
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copy2(ROOT / file, folder)


def _tests_in(folder: Path, tests: Sequence[str]) -> tuple[int, str]:
    # Hypothesis must not remember what it found in an earlier mutant.
    environment: Mapping[str, str] = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # A test that is named by itself may be one of the long proofs.
    wanted = "proof or not proof" if any("::" in test for test in tests) else "not proof"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", wanted, "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return FAILED, f"FAILED ::no end within {TIMEOUT_S} s"
    return done.returncode, done.stdout + done.stderr
