"""Stands on the line between the agent and the broker and notes what the agent acknowledged: the demo's own witness.

What an agent says of itself proves nothing, so the tap reads the packets: a PUBLISH to the agent has a packet id, and the agent's PUBACK with
that id is the acknowledgement (MQTT 5.0, OASIS, sections 3.3 and 3.4). `hold_acknowledgements` swallows PUBACKs, so that what the agent
believes to have acknowledged comes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

PUBLISH, PUBACK = 3, 4
LONGEST_PACKET = 1_048_576
CHUNK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A message that the agent acknowledged, at real monotonic `at_s`."""

    topic: str
    body: bytes
    at_s: float


class PacketReader:
    """Cuts a byte stream into MQTT control packets; never holds more than one packet."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that `data` completes, each with its fixed header.

        Raises:
            ValueError: this is no MQTT, or a packet is longer than a sane one.
        """
        self._waiting += data
        packets = []
        while (length := _packet_length(self._waiting)) is not None and len(self._waiting) >= length:
            packets.append(bytes(self._waiting[:length]))
            del self._waiting[:length]
        return packets


@dataclass(slots=True, kw_only=True)
class BrokerTap:
    """A proxy in front of one broker. Start it with `start`, then hand `port` to the agent."""

    broker_port: int
    monotonic: Callable[[], float]
    hold_acknowledgements: bool = False
    delivered: list[Delivered] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None
    _lines: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close every line."""
        if self._server is not None:
            self._server.close()
        for line in tuple(self._lines):
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._lines.add(task)
            task.add_done_callback(self._lines.discard)
        try:
            upstream, out = await asyncio.open_connection("127.0.0.1", self.broker_port)
        except OSError:
            writer.close()
            return
        under_way: dict[int, tuple[str, bytes]] = {}
        down = asyncio.ensure_future(self._pass(upstream, writer, lambda packet: _note(packet, under_way)))
        up = asyncio.ensure_future(
            self._pass(reader, out, lambda packet: self._acknowledge(packet, under_way))
        )
        try:
            await asyncio.wait({down, up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (down, up):
                each.cancel()
            await asyncio.gather(down, up, return_exceptions=True)
            for end in (writer, out):
                end.close()

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, let_through: Callable[[bytes], bool]
    ) -> None:
        packets = PacketReader()
        while data := await source.read(CHUNK):
            for packet in packets.feed(data):
                if let_through(packet):
                    target.write(packet)
            await target.drain()

    def _acknowledge(self, packet: bytes, under_way: dict[int, tuple[str, bytes]]) -> bool:
        if packet[0] >> 4 != PUBACK:
            return True
        start = _header_length(packet)
        message = under_way.pop(int.from_bytes(packet[start : start + 2], "big"), None)
        if message is not None:
            self.delivered.append(Delivered(topic=message[0], body=message[1], at_s=self.monotonic()))
        return not self.hold_acknowledgements


def _note(packet: bytes, under_way: dict[int, tuple[str, bytes]]) -> bool:
    """Remember a PUBLISH with quality of service 1 by its packet id."""
    if packet[0] >> 4 == PUBLISH and packet[0] & 0b0110:
        at = _header_length(packet)
        topic_length = int.from_bytes(packet[at : at + 2], "big")
        topic = packet[at + 2 : at + 2 + topic_length].decode()
        at += 2 + topic_length
        packet_id = int.from_bytes(packet[at : at + 2], "big")
        properties, read = _variable_length(packet, at + 2) or (0, 0)
        under_way[packet_id] = (topic, packet[at + 2 + read + properties :])
    return True


def _variable_length(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """A variable byte integer at `at` and how many bytes it takes; None where it is not complete yet."""
    value = 0
    for index in range(4):
        if at + index >= len(data):
            return None
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            return value, index + 1
    raise ValueError("a length of more than four bytes: this is no MQTT")


def _packet_length(data: bytearray) -> int | None:
    found = _variable_length(data, 1) if data else None
    if found is None:
        return None
    length = 1 + found[1] + found[0]
    if length > LONGEST_PACKET:
        raise ValueError(f"a packet of {length} bytes")
    return length


def _header_length(packet: bytes) -> int:
    found = _variable_length(packet, 1)
    return 1 if found is None else 1 + found[1]
