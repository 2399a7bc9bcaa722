"""What one durable commit costs on this disk: SQLite alone, WAL, synchronous FULL, one small row a transaction."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path


class Disk:
    """A file beside the ledger under test, on the same disk."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS one (id INTEGER PRIMARY KEY, body BLOB)")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def commit_ms(self) -> float:
        """Milliseconds of one commit of 500 bytes."""
        began = time.perf_counter()
        self._connection.execute("INSERT INTO one (body) VALUES (?)", (bytes(500),))
        return (time.perf_counter() - began) * 1_000


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that `percent` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * percent // 100) - 1)]
