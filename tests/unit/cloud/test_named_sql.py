from __future__ import annotations

import re
from pathlib import Path

import pytest

import cloud
from cloud.named_sql import named_sql

ROOT = Path(cloud.__file__).parent
FILES = sorted(ROOT.rglob("queries.sql"))
STATEMENT = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\b.+\b(FROM|VALUES|SET|WHERE)\b", re.DOTALL)


def package_of(path: Path) -> str:
    return ".".join(["cloud", *path.parent.relative_to(ROOT).parts])


@pytest.mark.parametrize("path", FILES, ids=package_of)
def test_every_statement_has_a_name_and_a_sentence(path: Path) -> None:
    for name, statement in named_sql(package_of(path)).items():
        first = statement.decode().splitlines()[0]
        assert re.fullmatch(r"-- [A-Z].+[.:]?", first), f"{name}: no sentence says what it does"


@pytest.mark.parametrize("path", FILES, ids=package_of)
def test_every_statement_is_used(path: Path) -> None:
    code = "\n".join(file.read_text() for file in ROOT.rglob("*.py"))
    unused = [name for name in named_sql(package_of(path)) if f'"{name}"' not in code]
    assert unused == []


def test_no_python_file_but_migrations_holds_sql() -> None:
    for file in ROOT.rglob("*.py"):
        if "migrations" not in file.parts:
            for text in re.findall(r'"""(?:.|\n)*?"""|"[^"\n]*"', file.read_text()):
                assert not STATEMENT.search(text), f"{file.name}: {text[:80]}"


def test_a_name_that_stands_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "twice"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "queries.sql").write_text("-- name: a\n-- One.\nSELECT 1\n\n-- name: a\n-- Two.\nSELECT 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match="twice"):
        named_sql("twice")
