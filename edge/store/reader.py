"""Looks into a ledger's file without ever writing, while the agent runs or while it does not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from edge.store.database import open_to_read, storing
from edge.store.named_queries import QUERIES
from sync.messages import LogRow


class StoreReader:
    """One connection that only reads; each question sees the file as of the last commit."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            StoreUnwritable: there is none, or it may not be read.
            StoreDamaged: it is no ledger.
        """
        self.path = path
        self._reader = open_to_read(path)

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()

    def rows(self, query: str, **parameters: object) -> list[sqlite3.Row]:
        """All rows that a named query answers with.

        Raises:
            StoreError: the file cannot be read.
        """
        with storing():
            return self._reader.execute(QUERIES[query], parameters).fetchall()

    def log_page(self, *, epoch: int, after_seq: int, limit: int) -> tuple[LogRow, ...]:
        """Durable rows after `after_seq`, in order, at most `limit`, as stored."""
        found = self.rows("log_page", epoch=epoch, after_seq=after_seq, limit=limit)
        return tuple(LogRow(seq=row["seq"], hash=row["hash"], body=row["body"]) for row in found)

    def hash_at(self, *, epoch: int, seq: int) -> bytes | None:
        """The hash of a durable row; None where it is not there."""
        found = self.rows("hash_at", epoch=epoch, seq=seq)
        return found[0]["hash"] if found else None

    def used_bytes(self) -> int:
        """Bytes of the file that hold something."""
        pages = [self.rows(query)[0][0] for query in ("page_count", "free_pages", "page_size")]
        return int((pages[0] - pages[1]) * pages[2])
