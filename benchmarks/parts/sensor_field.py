"""A field of spot sensors, thousands of them, as a lot's files and as messages on a broker; and what of them stands in a ledger."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import aiomqtt

from benchmarks.parts.big_lot import TARIFF

LOT_ID = "0d6f0a8e-5f0c-4c57-8f6e-1c9b4a1f7e44"
AGAIN_S = 0.2
ANSWER_S = 5.0
CHANGES = 0.03
"""Of thirty messages of a sensor one says something new: a car every five minutes at a message every ten seconds."""


def write_field(folder: Path, *, sensors: int, broker_port: int | None) -> Path:
    """Write lot.toml, sensors.csv and tariff.toml of a street with so many sensors; `broker_port` None: and no driver."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{device_of(n)},R-{n:04}\n" for n in range(sensors))
    (folder / "sensors.csv").write_text("device,spot\n" + rows, encoding="utf-8")
    (folder / "tariff.toml").write_text(TARIFF, encoding="utf-8")
    driver = (
        ""
        if broker_port is None
        else f"""\
[drivers.sensors]
kind = "mqtt"
host = "127.0.0.1"
port = {broker_port}
topics = ["spots/+"]
format = "json"
[drivers.sensors.json]
device = "$.device"
occupied = "$.occupied"
key = "$.key"
"""
    )
    toml = folder / "lot.toml"
    toml.write_text(
        f"""\
sensors_file = "sensors.csv"
[lot]
id = "{LOT_ID}"
name = "Field"
timezone = "Europe/Berlin"
currency = "EUR"
latitude = 52.5
longitude = 13.4
[api]
port_file = "api.port"
[tariff]
file = "tariff.toml"
[[zones]]
id = "ground"
level = "0"
[[spots]]
zone = "ground"
prefix = "R-"
numbers = ["0000-{sensors - 1:04}"]
{driver}""",
        encoding="utf-8",
    )
    return toml


def device_of(place: int) -> str:
    """The name of a place's sensor."""
    return f"sensor-{place:04}"


@dataclass(slots=True)
class SensorField:
    """Publishes at an even rate, each message until the broker acknowledged it, in the order of each sensor, through `lines` connections.

    `sent` are the keys that the broker has, with the loop's time of its acknowledgement, `last` what each sensor said last.
    """

    port: int
    sensors: int
    rate_per_s: float
    lines: int = 4
    sent: dict[str, float] = field(default_factory=dict)
    last: dict[str, bool] = field(default_factory=dict)
    published: int = 0
    _waiting: list[deque[tuple[str, str, bool]]] = field(default_factory=list)

    async def run(self, seconds: float) -> None:
        """Publish for so long, and wait until the broker has all of it."""
        self._waiting = [deque() for _ in range(self.lines)]
        stopped = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number in range(self.lines):
                group.create_task(self._line(number, stopped))
            await self._speak(seconds)
            stopped.set()

    async def heard(self, seen: KeysSeen) -> None:
        """Publish until a first message is durable: before somebody has subscribed a broker keeps nothing for him."""
        async with aiomqtt.Client(
            "127.0.0.1", self.port, identifier="field-probe", timeout=ANSWER_S
        ) as broker:
            while not await asyncio.to_thread(seen.read):
                body = json.dumps({"device": device_of(0), "occupied": False, "key": "probe"})
                await broker.publish(f"spots/{device_of(0)}", body, qos=1)
                await asyncio.sleep(AGAIN_S)

    async def _speak(self, seconds: float) -> None:
        draw, loop = Random("field"), asyncio.get_running_loop()
        began = loop.time()
        while (passed := loop.time() - began) < seconds:
            while self.published < passed * self.rate_per_s:
                place = self.published % self.sensors
                device = device_of(place)
                occupied = self.last.get(device, False) is not (draw.random() < CHANGES)
                self.last[device] = occupied
                self._waiting[place % self.lines].append((device, f"k{self.published}", occupied))
                self.published += 1
            await asyncio.sleep(0.01)

    async def _line(self, number: int, stopped: asyncio.Event) -> None:
        waiting = self._waiting[number]
        while not (stopped.is_set() and not waiting):
            try:
                async with aiomqtt.Client(
                    "127.0.0.1", self.port, identifier=f"field-{number}", timeout=ANSWER_S
                ) as broker:
                    while not (stopped.is_set() and not waiting):
                        while waiting:
                            device, key, occupied = waiting[0]
                            body = json.dumps({"device": device, "occupied": occupied, "key": key})
                            await broker.publish(f"spots/{device}", body, qos=1)
                            self.sent[key] = asyncio.get_running_loop().time()
                            waiting.popleft()
                        await asyncio.sleep(0.01)
            except aiomqtt.MqttError:
                await asyncio.sleep(AGAIN_S)


@dataclass(slots=True)
class KeysSeen:
    """Reads what has become durable, from outside: the ledger keeps the newest 20,000 keys, so it is read as it grows."""

    ledger: Path
    keys: set[str] = field(default_factory=set)
    twice: int = 0
    _last: int = 0

    def read(self) -> int:
        """Take in what is new; how many keys there are now."""
        if self.ledger.exists():
            with closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)) as connection:
                rows = connection.execute(
                    "SELECT id, key FROM reading_keys WHERE id > ? ORDER BY id", (self._last,)
                ).fetchall()
            for row, key in rows:
                self.twice += key in self.keys
                self.keys.add(key)
                self._last = row
        return len(self.keys)

    def states(self) -> dict[str, str]:
        """The last state of each place, by its sensor."""
        with closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)) as connection:
            return dict(connection.execute("SELECT source, state FROM spot_states"))
