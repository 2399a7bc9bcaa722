"""A long proof that was broken off goes on where it was, on the same sources and on no others."""

from __future__ import annotations

from pathlib import Path

from tests.proof.remembered import Remembered


def test_a_seed_that_passed_is_remembered_for_the_sources_it_passed_on(tmp_path: Path) -> None:
    first = Remembered("some_proof", tmp_path / "kept")
    assert first.before(2) is None
    first.passed(2, "all well", 12.34)
    again = Remembered("some_proof", tmp_path / "kept")
    told = again.before(2)
    assert told is not None
    assert told.startswith("all well in 12.3 s at ")
    assert again.before(3) is None
    assert Remembered("another_proof", tmp_path / "kept").before(2) is None
    other = Remembered("some_proof", tmp_path / "kept")
    other.file.write_text(other.file.read_text().replace(other.sources, "f" * 16))
    assert other.before(2) is None, "it passed on other sources"
