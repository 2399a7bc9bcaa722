"""A Sparkplug edge node with one device whose metrics are spots: the twin of drivers/mqtt/sparkplug_node.py.

`SparkplugNode` says what a node says, message by message; `SparkplugEdge` is one that lives at a broker: it is born when it connects, again
when it is asked to be, and the broker tells of its death when its connection breaks.

Source: Eclipse Sparkplug 3.0.0, chapters 5 and 6.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

import aiomqtt

from drivers.mqtt.sparkplug_payload import DataType, Metric, Payload, encode, parse
from simulators.wire.envelopes import Published

REBIRTH = "Node Control/Rebirth"
FIRST_ALIAS = 100


class SparkplugNode:
    """A node's words. `now_ms` tells milliseconds since 1970; `spots` are the device's, all free at first."""

    def __init__(
        self,
        *,
        now_ms: Callable[[], int],
        group: str = "parking",
        node: str = "garage",
        device: str = "level-1",
        spots: Sequence[str] = ("A1",),
        bd_seq: int = 0,
    ) -> None:
        self.group, self.node, self.device = group, node, device
        self.taken = dict.fromkeys(spots, False)
        self.bd_seq = bd_seq
        self.births = 0
        self._now_ms = now_ms
        self._seq = 255

    def topic(self, kind: str) -> str:
        """The topic of one kind of message."""
        end = f"/{self.device}" if kind.startswith("D") else ""
        return f"spBv1.0/{self.group}/{kind}/{self.node}{end}"

    def death(self) -> Published:
        """What the broker is to say when the connection breaks."""
        return Published(
            self.topic("NDEATH"), encode(Payload(timestamp_ms=self._now_ms(), metrics=(self._bd(),)))
        )

    def birth(self) -> list[Published]:
        """The node's birth and its device's, with new aliases each time."""
        self.births += 1
        self._seq = 255
        rebirth = Metric(name=REBIRTH, alias=1, datatype=DataType.BOOLEAN, field="boolean_value", value=False)
        spots = [
            Metric(
                name=f"spot/{spot}/occupied",
                alias=self._alias(spot),
                datatype=DataType.BOOLEAN,
                field="boolean_value",
                value=taken,
            )
            for spot, taken in self.taken.items()
        ]
        return [self._said("NBIRTH", [self._bd(), rebirth]), self._said("DBIRTH", spots)]

    def data(self, spot: str, *, taken: bool) -> Published:
        """A spot changed: alias and value, nothing else."""
        self.taken[spot] = taken
        metric = Metric(alias=self._alias(spot), field="boolean_value", value=taken)
        return self._said("DDATA", [metric])

    def device_death(self) -> Published:
        """The device is no longer heard by its node."""
        return self._said("DDEATH", [])

    def skip(self, messages: int = 1) -> None:
        """As if messages had been lost on their way."""
        self._seq = (self._seq + messages) % 256

    def _said(self, kind: str, metrics: Sequence[Metric]) -> Published:
        self._seq = (self._seq + 1) % 256
        return Published(
            self.topic(kind),
            encode(Payload(timestamp_ms=self._now_ms(), seq=self._seq, metrics=tuple(metrics))),
        )

    def _alias(self, spot: str) -> int:
        return FIRST_ALIAS * self.births + list(self.taken).index(spot)

    def _bd(self) -> Metric:
        return Metric(name="bdSeq", datatype=DataType.INT64, field="long_value", value=self.bd_seq)


class SparkplugEdge:
    """A node at a broker. `run` until cancelled; `born` is set once it is."""

    def __init__(self, node: SparkplugNode, host: str, port: int) -> None:
        self.node = node
        self.born = asyncio.Event()
        self._host = host
        self._port = port
        self._client: aiomqtt.Client | None = None

    async def run(self) -> None:
        """Connect, be born, and be born again whenever a host asks."""
        death = self.node.death()
        will = aiomqtt.Will(death.topic, death.body, qos=1)
        async with aiomqtt.Client(self._host, self._port, will=will) as client:
            self._client = client
            await client.subscribe(self.node.topic("NCMD"))
            await self.say(*self.node.birth())
            self.born.set()
            async for message in client.messages:
                asked = parse(bytes(message.payload)).named(REBIRTH)
                if asked is not None and asked.value is True:
                    await self.say(*self.node.birth())

    async def say(self, *messages: Published) -> None:
        """Publish, as Sparkplug asks with QoS 0."""
        client = self._connected()
        for message in messages:
            await client.publish(message.topic, message.body, qos=0)

    def vanish(self) -> None:
        """The cable is pulled: no farewell."""
        sock = self._connected()._client.socket()  # noqa: SLF001 - a death has no interface
        if isinstance(sock, socket.socket):
            sock.shutdown(socket.SHUT_RDWR)

    def _connected(self) -> aiomqtt.Client:
        if self._client is None:
            raise RuntimeError("the node is not connected: await `born` first")
        return self._client
