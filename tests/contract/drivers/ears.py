"""A sink that hears: what a test waits for is awaited, never slept for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from drivers.ports import Reading

PATIENCE_S = 10.0


class Ears:
    """Keeps every reading; each is durable at once unless `hold` is set."""

    def __init__(self, *, hold: bool = False) -> None:
        self.heard: list[Reading] = []
        self.futures: list[asyncio.Future[None]] = []
        self.alive_count = 0
        self._hold = hold
        self._changed = asyncio.Event()

    def deliver(self, reading: Reading) -> asyncio.Future[None]:
        self.heard.append(reading)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._hold:
            durable.set_result(None)
        self.futures.append(durable)
        self._changed.set()
        return durable

    def alive(self) -> None:
        self.alive_count += 1
        self._changed.set()

    async def until(self, holds: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
        """Wait until `holds`, looked at after each reading and each sign of life."""
        async with asyncio.timeout(within_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def hear(self, wanted: Callable[[Reading], bool], *, within_s: float = PATIENCE_S) -> Reading:
        """Wait for a reading, heard already or to come."""
        await self.until(lambda: any(wanted(reading) for reading in self.heard), within_s=within_s)
        return next(reading for reading in self.heard if wanted(reading))
