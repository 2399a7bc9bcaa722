"""Tells the broker which messages are durable, in the order in which they came (MQTT 5.0, MQTT-4.6.0-2). Used by drivers/mqtt/client.py."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

import aiomqtt


class Acknowledger:
    """Acknowledges in the order of arrival what has become durable."""

    def __init__(self, acknowledge: Callable[[aiomqtt.Message], None]) -> None:
        self._acknowledge = acknowledge
        self._waiting: deque[_Arrived] = deque()
        self._open = True

    def close(self) -> None:
        """Stop: the connection is gone, and what is not acknowledged comes again."""
        self._open = False

    def arrived(self, message: aiomqtt.Message, durable: list[asyncio.Future[None]]) -> None:
        """Note a message and the futures of its readings; one that carried no reading is durable."""
        arrived = _Arrived(message, len(durable))
        self._waiting.append(arrived)
        for future in durable:
            future.add_done_callback(partial(self._settled, arrived))
        self._advance()

    def _settled(self, arrived: _Arrived, future: asyncio.Future[None]) -> None:
        if future.cancelled() or future.exception() is not None:
            return  # the agent is going down: unacknowledged, it comes again, and so does what came after it
        arrived.not_durable -= 1
        self._advance()

    def _advance(self) -> None:
        while self._open and self._waiting and not self._waiting[0].not_durable:
            self._acknowledge(self._waiting.popleft().message)


class _Arrived:
    __slots__ = ("message", "not_durable")

    def __init__(self, message: aiomqtt.Message, not_durable: int) -> None:
        self.message = message
        self.not_durable = not_durable
