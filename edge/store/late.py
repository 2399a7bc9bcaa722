"""A store whose disk takes nothing at the start: what the card holds is read into memory, gates go on, and the file is opened when it can be.

Nothing is durable meanwhile and nothing says it is: `commit` refuses with `StoreUnwritable` until the file can be opened, which the writer
takes as the degraded state and tries again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from sqlite_utils import Database

from edge.errors import StoreError
from edge.store.cipher import PlateCipher
from edge.store.database import open_to_read, storing
from edge.store.migrations import LEDGER
from edge.store.store import NumberedChange, Store
from parking.lot import Spot
from sync.failpoints import Failpoints


class LateStore(Store):
    """A ledger in memory until its file can be written."""

    def __init__(self, path: Path, *, cipher: PlateCipher, failpoints: Failpoints) -> None:
        """Read the file into memory; an empty ledger where there is none.

        Raises:
            StoreError: the file is there and cannot be read either.
        """
        self.path = path
        self._cipher = cipher
        self._failpoints = failpoints
        self._spots: tuple[Spot, ...] = ()
        self._arrived = False
        memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        with ExitStack() as opened, storing():
            opened.callback(memory.close)
            if path.exists():
                _copy(path, memory)
            memory.row_factory = sqlite3.Row
            self._database = Database(memory)
            LEDGER.apply(self._database)
            self._reader = memory
            self._opened = opened.pop_all()

    def put_layout(self, spots: Iterable[Spot]) -> None:
        """See `Store.put_layout`; the file is told once it can be opened."""
        self._spots = tuple(spots)
        super().put_layout(self._spots)

    def commit(self, batch: Sequence[NumberedChange]) -> None:
        """See `Store.commit`.

        Raises:
            StoreUnwritable: the file still cannot be opened.
        """
        if not self._arrived:
            self._arrive()
        super().commit(batch)

    def _arrive(self) -> None:
        file = Store(self.path, cipher=self._cipher, failpoints=self._failpoints)
        self._opened.callback(file.close)
        file.put_layout(self._spots)
        self._database, self._reader = file._database, file._reader  # noqa: SLF001 - it becomes that store
        self._arrived = True


def _copy(path: Path, memory: sqlite3.Connection) -> None:
    """Everything that can be read; where not even the write-ahead log's index can be made, what was folded back."""
    try:
        file = open_to_read(path)
    except StoreError:
        file = open_to_read(path, immutable=True)
    try:
        file.backup(memory)
    finally:
        file.close()
