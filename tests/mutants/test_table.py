"""The mutants can still be made; whether they are caught is for the proof (`python -m tests.mutants`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.__main__ import main
from tests.mutants.running import ROOT, apply_to
from tests.mutants.table import BREAKS, Break


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name)
def test_each_break_can_be_made_and_its_tests_exist(broken: Break, tmp_path: Path) -> None:
    copy = tmp_path / broken.path
    copy.parent.mkdir(parents=True)
    copy.write_bytes((ROOT / broken.path).read_bytes())
    apply_to(tmp_path, broken)
    assert copy.read_bytes() != (ROOT / broken.path).read_bytes()
    if copy.suffix == ".py":
        compile(copy.read_text(encoding="utf-8"), broken.path, "exec")
    assert [test for test in broken.tests if not (ROOT / test.partition("::")[0]).exists()] == []


def test_there_are_twenty_of_them_at_least_each_with_a_name_of_its_own() -> None:
    assert len(BREAKS) >= 20
    assert len({broken.name for broken in BREAKS}) == len(BREAKS)


@pytest.mark.proof
def test_at_least_95_of_100_mutants_are_caught() -> None:
    assert main([]) == 0
