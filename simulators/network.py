"""A line between two processes that can fail as real lines do: a TCP proxy that is cut, goes half dead, or becomes slow, by direction.

A *cut* line closes what is open and refuses what comes; a *silent* direction takes bytes and delivers none, while the connection stays open (the
worse fault: nobody is told); a *slow* one delivers late. `forget` drops connections once, without a fault that lasts.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self

CHUNK = 65_536


class Direction(StrEnum):
    """Which way bytes go: `up` from who dials to who listens, `down` back."""

    UP = "up"
    DOWN = "down"


@dataclass(slots=True, kw_only=True)
class Line:
    """One line to 127.0.0.1:`target_port`; dial `port`."""

    target_port: int
    port: int = 0
    cuts: int = 0
    silent: set[Direction] = field(default_factory=set)
    delay_s: dict[Direction, float] = field(default_factory=dict)
    passed_bytes: dict[Direction, int] = field(default_factory=lambda: dict.fromkeys(Direction, 0))
    _is_cut: bool = False
    _server: asyncio.Server | None = None
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        self.forget()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def cut(self) -> None:
        """Close every connection, and every new one at once."""
        self.cuts += not self._is_cut
        self._is_cut = True
        self.forget()

    def mend(self) -> None:
        """Let bytes pass again, in both directions and in time."""
        self._is_cut = False
        self.silent.clear()
        self.delay_s.clear()

    def forget(self) -> None:
        """Close the connections that are open now."""
        for connection in tuple(self._connections):
            connection.cancel()

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._is_cut:
            back.transport.abort()
            return
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            await self._join(near, back)
        except asyncio.CancelledError:
            # A cut is no failure of the proxy: the task ends here, and asyncio's server must not hear of it.
            back.transport.abort()

    async def _join(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            far, out = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            back.transport.abort()
            return
        ways = [
            asyncio.ensure_future(self._pass(near, out, Direction.UP)),
            asyncio.ensure_future(self._pass(far, back, Direction.DOWN)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            out.transport.abort()
            back.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, way: Direction) -> None:
        while data := await source.read(CHUNK):
            if way in self.silent:
                continue
            if delay_s := self.delay_s.get(way, 0.0):
                await asyncio.sleep(delay_s)
            target.write(data)
            self.passed_bytes[way] += len(data)
            await target.drain()
