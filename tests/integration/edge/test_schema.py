"""The ledger's schema: from scratch and step by step it is the same, and all that is asked of it stands in one file."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database

import edge.store
from edge.errors import StoreDamaged, StoreInUse, StoreTooNew
from edge.store import database
from edge.store.migrations import LEDGER
from edge.store.named_queries import QUERIES, parse_queries
from tests.integration.edge.conftest import Premises

FOLDER = Path(edge.store.__file__).parent
SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|PRAGMA|CREATE (TABLE|INDEX|TRIGGER))\b")


def shape(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Every table, index and trigger, without comments and spacing."""
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE '%sqlite%' ORDER BY name"
    )
    return [(kind, name, " ".join(re.sub(r"--.*", "", sql).split())) for kind, name, sql in rows]


def test_the_schema_from_scratch_is_the_schema_by_migrations() -> None:
    scratch = sqlite3.connect(":memory:")
    scratch.executescript((FOLDER / "schema.sql").read_text())
    stepped = Database(memory=True)
    LEDGER.apply(stepped)
    assert shape(scratch) == shape(stepped.conn)
    scratch.close()
    stepped.close()


def test_a_ledger_of_an_earlier_version_is_brought_up_without_loss(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    old = Database(sqlite3.connect(path, isolation_level=None))
    LEDGER.apply(old, stop_before="0002_claims_never_overlap")
    old.table("meta").insert({"key": "boot", "value": "b"})
    old.close()
    opened = database.open_to_write(path)
    assert opened.conn.execute(QUERIES["read_meta"]).fetchone()["value"] == "b"
    assert not LEDGER.pending(opened)
    opened.close()


def looked_through_for_each_row(connection: sqlite3.Connection, statement: str) -> list[str]:
    """The tables that SQLite would look through once for every row of another."""
    bound = dict.fromkeys(re.findall(r":(\w+)", statement), 0)
    steps = {row[0]: (row[1], row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", bound)}

    def for_each_row(step: int) -> bool:
        parent, detail = steps.get(step, (0, ""))
        return "CORRELATED" in detail or (parent != 0 and for_each_row(parent))

    return [detail for step, (_, detail) in steps.items() if detail.startswith("SCAN") and for_each_row(step)]


FEW_ROWS = frozenset({"drop_documents"})
"""What goes through a table that keeps a handful of rows."""


@pytest.mark.parametrize(
    "name", [name for name, text in QUERIES.items() if not text.startswith("PRAGMA") and name not in FEW_ROWS]
)
def test_no_statement_looks_through_a_table_for_each_row_of_another(name: str) -> None:
    """One did: a log of fourteen days was tidied for two minutes, and every lane waited for the writer."""
    connection = sqlite3.connect(":memory:")
    connection.executescript((FOLDER / "schema.sql").read_text())
    assert looked_through_for_each_row(connection, QUERIES[name]) == []
    connection.close()


def test_the_look_at_plans_finds_a_table_that_is_looked_through_for_each_row() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript((FOLDER / "schema.sql").read_text())
    slow = "DELETE FROM payments WHERE demand IN (SELECT id FROM demands WHERE payments.state <> 'pending' OR made_us = 0)"
    assert looked_through_for_each_row(connection, slow) != []
    connection.close()


def half_of_it(opened: Database) -> None:
    with opened.atomic():
        opened.execute("CREATE TABLE half (id)")
        opened.execute("this is no SQL")


def test_a_migration_that_dies_in_the_middle_leaves_the_old_schema(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    opened = database.open_to_write(path)
    with pytest.raises(sqlite3.OperationalError):
        half_of_it(opened)
    assert not opened.table("half").exists()
    opened.close()


def test_a_ledger_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    newer = database.open_to_write(path)
    newer.table("_sqlite_migrations").insert(
        {"migration_set": LEDGER.name, "name": "0099_from_the_future", "applied_at": ""}
    )
    newer.close()
    with pytest.raises(StoreTooNew, match="0099_from_the_future"):
        database.open_to_write(path)


def test_two_agents_never_have_one_ledger(premises: Premises) -> None:
    store = premises.open_file()
    with pytest.raises(StoreInUse):
        premises.open_file()
    store.close()
    premises.open_file().close()


def test_what_is_no_ledger_is_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_text("not a ledger at all, but long enough to look like something " * 10)
    with pytest.raises(StoreDamaged):
        database.open_to_write(path)


def test_it_is_written_ahead_and_fully_synchronous(premises: Premises) -> None:
    store = premises.open_file()
    connection = store._database.conn
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    store.close()


def test_there_is_no_sql_in_our_python_but_in_migrations() -> None:
    found = [
        f"{path.name}:{number}"
        for path in FOLDER.parent.rglob("*.py")
        if path.name != "migrations.py"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if SQL.search(line)
    ]
    assert found == []


def test_every_query_has_a_name_a_sentence_and_a_use() -> None:
    text = (FOLDER / "queries.sql").read_text()
    for part in text.split("-- name: ")[1:]:
        name, sentence = part.splitlines()[:2]
        assert sentence.startswith("-- "), name
        assert sentence.rstrip().endswith("."), name
    python = "".join(path.read_text() for path in FOLDER.parent.rglob("*.py"))
    assert [name for name in QUERIES if f'"{name}"' not in python] == []


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        parse_queries("-- name: a\n-- A.\nSELECT 1;\n-- name: a\n-- A.\nSELECT 2;\n")


def test_every_statement_is_one_that_sqlite_understands(premises: Premises) -> None:
    store = premises.open_file()
    for name, statement in QUERIES.items():
        if statement.startswith("PRAGMA"):
            continue
        parameters = dict.fromkeys(re.findall(r":(\w+)", statement), 0)
        store._database.conn.execute(f"EXPLAIN {statement}", parameters).fetchall()
        assert store._database.conn.total_changes >= 0, name
    store.close()
