"""The line between the lot and the centre: frames are late, lost, doubled or out of order, directions are cut for seconds or days.

A connection that carries nothing ends by itself after `DEAD_AFTER_S`, as the WebSocket's pings end it in production; until then what was cut is
delivered when the cut ends. Each end learns of the other's end only over a line that carries.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any

from websockets.exceptions import ConnectionClosedError

from sync.codec import decode, kind_of
from sync.messages import Answer, Decision, DecisionAck, Inquiry, Prepare, Vote
from tests.simulation.trace import Trace

UP, DOWN = "up", "down"
DEAD_AFTER_S = 40.0
AFTER_S = 1e-5
KEPT_FRAMES = 20
OF_THE_COMMIT = (Answer, Decision, DecisionAck, Inquiry, Prepare, Vote)


@dataclass(slots=True)
class Weather:
    """Chances for each frame, and its delay in seconds at least and at most. `rough` is for all frames, the others for the commit's only:
    sessions count on order, and a line that breaks it is closed by them.
    """

    shortest_s: float = 0.01
    longest_s: float = 0.08
    lost: float = 0.0
    doubled: float = 0.0
    reordered: float = 0.0
    rough: float = 0.0


class Network:
    """`serve` is a process of the centre that takes a connection; None where none can. Each of `frames` sees each frame that is sent; `earlier` are
    the last ones from the lot of connections that are over.
    """

    def __init__(self, random: Random, trace: Trace) -> None:
        self.random = random
        self.trace = trace
        self.weather = Weather()
        self.cut: dict[str, bool] = {UP: False, DOWN: False}
        self.serve: Callable[[CloudEnd], bool] = lambda _: False
        self.frames: list[Callable[[str, Any], None]] = []
        self.earlier: deque[bytes] = deque(maxlen=KEPT_FRAMES)
        self.open: list[Connection] = []
        self._cuts = 0

    def set_cut(self, *, up: bool, down: bool) -> None:
        """Cut or heal the directions."""
        if (up, down) == (self.cut[UP], self.cut[DOWN]):
            return
        self.trace.add("network", f"cut up={up} down={down}")
        self.cut.update({UP: up, DOWN: down})
        self._cuts += 1
        if up or down:
            asyncio.get_running_loop().call_later(DEAD_AFTER_S, self._dead, self._cuts)
        for connection in list(self.open):
            connection.flush()

    def _dead(self, cuts: int) -> None:
        if cuts == self._cuts:
            for connection in list(self.open):
                connection.end("no pong came")

    @asynccontextmanager
    async def dial(self, dial_s: float) -> AsyncIterator[EdgeEnd]:
        """A connection from the lot; TimeoutError or ConnectionRefusedError where there is none."""
        await asyncio.sleep(self.random.uniform(0.02, 0.2))
        if self.cut[UP] or self.cut[DOWN]:
            await asyncio.sleep(dial_s)
            raise TimeoutError
        connection = Connection(self)
        if not self.serve(connection.cloud_end):
            raise ConnectionRefusedError
        self.open.append(connection)
        try:
            yield connection.edge_end
        finally:
            connection.hang_up(DOWN)

    def fate(self, frame: Any) -> tuple[int, bool]:
        """How many copies arrive, and whether they overtake."""
        weather, random = self.weather, self.random
        if weather.rough and random.random() < weather.rough:
            return 0, False
        if not isinstance(frame, OF_THE_COMMIT):
            return 1, False
        if random.random() < weather.lost:
            return 0, False
        return 1 + (random.random() < weather.doubled), random.random() < weather.reordered


class Connection:
    """One connection, from the dial to its end."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.edge_end, self.cloud_end = EdgeEnd(self), CloudEnd(self)
        self.is_over = False
        self._not_before_s = {UP: 0.0, DOWN: 0.0}
        self._held: dict[str, list[bytes]] = {UP: [], DOWN: []}
        self.sent: deque[bytes] = deque(maxlen=KEPT_FRAMES)

    def inject(self, direction: str, data: bytes) -> None:
        """A frame that nobody sent now."""
        self._arrive(direction, data)

    def send(self, direction: str, data: bytes) -> None:
        """Put a frame on the line."""
        if self.is_over:
            return
        network, loop = self.network, asyncio.get_running_loop()
        frame = decode(data)
        copies, overtakes = network.fate(frame)
        network.trace.add("network", f"{direction} {kind_of(frame)} {sha256(data).hexdigest()[:8]} x{copies}")
        for listens in network.frames:
            listens(direction, frame)
        if direction == UP:
            self.sent.append(data)
        for _ in range(copies):
            at_s = loop.time() + network.random.uniform(network.weather.shortest_s, network.weather.longest_s)
            if not overtakes:
                # Timers of one instant keep no order among themselves.
                at_s = max(at_s, self._not_before_s[direction] + AFTER_S)
                self._not_before_s[direction] = at_s
            loop.call_at(at_s, self._arrive, direction, data)

    def _arrive(self, direction: str, data: bytes) -> None:
        if self.is_over:
            return
        if self.network.cut[direction]:
            self._held[direction].append(data)
            return
        (self.cloud_end if direction == UP else self.edge_end).arrived.put_nowait(data)

    def flush(self) -> None:
        """What was held arrives, where nothing holds it any more."""
        for direction in (UP, DOWN):
            held, self._held[direction] = self._held[direction], []
            for data in held:
                self._arrive(direction, data)

    def hang_up(self, direction: str) -> None:
        """The end that hears `direction` goes; the other one learns of it over the line, or by its pings."""
        towards = UP if direction == DOWN else DOWN
        (self.edge_end if direction == DOWN else self.cloud_end).arrived.put_nowait(None)
        delay_s = DEAD_AFTER_S if self.network.cut[towards] else self.network.random.uniform(0.02, 0.2)
        asyncio.get_running_loop().call_later(delay_s, self.end, "hung up")

    def end(self, why: str) -> None:
        """Over, for both."""
        if not self.is_over:
            self.is_over = True
            self.network.earlier.extend(self.sent)
            self.network.trace.add("network", f"connection over: {why}")
            if self in self.network.open:
                self.network.open.remove(self)
            self.edge_end.arrived.put_nowait(None)
            self.cloud_end.arrived.put_nowait(None)


class EdgeEnd:
    """The lot's end, as edge/line.py uses a WebSocket."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arrived: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def recv(self) -> bytes:
        data = await self.arrived.get()
        if data is None:
            raise ConnectionClosedError(None, None)
        return data

    async def send(self, data: bytes) -> None:
        if self.connection.is_over:
            raise ConnectionClosedError(None, None)
        self.connection.send(UP, data)


class CloudEnd:
    """The centre's end, as cloud/gateways/link.py uses a WebSocket."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arrived: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def accept(self) -> None:
        return None

    async def receive(self) -> dict[str, Any]:
        data = await self.arrived.get()
        if data is None:
            return {"type": "websocket.disconnect", "code": 1006}
        return {"type": "websocket.receive", "bytes": data}

    async def send_bytes(self, data: bytes) -> None:
        self.connection.send(DOWN, data)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.connection.hang_up(UP)
