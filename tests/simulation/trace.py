"""What happened, line by line, and its hash: the same seed gives the same hash, wherever and whenever it runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from hashlib import sha256

LAST_LINES = 40


class Trace:
    """`show` is given each line as it happens."""

    def __init__(self, now_s: Callable[[], float], show: Callable[[str], None] | None = None) -> None:
        self._now_s = now_s
        self._show = show
        self._hash = sha256()
        self.lines = 0
        self.last: deque[str] = deque(maxlen=LAST_LINES)

    def add(self, who: str, what: str) -> None:
        """Write a line down."""
        line = f"{self._now_s():14.6f} {who} {what}"
        self._hash.update(line.encode())
        self._hash.update(b"\n")
        self.lines += 1
        self.last.append(line)
        if self._show is not None:
            self._show(line)

    @property
    def digest(self) -> str:
        """The hash of everything so far."""
        return self._hash.hexdigest()
