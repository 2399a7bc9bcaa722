"""A bound on what one device may say in a second: a reader gone mad sends ten thousand lines a second and fills nobody's disk."""

from __future__ import annotations

import asyncio

from drivers.ports import MalformedReading, Reading, Sink

WINDOW_S = 1.0


class Tap:
    """Lets `per_window` readings through in a second; one malformed reading a second says how many were left out."""

    def __init__(self, device: str, sink: Sink, per_window: int) -> None:
        self._device = device
        self._sink = sink
        self._per_window = per_window
        self._loop = asyncio.get_running_loop()
        self._passed = 0
        self._left_out = 0
        self._window: asyncio.TimerHandle | None = None

    def take(self, reading: Reading) -> None:
        """Pass a reading on, or count it."""
        if self._window is None:
            self._window = self._loop.call_later(WINDOW_S, self._next_window)
        if self._passed >= self._per_window:
            self._left_out += 1
            return
        self._passed += 1
        self._sink.deliver(reading)

    def close(self) -> None:
        """Say what was left out."""
        if self._window is not None:
            self._window.cancel()
        self._tell()

    def _next_window(self) -> None:
        self._window = None
        self._passed = 0
        self._tell()

    def _tell(self) -> None:
        if self._left_out:
            problem = f"{self._left_out} more than {self._per_window} in a second were left out"
            self._left_out = 0
            self._sink.deliver(MalformedReading(device=self._device, field="lines", problem=problem, raw=b""))
