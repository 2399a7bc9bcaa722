"""The demo's own subscriber: an ordinary client of the centre's WebSocket and API that notes when it heard of what.

It measures what a customer of the API would see, on real monotonic time, and counts the answers that are the centre's fault (5xx).
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

SEARCH_EVERY_S = 0.5
RETRY_S = 0.2
SERVER_ERROR = 500


class Subscriber:
    """Subscribes to one lot and asks for it now and then, until left. `seen` is (spot number, state, real monotonic instant)."""

    def __init__(self, centre: str, token: str, lot: str) -> None:
        self.seen: list[tuple[str, str, float]] = []
        self.updates = 0
        self.errors = 0
        self.asked = 0
        self._centre = centre
        self._token = token
        self._lot = lot
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._ask())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def server_errors(self) -> int:
        """How many answers were the centre's fault.

        Raises:
            Exception: what ended listening or asking before its time.
        """
        for task in self._tasks:
            if task.done():
                task.result()
        return self.errors

    async def _listen(self) -> None:
        address = self._centre.replace("http", "ws", 1) + "/ws"
        while True:
            try:
                async with connect(address, proxy=None) as socket:
                    await socket.send(json.dumps({"type": "authenticate", "token": self._token}))
                    await socket.send(json.dumps({"type": "subscribe", "lot": self._lot}))
                    async for message in socket:
                        self._take(json.loads(message), time.monotonic())
            except (OSError, WebSocketException):
                await asyncio.sleep(RETRY_S)

    def _take(self, message: dict[str, object], at_s: float) -> None:
        if message.get("type") != "availability_update":
            return
        self.updates += 1
        data = message.get("data")
        spots = data.get("spots", []) if isinstance(data, dict) else []
        self.seen += [(str(spot["number"]), str(spot["state"]), at_s) for spot in spots]

    async def _ask(self) -> None:
        """What a navigation service would ask, twice a second."""
        near = {"lat": 51.3813, "lng": -2.3590, "radius": 1_000}
        async with httpx.AsyncClient(base_url=self._centre, timeout=10.0) as client:
            while True:
                for path, query in (
                    ("/api/v1/parking-lots", near),
                    (f"/api/v1/parking-lots/{self._lot}", {}),
                ):
                    with suppress(httpx.TransportError):  # a centre that is dead answers nothing wrong
                        answer = await client.get(path, params=query)
                        self.asked += 1
                        self.errors += answer.status_code >= SERVER_ERROR
                await asyncio.sleep(SEARCH_EVERY_S)
