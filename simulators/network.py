"""A line that can be cut: a TCP proxy between two processes, with each direction's flow on a tap of its own.

Theory. What a broken line does to TCP, as far as two processes on one machine can tell: it is *cut* (connections are reset, new ones refused),
it *holds* (nothing arrives, the sender's buffer fills: a half-open line), it *swallows* (bytes vanish and the sender believes they went), or it is
slow. Each direction by itself: `UP` is from who dialled to who listens. A connection that lost bytes is broken for good, so `restore` resets it, as its
ends would after their time-outs.

A `Filter` sees one direction's bytes of one connection as they pass and returns those that go on: how a test drops just the acknowledgements of
a protocol (simulators/wire/mqtt_tap.py).

In the demo it is a process: `python -m simulators.network --to HOST:PORT` says {"event": "listening", "port": N} and takes a JSON line each:

    {"do": "cut"}   {"do": "flow", "direction": "up", "how": "hold"}   {"do": "delay", "direction": "down", "delay_s": 0.2}
    {"do": "restore"}   {"do": "status"}   {"do": "end"}
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TextIO

CHUNK = 65_536
Filter = Callable[[bytes], bytes]
Filters = Callable[[], Mapping["Direction", Filter]]


class Direction(StrEnum):
    """Which way bytes go: `up` from who dialled to who listens."""

    UP = "up"
    DOWN = "down"


class Flow(StrEnum):
    """What a direction does with bytes."""

    PASS = "pass"  # noqa: S105 - a flow, not a secret
    HOLD = "hold"
    SWALLOW = "swallow"


@dataclass(slots=True)
class _Way:
    """One direction of the line."""

    flow: Flow = Flow.PASS
    delay_s: float = 0.0
    passed_bytes: int = 0
    swallowed_bytes: int = 0
    free: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.free.set()


class _Connection:
    """Two sockets joined. `lossy` once it has swallowed something."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.lossy = False
        self._writers = (near, far)

    def reset(self) -> None:
        """End both ends at once."""
        for writer in self._writers:
            writer.transport.abort()


class Line:
    """A proxy to `host`:`port`; whoever dials its own `port` is joined to it. `filters` makes those of each new connection."""

    def __init__(self, host: str, port: int, *, filters: Filters = dict) -> None:
        self.port = 0
        self.cuts = 0
        self.connections_made = 0
        self._to = (host, port)
        self._filters = filters
        self._ways = {direction: _Way() for direction in Direction}
        self._is_cut = False
        self._open: set[_Connection] = set()
        self._at_work: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port of this machine."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Reset everything and listen no more."""
        if self._server is not None:
            self._server.close()
        self._reset(list(self._open))
        for way in self._ways.values():
            way.free.set()  # who is held learns that its connection is gone
        await asyncio.gather(*self._at_work, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    def lead_to(self, host: str, port: int) -> None:
        """Join who dials from now on to another listener, as a balancer does; who is joined stays where he is."""
        self._to = (host, port)

    def cut(self) -> None:
        """Reset all connections and refuse new ones."""
        self._is_cut = True
        self.cuts += 1
        self._reset(list(self._open))

    def flow(self, direction: Direction, how: Flow) -> None:
        """Set what a direction does with bytes."""
        way = self._ways[direction]
        way.flow = how
        (way.free.clear if how is Flow.HOLD else way.free.set)()

    def delay(self, direction: Direction, delay_s: float) -> None:
        """Make a direction slow by `delay_s` seconds a piece."""
        self._ways[direction].delay_s = delay_s

    def restore(self) -> None:
        """Let everything pass again; connections that lost bytes are reset."""
        self._is_cut = False
        for direction in Direction:
            self.flow(direction, Flow.PASS)
            self.delay(direction, 0.0)
        self._reset([connection for connection in self._open if connection.lossy])

    def status(self) -> dict[str, object]:
        """How the line is, and what went over it."""
        figures: dict[str, object] = {
            "cut": self._is_cut,
            "cuts": self.cuts,
            "open": len(self._open),
            "connections_made": self.connections_made,
        }
        for direction, way in self._ways.items():
            figures |= {
                f"{direction}_flow": way.flow.value,
                f"{direction}_bytes": way.passed_bytes,
                f"{direction}_swallowed_bytes": way.swallowed_bytes,
            }
        return figures

    def _reset(self, connections: list[_Connection]) -> None:
        for connection in connections:
            connection.reset()

    def _accept(self, near_in: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        joining = asyncio.get_running_loop().create_task(self._join(near_in, near))
        self._at_work.add(joining)
        joining.add_done_callback(self._at_work.discard)

    async def _join(self, near_in: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        if self._is_cut:
            near.transport.abort()
            return
        try:
            far_in, far = await asyncio.open_connection(*self._to)
        except OSError:
            near.transport.abort()
            return
        if self._is_cut:
            near.transport.abort()
            far.transport.abort()
            return
        connection = _Connection(near, far)
        self._open.add(connection)
        self.connections_made += 1
        picks = self._filters()
        ways = [
            asyncio.ensure_future(
                self._carry(direction, source, target, connection, picks.get(direction, bytes))
            )
            for direction, source, target in ((Direction.UP, near_in, far), (Direction.DOWN, far_in, near))
        ]
        try:
            await asyncio.wait(ways)
        finally:
            for way in ways:
                way.cancel()
            connection.reset()
            self._open.discard(connection)

    async def _carry(
        self,
        direction: Direction,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        connection: _Connection,
        pick: Filter,
    ) -> None:
        """Carry one direction to its end, then close the target's half, as the source did with its own."""
        way = self._ways[direction]
        with suppress(OSError):
            while data := await source.read(CHUNK):
                if way.delay_s:
                    await asyncio.sleep(way.delay_s)
                await way.free.wait()
                if way.flow is Flow.SWALLOW:
                    connection.lossy = True
                    way.swallowed_bytes += len(data)
                    continue
                passed = pick(data)
                way.passed_bytes += len(passed)
                target.write(passed)
                await target.drain()
            target.write_eof()


def obey(line: Line, order: dict[str, object]) -> bool:
    """Carry out one order; False where it is not known.

    Raises:
        ValueError, KeyError: a particular of the order is wrong.
    """
    match order["do"]:
        case "cut":
            line.cut()
        case "restore":
            line.restore()
        case "flow":
            line.flow(Direction(str(order["direction"])), Flow(str(order["how"])))
        case "delay":
            line.delay(Direction(str(order["direction"])), float(str(order["delay_s"])))
        case "status" | "end":
            pass
        case _:
            return False
    return True


async def _serve(host: str, port: int, orders: TextIO, out: TextIO) -> None:
    line = Line(host, port)
    await line.start()
    _say(out, event="listening", port=line.port)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), orders)
    while text := await reader.readline():
        try:
            order = json.loads(text)
            known = obey(line, order)
        except (ValueError, KeyError, TypeError) as wrong:
            _say(out, event="refused", why=f"{type(wrong).__name__}: {wrong}")
            continue
        _say(out, event="done" if known else "refused", do=order["do"], **line.status())
        if order["do"] == "end":
            break
    await line.stop()


def _say(out: TextIO, **message: object) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


def main(arguments: Sequence[str]) -> int:
    """Run a line as a process of its own; it ends with its input."""
    parser = argparse.ArgumentParser(
        prog="python -m simulators.network", description="A TCP line that can be cut."
    )
    parser.add_argument("--to", required=True, help="HOST:PORT that listens at the other end")
    host, _, port = parser.parse_args(arguments).to.rpartition(":")
    asyncio.run(_serve(host, int(port), sys.stdin, sys.stdout))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
