"""A subscriber and its broker on a line that listens in: what the subscriber acknowledges is told; what is dropped comes again."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from drivers.registry import make_driver
from simulators.broker import Broker
from simulators.network import Line
from simulators.wire.mqtt_tap import MqttTap
from tests.contract.drivers.ears import Ears

SOON_S = 20.0
BODIES = [f'{{"id": "s{n}", "state": "occupied", "message": "m{n}"}}'.encode() for n in range(5)]


@pytest.fixture
def broker() -> Iterator[Broker]:
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder))
        broker.start()
        yield broker
        broker.stop()


async def subscribed(line: Line, ears: Ears) -> asyncio.Task[None]:
    settings = {
        "host": "127.0.0.1",
        "port": line.port,
        "identifier": "the-agent",
        "topics": ["spots/+/state"],
        "format": "json",
        "json": {"device": "$.id", "occupied": "$.state", "key": "$.message"},
    }
    before = ears.alive_count
    running = asyncio.create_task(make_driver("mqtt", "sensors", settings).run(ears))
    await ears.until(lambda: ears.alive_count > before)
    return running


async def ended(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def tapped(broker: Broker, tap: MqttTap) -> AsyncIterator[Line]:
    line = Line(broker.host, broker.port, filters=tap.filters)
    await line.start()
    try:
        yield line
    finally:
        await line.stop()


class Heard:
    """Bodies that the tap told, and a way to wait for them."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._more = asyncio.Event()

    def __call__(self, topic: str, body: bytes) -> None:
        assert topic == "spots/s/state"
        self.bodies.append(body)
        self._more.set()

    async def are(self, expected: list[bytes]) -> None:
        while len(self.bodies) < len(expected):
            self._more.clear()
            await self._more.wait()
        assert self.bodies == expected


async def test_the_tap_tells_what_was_acknowledged_and_what_it_drops_comes_again(broker: Broker) -> None:
    acknowledged, dropped = Heard(), Heard()
    tap = MqttTap(acknowledged, dropped)
    async with asyncio.timeout(SOON_S), tapped(broker, tap) as line:
        running = await subscribed(line, Ears())
        async with aiomqtt.Client(broker.host, broker.port) as sensor:
            for body in BODIES[:3]:
                await sensor.publish("spots/s/state", body, qos=1)
            await acknowledged.are(BODIES[:3])
            tap.drops_acknowledgements = True
            for body in BODIES[3:]:
                await sensor.publish("spots/s/state", body, qos=1)
            await dropped.are(BODIES[3:])
        await ended(running)
        tap.drops_acknowledgements = False
        again = Ears()
        running = await subscribed(line, again)
        await acknowledged.are(BODIES)
        await ended(running)
    assert len(again.heard) == 2, "only what was not acknowledged comes again"
