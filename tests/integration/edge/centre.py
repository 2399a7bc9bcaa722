"""A centre on a real WebSocket, kept in memory, that can swallow, drop, hang up and go down for a moment."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from sync.codec import encode
from sync.messages import Frame, FromCoordinator, FromParticipant, Page
from tests.unit.sync.two_ends import CloudDisk, CloudEnd

Heard = TypeVar("Heard", bound=FromParticipant)


@dataclass
class Centre:
    """`swallow_up` and `swallow_down` make a line that stays open and carries nothing that way. `hang_up_after` ends each connection after so
    many frames from the gateway."""

    disk: CloudDisk = field(default_factory=CloudDisk)
    swallow_up: bool = False
    swallow_down: Callable[[Frame], bool] = lambda _: False
    hang_up_after: int | None = None
    slow_s: float = 0.0
    connections: int = 0
    pages: list[Page] = field(default_factory=list)
    said: list[FromCoordinator | FromParticipant] = field(default_factory=list)
    ends: list[tuple[CloudEnd, ServerConnection]] = field(default_factory=list)

    async def serve(self, connection: ServerConnection) -> None:
        self.connections += 1
        end = CloudEnd(self.disk)
        self.ends.append((end, connection))
        end.start()
        with suppress(ConnectionClosed):
            await self._converse(end, connection)
        self.ends.remove((end, connection))

    async def _converse(self, end: CloudEnd, connection: ServerConnection) -> None:
        await self.flush(end, connection)
        carried = 0
        async for data in connection:
            if self.swallow_up:
                continue
            if self.slow_s:
                await asyncio.sleep(self.slow_s)
            end.receive(data if isinstance(data, bytes) else data.encode())
            while end.heard:
                self.said.append(end.heard.popleft())
            await self.flush(end, connection)
            carried += 1
            if end.closed is not None or carried == self.hang_up_after:
                return

    async def flush(self, end: CloudEnd, connection: ServerConnection) -> None:
        while end.out:
            frame = end.out.popleft()
            if not self.swallow_down(frame):
                await connection.send(encode(frame))

    async def add_document(self, kind: str, body: bytes) -> None:
        self.disk.documents.append((len(self.disk.documents) + 1, kind, body))
        for end, connection in tuple(self.ends):
            end.documents_added()
            with suppress(ConnectionClosed):
                await self.flush(end, connection)

    def heard(self, kind: type[Heard]) -> list[Heard]:
        """What the gateway said of the commit, over all its connections, in order."""
        return [frame for frame in self.said if isinstance(frame, kind)]

    async def say(self, frame: FromCoordinator) -> None:
        """Say this in the session of the moment; nowhere where there is none."""
        for end, connection in tuple(self.ends):
            end.say(frame)
            with suppress(ConnectionClosed):
                await self.flush(end, connection)

    async def hang_up(self) -> None:
        for _, connection in tuple(self.ends):
            await connection.close()

    async def drain(self, delay_ms: int) -> None:
        for end, connection in tuple(self.ends):
            end.drain(delay_ms)
            await self.flush(end, connection)


@asynccontextmanager
async def listening(centre: Centre, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The centre's address while it listens."""
    async with serve(centre.serve, "127.0.0.1", 0, ping_interval=None, close_timeout=0.2, ssl=tls) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        scheme = "ws" if tls is None else "wss"
        yield f"{scheme}://127.0.0.1:{port}/api/v1/link"
