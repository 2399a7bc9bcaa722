"""A driver's eyes and fingers at a lane's kiosk: the local API's event stream and its buttons, over real HTTP.

The stream is opened again whenever it ends or falls silent, on the port that the agent's port file names then: an agent that was killed comes back on
another port. A view counts only if it came after the moment the driver asked, so that nobody pays another's price.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx

from simulators.record import Record
from simulators.wire.camera import Request

SILENCE_S = 6.0
ANSWER_S = 3.0
AGAIN_S = 0.2

View = dict[str, Any]


class LocalApi:
    """The agent's API, wherever it listens now."""

    def __init__(self, port_file: Path, record: Record) -> None:
        self._port_file = port_file
        self._record = record
        self._http = httpx.AsyncClient(timeout=ANSWER_S, limits=httpx.Limits(keepalive_expiry=30))

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def post(
        self, lane: str, act: str, token: str, body: object = None, *, method: str = "POST"
    ) -> bool:
        """Do something at a lane; whether the agent took it up. No agent, no answer: not taken up."""
        headers = {"Authorization": f"Bearer {token}"}
        return await self._sent(lane, method, f"/api/v1/lanes/{lane}/{act}", headers=headers, json=body)

    async def push(self, lane: str, camera: str, token: str, request: Request) -> bool:
        """Send what the lane's camera says; whether the agent took it up."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": request.content_type}
        path = f"/api/v1/cameras/{camera}"
        return await self._sent(lane, "POST", path, headers=headers, content=request.body)

    async def _sent(
        self,
        lane: str,
        method: str,
        path: str,
        *,
        headers: dict[str, str],
        json: object = None,
        content: bytes | None = None,
    ) -> bool:
        base = self._base()
        if base is None:
            return False
        try:
            answer = await self._http.request(
                method, base + path, headers=headers, json=json, content=content
            )
        except httpx.TransportError:
            return False
        if answer.status_code >= 400:
            self._record.note("answered", lane=lane, path=path, status=answer.status_code)
        return answer.is_success

    async def views(self, lane: str, token: str) -> AsyncIterator[View]:
        """The lane's views until the stream ends."""
        base = self._base()
        if base is None:
            return
        timeout = httpx.Timeout(ANSWER_S, read=SILENCE_S)
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with self._http.stream(
                "GET", f"{base}/api/v1/lanes/{lane}/stream", headers=headers, timeout=timeout
            ) as stream:
                if not stream.is_success:
                    self._record.note("answered", lane=lane, path="stream", status=stream.status_code)
                    return
                event = ""
                async for line in stream.aiter_lines():
                    if line.startswith("event: "):
                        event = line.removeprefix("event: ")
                    elif line.startswith("data: ") and event == "view":
                        yield json.loads(line.removeprefix("data: "))
        except httpx.TransportError:
            return

    def _base(self) -> str | None:
        try:
            return f"http://127.0.0.1:{int(self._port_file.read_text(encoding='utf-8'))}"
        except (OSError, ValueError):
            return None


class KioskEye:
    """Follows one lane's screen. `seen` counts the views."""

    def __init__(self, api: LocalApi, lane: str, token: str) -> None:
        self.view: View | None = None
        self.seen = 0
        self._api = api
        self._lane = lane
        self._token = token
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Follow the screen for ever."""
        while True:
            async for view in self._api.views(self._lane, self._token):
                self.view = view
                self.seen += 1
                self._changed.set()
            self.view = None
            await asyncio.sleep(AGAIN_S)

    async def wait(self, wanted: Callable[[View], bool], *, after: int, within_s: float) -> View | None:
        """The first view since `after` (a value of `seen`) that is `wanted`; None where none comes in time."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    if self.seen > after and self.view is not None and wanted(self.view):
                        return self.view
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return None

    async def post(self, act: str, body: object = None, *, method: str = "POST") -> bool:
        """Touch the screen."""
        return await self._api.post(self._lane, act, self._token, body, method=method)
