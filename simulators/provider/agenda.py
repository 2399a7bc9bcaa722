"""The provider's time, and what is to happen later in it.

Its hours are civil ones (a demo at speed 60 authenticates a card in a second) or real ones, as it was told. `advance` makes time pass at once,
for tests of what takes a week.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count

from parking.clock import Clock


class Agenda:
    """Due things are done in the order of their instants; those of one instant in the order in which they were put down."""

    def __init__(self, clock: Clock, *, civil: bool) -> None:
        self._clock = clock
        self._civil = civil
        self._began_at = clock.now()
        self._began_s = clock.monotonic()
        self._ahead = timedelta()
        self._again_at: datetime | None = None
        self._waiting: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = count()
        self._changed = asyncio.Event()

    def now(self) -> datetime:
        """The provider's instant, aware UTC."""
        if self._again_at is not None:
            return self._again_at
        if self._civil:
            return self._clock.now() + self._ahead
        return self._began_at + timedelta(seconds=self._clock.monotonic() - self._began_s) + self._ahead

    def after(self, delay: timedelta, what: Callable[[], None]) -> None:
        """Do `what` when `delay` of the provider's time is over."""
        heapq.heappush(self._waiting, (self.now() + delay, next(self._numbers), what))
        self._changed.set()

    def advance(self, by: timedelta) -> None:
        """Let time pass at once, and do what falls due in it."""
        self._ahead += by
        self.catch_up()
        self._changed.set()

    def catch_up(self) -> datetime:
        """Do what is due, until this instant. Whoever reads the provider's state calls this first."""
        now = self.now()
        while self._waiting and self._waiting[0][0] <= now:
            _, _, what = heapq.heappop(self._waiting)
            what()
        return now

    def again(self, at: datetime | None) -> None:
        """It is this instant once more, and what was due by then happens; None: it is now."""
        self._again_at = at
        if at is not None:
            self.catch_up()

    async def run(self) -> None:
        """Do things as they fall due, until cancelled."""
        while True:
            self._changed.clear()
            self.catch_up()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._next_s()):
                    await self._changed.wait()

    def _next_s(self) -> float | None:
        if not self._waiting:
            return None
        left = max(timedelta(), self._waiting[0][0] - self.now())
        return self._clock.real_s(left) if self._civil else left.total_seconds()
