"""What holds for every file of the project, held by looking at every file of the project."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("lotgate.py", "parking", "sync", "drivers", "edge", "cloud", "simulators")
SQL = re.compile(
    r"\b(SELECT\s+\S.*\bFROM\b|SELECT\s+\w+\(|INSERT\s+(OR\s+\w+\s+)?INTO\b|UPDATE\s+\w+\s+SET\b|DELETE\s+FROM\b"
    r"|(CREATE|DROP|ALTER)\s+(TABLE|INDEX|TRIGGER|VIEW|EXTENSION|DATABASE|ROLE)\b|PRAGMA\s+\w|BEGIN\s+IMMEDIATE"
    r"|\bVACUUM\b|EXPLAIN\s+\(?\w)",
    re.DOTALL,
)
# Spelt in two halves, so that this file does not hold what it looks for.
UNFINISHED = re.compile(r"\b(TO" + "DO|FIX" + r"ME|XX" + r"X)\b")
MACHINE = re.compile(r"(?<![\w.{$])/(work|root|home)" + r"/\w")
REGISTRY = re.compile(
    "|".join(["pypi" + r"\.org", "python" + "hosted", "registry" + r"\.npmjs", "index" + "-url (?!--)"])
)


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def lines_of(names: list[str]) -> Iterator[tuple[str, int, str]]:
    for name in names:
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            yield name, number, line


def product_modules() -> list[str]:
    return [name for name in tracked() if name.endswith(".py") and name.split("/")[0] in PRODUCT]


def test_no_statement_of_sql_is_in_our_python_but_in_migrations() -> None:
    found = []
    for name in product_modules():
        if "migrations" in name:
            continue
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        prose = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                found += [(name, node.lineno)] if SQL.search(node.value) else []

    assert found == []


@pytest.mark.parametrize(
    "statement",
    ["SELECT seq FROM log", "INSERT INTO claims", "UPDATE stays SET state", "DELETE FROM log", "PRAGMA wal"],
)
def test_the_search_for_sql_would_find_it(statement: str) -> None:
    assert SQL.search(statement)


def test_nothing_is_left_to_be_done_in_a_comment() -> None:
    assert [(name, number) for name, number, line in lines_of(tracked()) if UNFINISHED.search(line)] == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert [(name, number) for name, number, line in lines_of(tracked()) if MACHINE.search(line)] == []


def test_no_file_names_a_package_index() -> None:
    assert [(name, number) for name, number, line in lines_of(tracked()) if REGISTRY.search(line)] == []


def test_the_lock_names_no_address_and_a_hash_for_every_package() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    packages = re.findall(r"^([A-Za-z0-9][\w.-]*)==", lock, re.MULTILINE)

    assert "://" not in lock
    assert len(packages) > 50
    assert all(
        re.search(rf"^{re.escape(name)}==.*\\\n\s+--hash=sha256:", lock, re.MULTILINE) for name in packages
    )


def test_every_dependency_has_a_floor_and_stands_in_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *(name for extra in extras.values() for name in extra)]
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))

    for requirement in asked:
        name = re.match(r"[\w.-]+", requirement)
        assert name is not None
        assert name[0].lower().replace("_", "-") in locked, requirement
        assert requirement.startswith("types-") or ">=" in requirement or "==" in requirement, requirement


def test_an_ignored_complaint_of_a_tool_gives_its_reason() -> None:
    bare = re.compile(r"#\s*(noqa(: [A-Z0-9, ]+)?|type: ignore(\[[\w, -]+\])?)\s*$")

    assert [
        (name, number)
        for name, number, line in lines_of(product_modules())
        if bare.search(line) and '"""' not in line
    ] == []


def test_a_decision_is_one_page_with_the_file_it_lives_in() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))

    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        text = path.read_text()
        assert text.count("\n") <= 50, path.name
        files = re.findall(r"`([\w./-]+\.(?:py|sql|md|toml|sh|service|lock|conf|html))`", text)
        assert files, path.name
        assert [name for name in files if "/" in name and not (ROOT / name).exists()] == [], path.name


def test_every_file_that_the_documents_link_to_is_there() -> None:
    broken = []
    for name in tracked():
        if not name.endswith(".md"):
            continue
        targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / name).read_text())
        broken += [(name, target) for target in targets if not ((ROOT / name).parent / target).exists()]

    assert broken == []
