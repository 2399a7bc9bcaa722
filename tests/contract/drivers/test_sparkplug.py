"""A Sparkplug host between real edge nodes and a real broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiomqtt

from drivers.ports import MalformedReading, Reading, SpotReading
from simulators.broker import Broker
from simulators.wire.sparkplug_node import SparkplugEdge, SparkplugNode
from tests.contract.drivers.ears import PATIENCE_S, Ears
from tests.contract.drivers.mqtt_rigs import SparkplugRig, wall_ms
from tests.contract.drivers.test_every_driver import running

SPOT = "parking/garage/level-1/spot/A1/occupied"


@asynccontextmanager
async def edge_node(broker: Broker) -> AsyncIterator[SparkplugEdge]:
    edge = SparkplugEdge(SparkplugNode(now_ms=wall_ms), broker.host, broker.port)
    task = asyncio.create_task(edge.run())
    await asyncio.wait_for(edge.born.wait(), PATIENCE_S)
    yield edge
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def spot(occupied: bool | None, *, lost: bool = False) -> tuple[object, ...]:
    return (SPOT, occupied, lost)


def told(reading: Reading) -> tuple[object, ...]:
    assert isinstance(reading, SpotReading | MalformedReading)
    return (
        (reading.device, reading.occupied, reading.lost)
        if isinstance(reading, SpotReading)
        else (reading.field,)
    )


async def test_a_node_that_was_there_before_us_is_asked_for_its_birth(broker: Broker) -> None:
    async with edge_node(broker) as edge:
        ears = Ears()
        async with running(SparkplugRig(broker, nodes=["parking/garage"]).driver, ears):
            await ears.hear(lambda reading: told(reading) == spot(False))
        assert edge.node.births == 2


async def test_after_a_gap_nothing_is_believed_until_the_node_is_born_again(broker: Broker) -> None:
    ears = Ears()
    async with running(SparkplugRig(broker).driver, ears):
        await ears.until(lambda: ears.alive_count > 0)
        async with edge_node(broker) as edge:
            await ears.hear(lambda reading: told(reading) == spot(False))
            edge.node.skip()
            await edge.say(edge.node.data("A1", taken=True))
            await ears.hear(lambda reading: told(reading) == spot(True))
            assert edge.node.births == 2
    assert [told(reading) for reading in ears.heard[:3]] == [spot(False), ("seq",), spot(True)]


async def test_a_node_that_vanishes_takes_what_was_known_of_its_spots_along(broker: Broker) -> None:
    ears = Ears()
    async with running(SparkplugRig(broker).driver, ears):
        await ears.until(lambda: ears.alive_count > 0)
        async with edge_node(broker) as edge:
            await ears.hear(lambda reading: told(reading) == spot(False))
            edge.vanish()
            await ears.hear(lambda reading: told(reading) == spot(None, lost=True))


async def test_a_device_that_its_node_no_longer_hears_leaves_its_spots_unknown(broker: Broker) -> None:
    ears = Ears()
    async with running(SparkplugRig(broker).driver, ears):
        await ears.until(lambda: ears.alive_count > 0)
        async with edge_node(broker) as edge:
            await edge.say(edge.node.device_death())
            await ears.hear(lambda reading: told(reading) == spot(None, lost=True))


async def test_nodes_that_wait_for_their_host_see_it_come_and_go(broker: Broker) -> None:
    states: asyncio.Queue[bool] = asyncio.Queue()

    async def watch() -> None:
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.subscribe("spBv1.0/STATE/lot-7", qos=1)
            async for message in client.messages:
                states.put_nowait(json.loads(bytes(message.payload))["online"])

    watching = asyncio.create_task(watch())
    ears = Ears()
    async with running(SparkplugRig(broker).driver, ears):
        assert await asyncio.wait_for(states.get(), PATIENCE_S) is True
    assert await asyncio.wait_for(states.get(), PATIENCE_S) is False
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
