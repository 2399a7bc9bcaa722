"""The ledger's file: how it is opened, and what SQLite's errors mean to us.

WAL with synchronous = FULL: a commit is one append and one fsync, readers never wait for it, and what was committed
survives a power cut. One connection writes, others look.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from edge.errors import StoreDamaged, StoreError, StoreTooNew, StoreUnwritable
from edge.store.migrations import LEDGER
from edge.store.named_queries import QUERIES

UNWRITABLE = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    }
)
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
BUSY_TIMEOUT_S = 5.0


@contextmanager
def storing() -> Iterator[None]:
    """Give SQLite's errors our names.

    Raises:
        StoreUnwritable: the disk is full, read-only or does not answer.
        StoreDamaged: the file is not what it was.
        StoreError: a statement was refused, among them an overlap of claims: memory and file disagree.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise named(error) from error


def named(error: sqlite3.Error) -> StoreError:
    """SQLite's error as one of ours."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    text = f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"
    if primary in UNWRITABLE:
        return StoreUnwritable(text)
    if primary in DAMAGED:
        return StoreDamaged(text)
    return StoreError(text)


def open_to_write(path: Path) -> Database:
    """The one connection that writes, with every migration applied. It may be used by another thread than the opener's.

    Raises:
        StoreUnwritable, StoreDamaged: see `storing`.
        StoreTooNew: a newer version of lotgate made this file.
    """
    with storing():
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            for pragma in (
                "set_vacuum",
                "set_journal",
                "set_synchronous",
                "set_foreign_keys",
                "set_checkpoint",
                "set_cache",
            ):
                connection.execute(QUERIES[pragma]).fetchall()
            connection.row_factory = sqlite3.Row
            database = Database(connection)
            _refuse_newer(database)
            LEDGER.apply(database)
        except BaseException:
            connection.close()
            raise
    return database


def open_to_read(path: Path, *, immutable: bool = False) -> sqlite3.Connection:
    """A connection that only looks, at any time, whoever writes. `immutable` takes the file alone, without its write-ahead log.

    Raises:
        StoreUnwritable: there is no such file, or it may not be read.
        StoreDamaged: it is no ledger.
    """
    with storing():
        address = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute(QUERIES["set_query_only"])
            connection.execute(QUERIES["set_cache"])
            connection.row_factory = sqlite3.Row
            connection.execute(QUERIES["page_count"]).fetchall()
        except BaseException:
            connection.close()
            raise
    return connection


def _refuse_newer(database: Database) -> None:
    known = {migration.name for migration in LEDGER.applied(database)} | {
        migration.name for migration in LEDGER.pending(database)
    }
    ours = {migration.name for migration in LEDGER._migrations}  # noqa: SLF001 - the set itself has no public list
    if known - ours:
        raise StoreTooNew(f"the ledger was migrated by a newer lotgate: {', '.join(sorted(known - ours))}")
