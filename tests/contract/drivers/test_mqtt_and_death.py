"""The broker is told after the commit, so that no death of ours or of the broker costs a reading."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

import aiomqtt
import pytest

from drivers.back_off import BackOff
from drivers.errors import DeviceUnreachable
from drivers.mqtt.client import ConnectionSettings, MqttSource
from drivers.mqtt.dialect import Listening
from drivers.ports import MalformedReading, Reading, SpotReading
from drivers.supervisor import DriverState, Supervisor
from simulators.broker import Broker
from tests.contract.drivers.ears import Ears
from tests.contract.drivers.rigs import MqttRig

PUBLISHED = 200
STORED_BEFORE_DEATH = 30
NEVER = 1_000_000
ROOT = Path(__file__).parents[3]


async def subscriber(broker: Broker, path: Path, when: str, kill_after: int) -> Process:
    """Start an agent and wait until it is subscribed."""
    program = [sys.executable, "-m", "tests.contract.drivers.dying_subscriber"]
    arguments = [str(broker.port), str(path), when, str(kill_after)]
    process = await asyncio.create_subprocess_exec(*program, *arguments, stdout=PIPE, cwd=ROOT)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"alive\n"
    return process


def bodies(*keys: object) -> list[bytes]:
    return [json.dumps({"taken": True, "n": str(key)}).encode() for key in keys]


async def stored_after(deaths: int, broker: Broker, path: Path, when: str) -> Counter[str]:
    """Publish while an agent dies again and again between its commit and its acknowledgement; the last ends in order."""
    rig = MqttRig(broker)
    process = await subscriber(broker, path, when, kill_after=STORED_BEFORE_DEATH)
    await rig.publish(bodies(*range(PUBLISHED)))
    assert await process.wait() == -signal.SIGKILL
    for _ in range(deaths - 1):
        process = await subscriber(broker, path, when, kill_after=STORED_BEFORE_DEATH)
        assert await process.wait() == -signal.SIGKILL
    await rig.publish(bodies("last"))
    process = await subscriber(broker, path, when, kill_after=NEVER)
    assert await process.wait() == 0
    return Counter(path.read_text(encoding="utf-8").split())


async def test_nothing_is_lost_when_the_agent_dies_between_commit_and_acknowledgement(
    broker: Broker, tmp_path: Path
) -> None:
    stored = await stored_after(3, broker, tmp_path / "stored", "after_commit")
    assert {str(key) for key in range(PUBLISHED)} <= stored.keys()
    twice = sum(stored.values()) - len(stored)
    # A slow disk may commit a second batch before the loop has written the first one's acknowledgements.
    assert 1 <= twice < 3 * STORED_BEFORE_DEATH, "what was not acknowledged comes again, what was does not"


async def test_an_agent_that_acknowledges_on_arrival_loses_readings(broker: Broker, tmp_path: Path) -> None:
    """This is what the test above would see if the order were wrong."""
    stored = await stored_after(1, broker, tmp_path / "stored", "on_arrival")
    lost = {str(key) for key in range(PUBLISHED)} - stored.keys()
    assert lost


async def test_what_was_published_while_nobody_listened_survives_a_restart_of_the_broker(
    broker: Broker,
) -> None:
    rig = MqttRig(broker)
    first = Ears()
    task = asyncio.create_task(rig.driver.run(first))
    await first.until(lambda: first.alive_count > 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await rig.publish(bodies(*range(50)))
    broker.restart()
    await rig.publish(bodies(*range(50, 100)))
    second = Ears()
    task = asyncio.create_task(rig.driver.run(second))
    await second.until(lambda: len(second.heard) >= 100)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [getattr(reading, "key", None) for reading in second.heard] == [str(key) for key in range(100)]


async def test_more_waits_at_the_broker_than_its_default_would_keep(broker: Broker) -> None:
    """Mosquitto's own default drops the 1,001st waiting message, silently."""
    rig = MqttRig(broker)
    ears = Ears()
    task = asyncio.create_task(rig.driver.run(ears))
    await ears.until(lambda: ears.alive_count > 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await rig.publish(bodies(*range(1_500)))
    task = asyncio.create_task(rig.driver.run(ears))
    await ears.until(lambda: len(ears.heard) >= 1_500)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len({getattr(reading, "key", None) for reading in ears.heard}) == 1_500


async def test_no_more_than_in_flight_are_held_when_the_store_is_slow(broker: Broker) -> None:
    rig = MqttRig(broker, in_flight=10)
    slow = Ears(hold=True)
    task = asyncio.create_task(rig.driver.run(slow))
    await slow.until(lambda: slow.alive_count > 0)
    await rig.publish(bodies(*range(100)))
    await slow.until(lambda: slow.alive_count > 3)
    assert len(slow.heard) == 10, "the broker waits, nothing piles up here and nothing is dropped"
    order = list(range(100))
    Random(3).shuffle(order)
    while len(slow.heard) < 100 or any(not durable.done() for durable in slow.futures):
        waiting = [durable for durable in slow.futures if not durable.done()]
        for durable in sorted(waiting, key=lambda each: order[slow.futures.index(each)]):
            durable.set_result(None)
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [getattr(reading, "key", None) for reading in slow.heard] == [str(key) for key in range(100)]


async def test_what_is_not_durable_is_delivered_again_after_a_reconnection(broker: Broker) -> None:
    rig = MqttRig(broker)
    undecided = Ears(hold=True)
    task = asyncio.create_task(rig.driver.run(undecided))
    await undecided.until(lambda: undecided.alive_count > 0)
    await rig.publish(bodies(*range(5)))
    await undecided.until(lambda: len(undecided.heard) == 5)
    for place in (0, 1, 3):  # 2 and 4 stay undurable, so 3 may not be acknowledged before them either
        undecided.futures[place].set_result(None)
    await undecided.until(lambda: undecided.alive_count > 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    again = Ears()
    task = asyncio.create_task(rig.driver.run(again))
    await again.until(lambda: len(again.heard) == 3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [reading.key for reading in again.heard if isinstance(reading, SpotReading)] == ["2", "3", "4"]


async def test_a_message_that_breaks_its_decoder_does_so_once(broker: Broker) -> None:

    def translate(topic: str, body: bytes) -> list[Reading]:
        return [SpotReading(device=topic, occupied=True, key=str(1 // int(body)))]

    settings = ConnectionSettings(port=broker.port, topics=("spots/#",))
    source = MqttSource("fragile", settings, Listening(translate))
    ears = Ears()
    task = asyncio.create_task(source.run(ears))
    await ears.until(lambda: ears.alive_count > 0)
    await MqttRig(broker).publish([b"0"])
    with pytest.raises(ZeroDivisionError):
        await task
    task = asyncio.create_task(source.run(ears))
    await MqttRig(broker).publish([b"1"])
    await ears.until(lambda: len(ears.heard) == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [type(reading) for reading in ears.heard] == [MalformedReading, SpotReading]


async def test_a_broker_that_holds_the_connection_and_carries_nothing_ends_the_run(broker: Broker) -> None:
    """Complaints rows 19 and 26: nothing is refused, nothing comes, and nobody would notice."""
    rig = MqttRig(broker, alive_every_s=0.1, answer_s=0.5)
    ears = Ears()
    task = asyncio.create_task(rig.driver.run(ears))
    await ears.until(lambda: ears.alive_count > 1)
    broker.freeze()
    with pytest.raises(DeviceUnreachable):
        await asyncio.wait_for(task, 5)
    broker.thaw()


async def publish_through_restarts(rig: MqttRig, keys: range) -> None:
    """Publish each key until the broker took it; it may be away for a moment."""
    left = list(keys)
    while left:
        with suppress(aiomqtt.MqttError, DeviceUnreachable):
            async with aiomqtt.Client(rig.broker.host, rig.broker.port, timeout=2) as client:
                while left:
                    await client.publish("spots/7", bodies(left[0])[0], qos=1)
                    left.pop(0)
        await asyncio.sleep(0.02)


async def restarts_lose_nothing(broker: Broker, random: Random, *, restarts: int, apart_s: float) -> None:
    rig, ears = MqttRig(broker), Ears()
    supervisor = Supervisor(
        "sensors",
        rig.driver,
        ears,
        random=random,
        monotonic=time.monotonic,
        back_off=BackOff(first_s=0.05, ceiling_s=0.2),
    )
    task = asyncio.create_task(supervisor.run())
    await ears.until(lambda: ears.alive_count > 0)
    keys = 0
    for _ in range(restarts):
        publishing = asyncio.create_task(publish_through_restarts(rig, range(keys, keys + 100)))
        keys += 100
        await asyncio.sleep(random.uniform(0, apart_s))
        await asyncio.to_thread(broker.restart)
        await publishing
    wanted = {str(key) for key in range(keys)}
    await ears.until(lambda: wanted <= {getattr(reading, "key", None) for reading in ears.heard}, within_s=20)
    assert supervisor.health().crashes == 0
    await ears.until(lambda: supervisor.health().state is DriverState.RUNNING)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_restarts_of_the_broker_at_random_moments_lose_nothing(broker: Broker) -> None:
    """Complaints row 26, in short."""
    await restarts_lose_nothing(broker, Random(26), restarts=4, apart_s=0.3)


@pytest.mark.proof
async def test_an_hour_of_restarts_of_the_broker_at_random_moments_loses_nothing(broker: Broker) -> None:
    """Complaints row 26."""
    await restarts_lose_nothing(broker, Random(26), restarts=240, apart_s=30)
