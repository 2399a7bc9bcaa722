"""HTTP as thin as it gets: a crowd of clients in one loop must not be what a race waits for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A status and the JSON that came with it, after `took_s` real seconds."""

    status: int
    body: dict[str, Any]
    took_s: float


class PlainHttp:
    """One kept-alive connection; one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, port: int) -> PlainHttp:
        """Connect to this machine's `port`."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(
        self, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        """Send, and wait for the whole answer."""
        payload = b"" if body is None else json.dumps(body).encode()
        told = {
            "Host": "localhost",
            "Content-Type": "application/json",
            "Content-Length": str(len(payload)),
            **(headers or {}),
        }
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items()), "", ""]
        began_s = asyncio.get_running_loop().time()
        self._writer.write("\r\n".join(lines).encode() + payload)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        text = await self._reader.readexactly(length)
        took_s = asyncio.get_running_loop().time() - began_s
        return Answered(status=int(head.split()[1]), body=json.loads(text), took_s=took_s)

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()
