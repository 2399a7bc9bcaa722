"""What one durable commit costs on this disk: SQLite alone, WAL, synchronous FULL, one small row a transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

EVERY_S = 0.1


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

    async def commit_beside(self, into: list[float]) -> None:
        """Measure ten commits a second into a list until cancelled, beside whatever else is measured."""
        while True:
            into.append(await asyncio.to_thread(self.commit_ms))
            await asyncio.sleep(EVERY_S)


def three(values: list[float]) -> dict[str, float]:
    """How many, the median, the 99th percentile and the longest."""
    return {
        "n": len(values),
        "p50": round(percentile(values, 50), 2),
        "p99": round(percentile(values, 99), 2),
        "max": round(max(values), 2),
    }


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that `percent` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * percent // 100) - 1)]
