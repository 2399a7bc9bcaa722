"""How quickly the MQTT driver takes a backlog of ChirpStack uplinks from Mosquitto: python benchmarks/mqtt_drain.py.

Each message is unwrapped, decoded, delivered, made durable by a sink that does so every 2 ms (a group commit without a
disk), and then acknowledged.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path

import aiomqtt

from drivers.ports import Reading
from drivers.registry import make_driver
from simulators.broker import Broker

MESSAGES = 10_000
PUBLISHERS = 100
COMMIT_EVERY_S = 0.002
UPLINK = {
    "time": "2026-07-18T09:34:15.775023+00:00",
    "deviceInfo": {"deviceProfileName": "parking", "deviceName": "spot", "devEui": "0101010101010101"},
    "fPort": 1,
    "data": "AQ==",
    "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -36, "snr": 10.5}],
}


class GroupSink:
    """Makes what it got durable in groups."""

    def __init__(self) -> None:
        self.count = 0
        self.listening = asyncio.Event()
        self.finished = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []

    def deliver(self, reading: Reading) -> asyncio.Future[None]:
        """Take a reading into the next group."""
        del reading
        self.count += 1
        if not self._waiting:
            asyncio.get_running_loop().call_later(COMMIT_EVERY_S, self._commit)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(durable)
        return durable

    def alive(self) -> None:
        """The subscription stands."""
        self.listening.set()

    def _commit(self) -> None:
        group, self._waiting = self._waiting, []
        for durable in group:
            durable.set_result(None)
        if self.count >= MESSAGES:
            self.finished.set()


async def publish(broker: Broker) -> None:
    """Leave the backlog at the broker."""
    async with aiomqtt.Client(broker.host, broker.port) as client:
        client.pending_calls_threshold = PUBLISHERS

        async def some(first: int) -> None:
            for number in range(first, MESSAGES, PUBLISHERS):
                body = json.dumps({**UPLINK, "fCnt": number, "deduplicationId": str(number)})
                await client.publish("application/1/device/0101010101010101/event/up", body, qos=1)

        await asyncio.gather(*(some(first) for first in range(PUBLISHERS)))


async def measure(broker: Broker) -> dict[str, float]:
    """Subscribe, go away, let the backlog grow, come back."""
    table = {
        "port": broker.port,
        "topics": ["application/#"],
        "format": "chirpstack",
        "decoder": "bosch/tps110",
    }
    driver, sink = make_driver("mqtt", "sensors", table), GroupSink()
    task = asyncio.create_task(driver.run(sink))
    await sink.listening.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await publish(broker)
    cpu, began = time.process_time(), time.perf_counter()
    task = asyncio.create_task(driver.run(sink))
    await sink.finished.wait()
    elapsed_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return {
        "messages_per_s": round(MESSAGES / elapsed_s),
        "cpu_us_per_message": round(1e6 * cpu_s / MESSAGES),
    }


def main() -> None:
    """Measure and print one JSON object."""
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder))
        broker.start()
        try:
            print(json.dumps(asyncio.run(measure(broker))))
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
