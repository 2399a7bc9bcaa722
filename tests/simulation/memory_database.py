"""The centre's database in memory, for speed: answers each statement of the services' queries.sql by its name.

Theory. The services run unchanged; what is replaced lies below `connection.execute`. A statement without a stand-in is an error that names it. Rows
are never changed in place, so a table's old row is all that a rollback needs. Nothing here ever waits, so a transaction that
asks nobody else is over before another task runs: transactions follow one another, and a second one that begins meanwhile is an error of the
simulation, not a race. tests/contract/memory holds it to the real SQL on PostgreSQL, and so does each day that is played over both (sql_database.py).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from psycopg.types.json import Jsonb

from cloud.named_sql import named_sql

Row = dict[str, Any]
Answer = Sequence[Row]
Changes = Mapping[tuple[str, Any], None]
"""Tables and keys, in the order in which they were written."""
Handler = Callable[["MemoryDatabase", Mapping[str, Any]], Answer]

FOREVER_AT = datetime.max.replace(tzinfo=UTC)
PACKAGES = ("cloud", "cloud.gateways", "cloud.parking_lots", "cloud.payments", "cloud.reservations")
HANDLERS: dict[str, Handler] = {}
_SQL = {f"{package}.{name}": sql for package in PACKAGES for name, sql in named_sql(package).items()}
_NAMES = {sql: name for name, sql in _SQL.items()}
_MISSING: Any = object()


class NotInMemory(Exception):
    """A statement has no stand-in: write one beside the others in tests/simulation/memory_*.py."""


def answers(*names: str) -> Callable[[Handler], Handler]:
    """This function stands in for these statements, "package.name"."""

    def register(handler: Handler) -> Handler:
        for name in names:
            HANDLERS[name] = handler
        return handler

    return register


def name_of(sql: bytes) -> str:
    """Which statement this is, "package.name"."""
    return _NAMES[sql]


def sql_of(name: str) -> bytes:
    """The statement of "package.name"."""
    return _SQL[name]


class MemoryDatabase:
    """Tables by name, rows by key. `said` hears each NOTIFY once its transaction has committed, `committed` what each commit changed."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.tables: dict[str, dict[Any, Row]] = {}
        self.claims_of_spot: dict[UUID, dict[UUID, None]] = {}
        self.said: Callable[[str], None] = lambda _: None
        self.committed: Callable[[Changes], None] = lambda _: None
        self._undo: list[tuple[str, Any, Row]] = []
        self._words: list[str] = []
        self._depth = 0
        self._owner: asyncio.Task[Any] | None = None
        self._number = 0

    # For the stand-ins

    def table(self, name: str) -> dict[Any, Row]:
        return self.tables.setdefault(name, {})

    def rows(self, name: str) -> list[Row]:
        return list(self.table(name).values())

    def put(self, table: str, key: Any, row: Row) -> None:
        rows = self.table(table)
        self._undo.append((table, key, rows.get(key, _MISSING)))
        if table == "claims":
            self._index(rows.get(key), row)
        rows[key] = row

    def drop(self, table: str, key: Any) -> None:
        rows = self.table(table)
        if key in rows:
            self._undo.append((table, key, rows[key]))
            if table == "claims":
                self._index(rows[key], None)
            del rows[key]

    def look_at_all(self) -> None:
        """What is compared with another store is compared now; this one has none."""

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def say(self, text: str) -> None:
        self._words.append(text)

    def _index(self, before: Row | None, after: Row | None) -> None:
        if before is not None and before["spot_id"] is not None:
            self.claims_of_spot[before["spot_id"]].pop(before["id"], None)
        if after is not None and after["spot_id"] is not None:
            self.claims_of_spot.setdefault(after["spot_id"], {})[after["id"]] = None

    # As a pool gives it

    def connection(self) -> AbstractAsyncContextManager[MemoryConnection]:
        return MemoryConnection(self)

    def execute(self, sql: bytes, parameters: Mapping[str, Any]) -> Answer:
        answer = self.answer(name_of(sql), parameters)
        if self._depth == 0:
            self._commit()
        return answer

    def answer(self, name: str, parameters: Mapping[str, Any]) -> Answer:
        """What the stand-in of "package.name" says; what it changed is not committed yet."""
        handler = HANDLERS.get(name)
        if handler is None:
            raise NotInMemory(name)
        return handler(self, parameters)

    def transaction(self) -> AbstractAsyncContextManager[None]:
        return _Transaction(self)

    def begin(self) -> tuple[int, int]:
        """A transaction, or one within it: the mark to which `fail` goes back."""
        task = asyncio.current_task()
        if self._depth and self._owner is not task:
            raise AssertionError("a transaction waited for somebody else while it was open")
        self._owner = task
        self._depth += 1
        return len(self._undo), len(self._words)

    def end(self) -> None:
        """It is over, and stands if it was the outermost."""
        self._depth -= 1
        if self._depth == 0:
            self._commit()

    def fail(self, mark: tuple[int, int]) -> None:
        """It is over, and nothing of it stands."""
        undo, words = mark
        self._depth -= 1
        self._roll_back(undo)
        del self._words[words:]

    def _roll_back(self, mark: int) -> None:
        while len(self._undo) > mark:
            table, key, row = self._undo.pop()
            rows = self.table(table)
            if table == "claims":
                self._index(rows.get(key), None if row is _MISSING else row)
            if row is _MISSING:
                rows.pop(key, None)
            else:
                rows[key] = row

    def _commit(self) -> None:
        changed = dict.fromkeys((table, key) for table, key, _ in self._undo)
        self._undo.clear()
        words, self._words = self._words, []
        for text in dict.fromkeys(words):  # the same word twice in one transaction is said once
            self.said(text)
        if changed:
            self.committed(changed)


class _Transaction:
    """From its beginning to its end. Not a generator: a day has twenty thousand of them."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def __aenter__(self) -> None:
        self._mark = self._database.begin()

    async def __aexit__(self, kind: type[BaseException] | None, _error: object, _traceback: object) -> None:
        if kind is None:
            self._database.end()
        else:
            self._database.fail(self._mark)


class MemoryConnection:
    """What the services need of a connection, and of its loan from a pool."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def execute(self, sql: bytes, parameters: Mapping[str, Any] | None = None) -> MemoryCursor:
        return MemoryCursor(self._database.execute(sql, parameters or {}))

    def transaction(self) -> AbstractAsyncContextManager[None]:
        return self._database.transaction()


class MemoryCursor:
    """What a statement answered."""

    def __init__(self, rows: Answer) -> None:
        self._rows = rows

    async def fetchone(self) -> Row | None:
        return dict(self._rows[0]) if self._rows else None

    async def fetchall(self) -> list[Row]:
        return [dict(row) for row in self._rows]


def uuid_of(value: object) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))


def uuid_or_none(value: object) -> UUID | None:
    return None if value is None else uuid_of(value)


def as_json(value: object) -> Any:
    """A jsonb column as it is read back."""
    plain = value.obj if isinstance(value, Jsonb) else value
    return None if plain is None else json.loads(json.dumps(plain))


def rows_of(parameters: Mapping[str, Any], *names: str) -> list[Row]:
    """What unnest(…) makes of arrays of one length."""
    return [
        dict(zip(names, values, strict=True)) for values in zip(*(parameters[n] for n in names), strict=True)
    ]
