"""HTTP as thin as it gets: a crowd of clients in one loop must not be what a race waits for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A status and the JSON that came with it, after `took_s` real seconds."""

    status: int
    body: dict[str, Any]
    took_s: float


@dataclass(slots=True, kw_only=True)
class PlainHttp:
    """One kept-alive connection to this machine's `port`; one request at a time, each one that may be asked twice."""

    port: int
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = field(default=None, repr=False)

    async def post(
        self, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        """Send, and wait for the whole answer. A connection that the server closed for being idle is opened again."""
        payload = b"" if body is None else json.dumps(body).encode()
        told = {
            "Host": "localhost",
            "Content-Type": "application/json",
            "Content-Length": str(len(payload)),
            **(headers or {}),
        }
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items()), "", ""]
        request = "\r\n".join(lines).encode() + payload
        began_s = asyncio.get_running_loop().time()
        try:
            status, text = await self._asked(request)
        except (ConnectionError, asyncio.IncompleteReadError):
            await self.close()
            status, text = await self._asked(request)
        took_s = asyncio.get_running_loop().time() - began_s
        return Answered(status=status, body=json.loads(text), took_s=took_s)

    async def _asked(self, request: bytes) -> tuple[int, bytes]:
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        return int(head.split()[1]), await reader.readexactly(length)

    async def close(self) -> None:
        """Hang up."""
        if self.streams is not None:
            _, writer = self.streams
            self.streams = None
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
