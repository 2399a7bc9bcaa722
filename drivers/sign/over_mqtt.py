"""A sign at a broker: an output is a topic, its value a payload, kept by the broker for a sign that comes later.

`topics` is where the sign says of itself that it is there ("online") or not ("offline", its will); without them nobody knows more than that
the broker took the message.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from string import Template
from typing import Literal

import aiomqtt
from pydantic import Field, field_validator

from drivers.errors import CommandRefused, DeviceUnreachable
from drivers.mqtt.client import ConnectionSettings, ManualClient
from drivers.ports import MalformedReading, Sink
from drivers.serial_port.tap import Tap
from drivers.sign.outputs import Shown
from drivers.sign.over_serial import checked_template
from drivers.sign.settings import SignSettings

MOST_MALFORMED_A_SECOND = 5
RAW_LIMIT = 4096


class MqttSignSettings(SignSettings, ConnectionSettings):
    """The table of a sign with `over = "mqtt"`; an output's `at` is its topic."""

    over: Literal["mqtt"] = Field(description='"mqtt"')
    topics: tuple[str, ...] = Field(
        default=(), description='where the sign says "online" or "offline" of itself'
    )
    payload: str = Field(
        default="$value",
        max_length=1_024,
        description='what is published, with $value, such as \'{"n": "$value"}\'',
    )
    retain: bool = Field(default=True, description="whether the broker keeps it for a sign that comes later")

    @field_validator("payload")
    @classmethod
    def _is_a_template(cls, payload: str) -> str:
        return checked_template(payload)


class _MqttWire:
    def __init__(self, name: str, settings: MqttSignSettings, client: ManualClient, sink: Sink) -> None:
        self._name = name
        self._settings = settings
        self._client = client
        self._sink = sink
        self._tap = Tap(name, sink, MOST_MALFORMED_A_SECOND)
        self._offline = False
        self.lost: asyncio.Future[None] = asyncio.ensure_future(self._listen())

    async def show(self, at: str, value: Shown) -> None:
        if self._offline:
            raise CommandRefused(f"{self._name} says that it is offline")
        written = self._settings.words.write(value)
        payload = Template(self._settings.payload).substitute(at=at, value=written)
        try:
            await self._client.publish(at, payload.encode(), qos=1, retain=self._settings.retain)
        except aiomqtt.MqttError as lost:
            raise DeviceUnreachable(f"the broker of {self._name}: {lost}") from lost
        _end_if_told()
        self._sink.alive()

    async def shows(self, at: str, value: Shown) -> bool:  # noqa: ARG002 - the broker keeps it
        if self._offline:
            raise CommandRefused(f"{self._name} says that it is offline")
        return True

    def close(self) -> None:
        self._tap.close()
        self.lost.cancel()

    async def _listen(self) -> None:
        """Hear what the sign says of itself, for as long as the broker lives.

        Raises:
            DeviceUnreachable: the broker is gone.
        """
        try:
            async for message in self._client.messages:
                self._client.acknowledge(message)
                self._hear(bytes(message.payload))
        except aiomqtt.MqttError as lost:
            raise DeviceUnreachable(f"the broker of {self._name}: {lost}") from lost

    def _hear(self, payload: bytes) -> None:
        if payload not in {b"online", b"offline"}:
            problem = "neither online nor offline"
            self._tap.take(
                MalformedReading(device=self._name, field="payload", problem=problem, raw=payload[:RAW_LIMIT])
            )
            return
        self._offline = payload == b"offline"
        if not self._offline:
            self._sink.alive()


def _end_if_told() -> None:
    """End where this task was told to while its message was just acknowledged: `asyncio.wait_for`, by which aiomqtt waits, then loses the
    cancellation (Python 3.11).
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@asynccontextmanager
async def mqtt_sign(settings: MqttSignSettings, name: str, sink: Sink) -> AsyncIterator[_MqttWire]:
    """Connect to a sign's broker.

    Raises:
        DeviceUnreachable: it does not answer.
    """
    try:
        async with ManualClient(settings, settings.identifier or f"lotgate-{name}") as client:
            if settings.topics:
                await client.subscribe([(topic, 1) for topic in settings.topics])
            wire = _MqttWire(name, settings, client, sink)
            try:
                yield wire
            finally:
                wire.close()
                await asyncio.gather(wire.lost, return_exceptions=True)
    except aiomqtt.MqttError as lost:
        raise DeviceUnreachable(f"broker {settings.host}:{settings.port}: {lost}") from lost
