"""What the provider remembers when its process dies: a file of all that it was asked and did, which the next process goes through again.

Theory. A provider is a function of its seed, of what it was asked and of the instants at which it was. So a line is an operation that was carried out (refused or
not), an order that changed something, an answer that is kept under an idempotency key, or an event that was delivered; carrying out the same at the same
instants gives the same ids and the same state. An operation, its lines and the webhooks that it causes are one step of the event loop, so whoever heard
of something finds it in the file, however the process dies (the page cache outlives it). What was ordered to go wrong ends with the process.

    done    at operation name form key        order  at order        kept  at key asked status body        delivered  event
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]


class Books:
    """An append-only file; no path: nothing is remembered."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._file = None if path is None else path.open("a", encoding="utf-8", buffering=1)

    def lines(self) -> Iterator[Line]:
        """What was written so far; a last line that a death cut short was heard by nobody, and is taken off."""
        if self._path is None or self._file is None:
            return
        text = self._path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            self._file.truncate(len(whole.encode()))
        for line in whole.splitlines():
            yield json.loads(line)

    def add(self, what: str, **fields: object) -> None:
        """Write one line."""
        if self._file is not None:
            self._file.write(json.dumps({"what": what, **fields}, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()
