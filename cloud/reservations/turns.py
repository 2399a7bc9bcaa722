"""Who begins a booking in a lot, one after the other in this process: they wait here, not on the lot's row with a connection in hand.

Theory. Of many who ask for the same place at once, one gets it. Whoever has the turn and finds nothing says so (`miss`), and everybody
who was waiting for the very same at that moment has the answer too: the miss was found while they asked, so it is theirs as much as if each
had looked. So a crowd of losers costs two looks in each process (the first began before most of them came), and none of them waits for the
others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(slots=True)
class _Queue:
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    looks: int = 0
    missed: dict[Hashable, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Turn:
    """`is_missed`: somebody who looked for the same since we came found nothing."""

    is_missed: bool
    has_missed: bool = False

    def miss(self) -> None:
        """There is nothing of it."""
        self.has_missed = True


class Turns:
    """The queues of all lots; a lot that nobody waits for has none."""

    def __init__(self) -> None:
        self._queues: dict[UUID, _Queue] = {}

    @asynccontextmanager
    async def of(self, lot: UUID, wanted: Hashable) -> AsyncIterator[Turn]:
        """Our turn in `lot` for what is `wanted`."""
        queue = self._queues.setdefault(lot, _Queue())
        came_after = queue.looks
        queue.waiting += 1
        try:
            async with queue.turn:
                # A look counts only where it began after we came.
                turn = Turn(is_missed=queue.missed.get(wanted, 0) > came_after)
                if not turn.is_missed:
                    queue.looks += 1
                began = queue.looks
                yield turn
                if turn.has_missed:
                    queue.missed[wanted] = began
        finally:
            queue.waiting -= 1
            if not queue.waiting:
                del self._queues[lot]
