"""Listens in on an MQTT connection at a proxy: which messages a subscriber acknowledged to its broker, and, on demand, drops acknowledgements.

An acknowledgement is the subscriber's own word that it has a message for good; the demo's report holds it to that word. Only what is needed is
read: the broker's PUBLISH at QoS 1 and the subscriber's PUBACK, by packet identifier. Source: MQTT Version 5.0, 2.1, 3.1, 3.3, 3.4 (and 3.1.1,
whose PUBLISH has no properties).

`MqttTap.filters` makes the filters of each new connection (simulators/network.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from simulators.network import Direction, Filter

CONNECT, PUBLISH, PUBACK = 1, 3, 4
LONGEST_LENGTH = 4
Told = Callable[[str, bytes], None]
MQTT_5 = 5


class _Packets:
    """Cuts a stream of bytes into whole packets."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes and yield each packet that is complete, header included."""
        self._buffer += data
        while (size := _size(self._buffer)) is not None and len(self._buffer) >= size:
            packet, self._buffer = self._buffer[:size], self._buffer[size:]
            yield packet


def _size(buffer: bytes) -> int | None:
    """The size of the packet that begins here; None where its header is not complete."""
    length, shift = 0, 0
    for index, byte in enumerate(buffer[1 : 1 + LONGEST_LENGTH], start=1):
        length |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return 1 + index + length
        shift += 7
    return None


def _body(packet: bytes) -> bytes:
    """The packet after its fixed header."""
    index = 1
    while packet[index] & 0x80:
        index += 1
    return packet[index + 1 :]


class MqttTap:
    """Tells each message (topic, body) that a subscriber acknowledges; `drops_acknowledgements` keeps them from the broker and tells them apart."""

    def __init__(self, on_acknowledged: Told, on_dropped: Told = lambda _topic, _body: None) -> None:
        self.drops_acknowledgements = False
        self.on_acknowledged = on_acknowledged
        self.on_dropped = on_dropped

    def filters(self) -> Mapping[Direction, Filter]:
        """The filters of a new connection."""
        conversation = _Conversation(self)
        return {Direction.UP: conversation.up, Direction.DOWN: conversation.down}


class _Conversation:
    """One connection between a subscriber and its broker."""

    def __init__(self, tap: MqttTap) -> None:
        self._tap = tap
        self._from_client = _Packets()
        self._from_broker = _Packets()
        self._version = MQTT_5
        self._waiting: dict[int, tuple[str, bytes]] = {}

    def up(self, data: bytes) -> bytes:
        """What the subscriber sends; the answer is what goes on to the broker."""
        return b"".join(packet for packet in self._from_client.feed(data) if self._goes_on(packet))

    def down(self, data: bytes) -> bytes:
        """What the broker sends; all of it goes on."""
        for packet in self._from_broker.feed(data):
            if packet[0] >> 4 == PUBLISH and (packet[0] >> 1) & 3:
                self._note(_body(packet))
        return data

    def _goes_on(self, packet: bytes) -> bool:
        kind = packet[0] >> 4
        if kind == CONNECT:
            self._version = _body(packet)[6]
        if kind != PUBACK:
            return True
        found = self._waiting.pop(int.from_bytes(_body(packet)[:2], "big"), None)
        if found is not None:
            (self._tap.on_dropped if self._tap.drops_acknowledgements else self._tap.on_acknowledged)(*found)
        return not self._tap.drops_acknowledgements

    def _note(self, body: bytes) -> None:
        topic_end = 2 + int.from_bytes(body[:2], "big")
        identifier = int.from_bytes(body[topic_end : topic_end + 2], "big")
        payload = body[topic_end + 2 :]
        if self._version == MQTT_5:
            size = _size(b"\x00" + payload)  # properties begin with their length, written as a packet's is
            payload = payload[(size or 1) - 1 :]
        self._waiting[identifier] = (body[2:topic_end].decode(), payload)
