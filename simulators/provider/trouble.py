"""What goes wrong on the way to the provider and back, as ordered: see simulators/provider/orders.py.

Before the operation: nothing is done. After it: it is done, and its caller does not hear of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

HANG_AT_MOST_S = 300.0


class Mishap(StrEnum):
    """One way in which a request goes wrong."""

    DELAY = "delay"
    RATE_LIMIT = "rate_limit"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    HANG_BEFORE = "hang_before"
    HANG_AFTER = "hang_after"


@dataclass(slots=True, kw_only=True)
class Ordered:
    """The next `times` requests of operation `on` ("any": all of them) go wrong so. `delay_s` is real."""

    on: str
    how: Mishap
    times: int
    delay_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Troubles:
    """What is ordered and not yet used up. `down` overrides it until `down_until`: the provider is out for hours."""

    ordered: deque[Ordered] = field(default_factory=deque)
    down: Mishap = Mishap.ERROR_BEFORE
    down_until: datetime | None = None

    def next_for(self, operation: str, now: datetime) -> Ordered | None:
        """What the next request of this operation is to suffer; it is used up."""
        if self.down_until is not None and now < self.down_until:
            return Ordered(on="any", how=self.down, times=1)
        for order in self.ordered:
            if order.on in ("any", operation):
                order.times -= 1
                if order.times <= 0:
                    self.ordered.remove(order)
                return order
        return None


class CutOff(Response):
    """An answer that breaks off: the server closes the connection in the middle of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Announce more than is sent."""
        del scope, receive
        headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


class NoAnswer(CutOff):
    """No answer at all, until the caller has had enough."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the caller to go."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HANG_AT_MOST_S):
                while (await receive())["type"] != "http.disconnect":
                    pass
        await super().__call__(scope, receive, send)
