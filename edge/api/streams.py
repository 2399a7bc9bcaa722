"""Server-sent events: a page listens, and hears from us every few seconds whether or not anything happened."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from edge.api.problems import Problem

MAX_STREAMS = 64
BEAT_S = 2.0
Item = TypeVar("Item")


class Streams:
    """Counts the open streams and bounds them."""

    def __init__(self, limit: int = MAX_STREAMS) -> None:
        self._limit = limit
        self.open = 0

    def refuse_when_full(self) -> None:
        """Refuse another stream where there are too many.

        Raises:
            Problem: 503.
        """
        if self.open >= self._limit:
            raise Problem(
                503,
                "too_many_streams",
                f"{self.open} pages listen already.",
                fix="Close some of them.",
                headers={"Retry-After": "10"},
            )

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count a stream while it is open."""
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


def sse(event: str, data: object) -> str:
    """One event in the form of the HTML standard, section 9.2."""
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


async def with_beats(source: AsyncIterator[Item], beat_s: float = BEAT_S) -> AsyncGenerator[Item | None]:
    """What `source` yields, and None whenever it has been silent for `beat_s` seconds."""
    upcoming = asyncio.ensure_future(_next(source))
    try:
        while True:
            await asyncio.wait({upcoming}, timeout=beat_s)
            if not upcoming.done():
                yield None
                continue
            item = upcoming.result()
            if item is None:
                return
            yield item
            upcoming = asyncio.ensure_future(_next(source))
    finally:
        upcoming.cancel()


async def _next(source: AsyncIterator[Item]) -> Item | None:
    """The next item; None at the end."""
    return await anext(source, None)


async def every(beat_s: float, make: Callable[[], str]) -> AsyncIterator[str]:
    """What `make` makes, now and every `beat_s` seconds."""
    while True:
        yield make()
        await asyncio.sleep(beat_s)
