"""The line breaks between prepare and commit: the first decision that the centre tells a lot, and all that follows it, is lost on the way.

Theory. The vote has gone up and the decision is made; what is lost is the telling. So the lot holds a place that it may neither sell nor free, until
the line is back or the driver comes with the pass. A proxy cannot know when the lot has voted, but the decision passes through it: a frame is
one MessagePack map whose `kind` is its second entry (sync/codec.py), and the link's messages are neither masked towards the lot nor compressed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from simulators.network import Direction, Filter, Flow, Line
from sync.message_pack import pack

DECISION = pack("kind") + pack("decision")


class DecisionCut:
    """Watches what goes down a line. Armed, it swallows the first decision and everything behind it."""

    def __init__(self) -> None:
        self._line: Line | None = None
        self._lost = asyncio.Event()

    def filters(self) -> Mapping[Direction, Filter]:
        """Of each new connection."""
        return {Direction.DOWN: self._pick}

    def arm(self, line: Line) -> None:
        """The next decision is the last thing that is lost while the way up still works."""
        self._line = line

    async def struck(self, within_s: float) -> bool:
        """Whether a decision was lost, at most `within_s` from now; after that it is armed no more."""
        try:
            async with asyncio.timeout(within_s):
                await self._lost.wait()
        except TimeoutError:
            self._line = None
        return self._lost.is_set()

    def _pick(self, data: bytes) -> bytes:
        line = self._line
        if line is None or DECISION not in data:
            return data
        self._line = None
        line.flow(Direction.DOWN, Flow.SWALLOW)
        self._lost.set()
        return b""
