"""Tells a reader that is busy from one that has gone mad: cheap to ask, so that the rubbish costs the other drivers nothing.

A person scans a few codes a minute. What comes in one second is counted, lines and bytes; far beyond what the settings allow, the run ends with
`DeviceGoneMad`: the port is closed, health says why, and the supervisor opens it again after a wait that grows while the madness lasts.
"""

from __future__ import annotations

import asyncio

from drivers.errors import DeviceGoneMad

WINDOW_S = 1.0
MAD = 10
MAD_BYTES = 64 * 1024


class Sanity:
    """Counts what came in the second that runs; `lost` fails once it is too much."""

    def __init__(self, device: str, lines_per_s: int) -> None:
        self._device = device
        self._most_lines = MAD * lines_per_s
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._began_at = self._loop.time()
        self._lines = 0
        self._bytes = 0

    def count(self, *, size: int, lines: int) -> None:
        """A read brought `size` bytes, which were so many `lines`."""
        now = self._loop.time()
        if now - self._began_at >= WINDOW_S:
            self._began_at, self._lines, self._bytes = now, 0, 0
        self._lines += lines
        self._bytes += size
        if self._lines > self._most_lines:
            self._lose(f"more than {self._most_lines} lines in a second")
        elif self._bytes > MAD_BYTES:
            self._lose(f"more than {MAD_BYTES} bytes in a second")

    def close(self) -> None:
        """Nobody waits any more."""
        if not self.lost.cancel() and not self.lost.cancelled():
            self.lost.exception()  # whoever waits has it; nobody waiting is no error

    def _lose(self, why: str) -> None:
        if not self.lost.done():
            self.lost.set_exception(DeviceGoneMad(f"{self._device} said {why}"))
