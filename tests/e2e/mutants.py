"""Copies of the product in which something is broken on purpose, and the demo that runs their programs.

The comparison is always the real one: only the programs that the demo starts come from the copy, which PYTHONPATH puts before the installed package.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from simulators.demo import Demo
from simulators.demo_plan import DemoPlan
from simulators.report import Report

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("parking", "sync", "drivers", "edge", "cloud", "simulators")
SENSORS_THAT_CHANGE = tuple(f"B-{number:03d}" for number in range(41, 71))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """In the file at `path`, `old` (which stands there once) becomes `new`."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A broken build and the demo in which the fault must bite."""

    mutations: Sequence[Mutation] = ()
    seconds: float = 12.0
    cut_line: bool = False
    kill_agent: bool = False
    bookings: bool = False
    agent_failpoints: Sequence[str] = ()
    orders: Sequence[tuple[float, Mapping[str, object]]] = field(default_factory=tuple)


def changes_at(at_s: float) -> list[tuple[float, Mapping[str, object]]]:
    """Orders by which thirty sensors change their mind at once."""
    return [
        (at_s, {"do": "lie", "spot": spot, "how": "flapping", "times": 1}) for spot in SENSORS_THAT_CHANGE
    ]


def break_copy(folder: Path, mutations: Sequence[Mutation]) -> None:
    """Copy the product into `folder` and break the copy.

    Raises:
        AssertionError: a text to be changed does not stand exactly once where it should.
    """
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, folder / package)
    shutil.copy2(REPOSITORY / "lotgate.py", folder)
    for mutation in mutations:
        path = folder / mutation.path
        text = path.read_text(encoding="utf-8")
        assert text.count(mutation.old) == 1, (
            f"{mutation.path}: {mutation.old!r} stands {text.count(mutation.old)} times"
        )
        path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")


def imported_from(package: str, python_path: Path) -> Path:
    """Where a program that the demo starts finds a package."""
    found = subprocess.run(
        [sys.executable, "-c", f"import {package}; print({package}.__path__[0])"],
        env={"PYTHONPATH": str(python_path)},
        cwd="/",
        check=True,
        capture_output=True,
        text=True,
    )
    return Path(found.stdout.strip())


async def run_mutant(mutant: Mutant, seed: int = 1) -> Report:
    """Run the demo with the mutant's programs."""
    with TemporaryDirectory(prefix="lotgate-mutant-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        copy = folder / "copy"
        copy.mkdir()
        break_copy(copy, mutant.mutations)
        for package in PACKAGES:
            assert imported_from(package, copy) == copy / package
        plan = DemoPlan(
            seconds=mutant.seconds,
            seed=seed,
            cut_line=mutant.cut_line,
            kill_agent=mutant.kill_agent,
            bookings=mutant.bookings,
            environment={"PYTHONPATH": str(copy)},
            agent_failpoints=mutant.agent_failpoints,
            orders=mutant.orders,
        )
        return await Demo(plan, folder, lambda: None).run()
