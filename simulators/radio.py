"""Spot sensors and their network servers: what stands on a place becomes a vendor's frame in a server's envelope on a real broker.

Theory. Each sensor keeps its frame counter and tells its place's state when it changes, and again now and then (civil `HEARTBEAT`). A network server
publishes at QoS 1, in the order in which the frames came, and holds a message until the broker acknowledged it: after a lost
connection the same message goes out again with the same identity. Sensors lie on demand, see `Lie`.

The waiting line is bounded; what finds no room is told to the record, never dropped in silence.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from itertools import count
from random import Random
from uuid import UUID

import aiomqtt

from parking.clock import Clock
from simulators.lot_plan import SensorPlan
from simulators.record import Record
from simulators.wire.envelopes import Published, Transmission, chirpstack_up, things_stack_up
from simulators.wire.sensor_frames import FRAMES, SensorState

HEARTBEAT = timedelta(minutes=60)
LONGEST_LINE = 20_000
RECONNECT_S = 0.3
FIRST_WORDS_S = 2.0
ANSWER_S = 5.0

ENVELOPES: dict[str, Callable[[Transmission], Published]] = {
    "chirpstack": chirpstack_up,
    "tts": things_stack_up,
}


class Lie(StrEnum):
    """How a sensor may fail."""

    STUCK = "stuck"
    FLAPPING = "flapping"
    DUPLICATING = "duplicating"
    SILENT = "silent"


@dataclass(slots=True, kw_only=True)
class Sensor:
    """One sensor: what it said last, and how it fails."""

    plan: SensorPlan
    frames: int = 0
    said: bool = False
    changed_min: int = 0
    lies: set[Lie] = field(default_factory=set)
    session: str = ""


@dataclass(frozen=True, slots=True)
class _Waiting:
    reading: int
    message: Published


class NetworkServer:
    """Publishes the messages of one broker's sensors, one after the other, each until it was acknowledged."""

    def __init__(self, host: str, port: int, record: Record, name: str) -> None:
        self.acknowledged = 0
        self._host, self._port, self._name = host, port, name
        self._record = record
        self._line: deque[_Waiting] = deque()
        self._came = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many messages the broker has not acknowledged yet."""
        return len(self._line)

    def publish(self, reading: int, message: Published) -> None:
        """Take a message over."""
        if len(self._line) >= LONGEST_LINE:
            self._record.note("radio_lost", id=reading)
            return
        self._line.append(_Waiting(reading, message))
        self._came.set()

    async def run(self) -> None:
        """Publish for ever."""
        while True:
            try:
                async with aiomqtt.Client(
                    self._host,
                    self._port,
                    identifier=self._name,
                    protocol=aiomqtt.ProtocolVersion.V5,
                    timeout=ANSWER_S,
                ) as broker:
                    await self._empty(broker)
            except aiomqtt.MqttError as gone:
                _go_on_being_cancelled()
                self._record.note("broker_gone", server=self._name, why=str(gone))
                await asyncio.sleep(RECONNECT_S)

    async def _empty(self, broker: aiomqtt.Client) -> None:
        while True:
            _go_on_being_cancelled()
            while self._line:
                first = self._line[0]
                await broker.publish(first.message.topic, first.message.body, qos=1)
                self._line.popleft()
                self.acknowledged += 1
                self._record.note("accepted", id=first.reading)
                _go_on_being_cancelled()
            self._came.clear()
            await self._came.wait()


class Radio:
    """All sensors of the lot."""

    def __init__(
        self, plans: tuple[SensorPlan, ...], clock: Clock, record: Record, draw: Random, run: str
    ) -> None:
        self.sensors = {plan.spot: Sensor(plan=plan) for plan in plans}
        self.published = 0
        self._clock = clock
        self._record = record
        self._draw = draw
        self._ids = count(1)
        brokers = sorted({(plan.host, plan.port) for plan in plans})
        self.servers = {
            at: NetworkServer(*at, record, f"network-server-{run}-{index}")
            for index, at in enumerate(brokers)
        }
        for sensor in self.sensors.values():
            sensor.session = self._identity()

    async def run(self) -> None:
        """Publish, first a word of every sensor, then heartbeats for ever."""
        async with asyncio.TaskGroup() as group:
            for server in self.servers.values():
                group.create_task(server.run())
            group.create_task(self._beat())

    @property
    def waiting(self) -> int:
        """How many messages no broker has acknowledged yet."""
        return sum(server.waiting for server in self.servers.values())

    def sense(self, spot: str, *, occupied: bool) -> None:
        """What stands on the place changed."""
        sensor = self.sensors.get(spot)
        if sensor is None or sensor.lies & {Lie.STUCK, Lie.SILENT}:
            return
        sensor.said = occupied
        self._send(sensor, heartbeat=False)

    def lie(self, spot: str, lie: Lie, *, on: bool = True) -> bool:
        """Begin or end a fault; False where the place has no sensor. A mended sensor says what is true at its next change."""
        sensor = self.sensors.get(spot)
        if sensor is None:
            return False
        (sensor.lies.add if on else sensor.lies.discard)(lie)
        return True

    async def flap(self, spot: str, times: int, every_s: float) -> None:
        """Have a sensor say the opposite of what it said, `times` times, real `every_s` seconds apart."""
        sensor = self.sensors.get(spot)
        for _ in range(times if sensor is not None else 0):
            assert sensor is not None  # noqa: S101 - the range above is empty otherwise
            sensor.said = not sensor.said
            self._send(sensor, heartbeat=False)
            await asyncio.sleep(every_s)

    async def _beat(self) -> None:
        sensors = list(self.sensors.values())
        for sensor in sensors:
            self._send(sensor, heartbeat=False)
            await asyncio.sleep(FIRST_WORDS_S / max(1, len(sensors)))
        pause_s = self._clock.real_s(HEARTBEAT) / max(1, len(sensors))
        while sensors:
            for sensor in sensors:
                await asyncio.sleep(pause_s)
                if Lie.SILENT not in sensor.lies:
                    self._send(sensor, heartbeat=True)

    def _send(self, sensor: Sensor, *, heartbeat: bool) -> None:
        now = self._clock.now()
        plan = sensor.plan
        state = SensorState(
            occupied=sensor.said, sequence=sensor.frames, sent_at=now, heartbeat=heartbeat, temperature_c=9
        )
        by_message = plan.envelope == "chirpstack"
        identity = self._identity() if by_message else sensor.session
        message = ENVELOPES[plan.envelope](
            Transmission(
                device_eui=plan.device,
                device=plan.model,
                frame=FRAMES[plan.model](state),
                f_cnt=sensor.frames,
                received_at=now,
                identity=identity,
            )
        )
        reading = next(self._ids)
        self._record.note(
            "reading",
            id=reading,
            spot=plan.spot,
            device=plan.device,
            key=identity if by_message else f"{identity}:{sensor.frames}",
            occupied=sensor.said,
            heartbeat=heartbeat,
            topic=message.topic,
            occurred_at=now.isoformat(),
        )
        sensor.frames += 1
        self.published += 1
        server = self.servers[plan.host, plan.port]
        for _ in range(2 if Lie.DUPLICATING in sensor.lies else 1):
            server.publish(reading, message)

    def _identity(self) -> str:
        return str(UUID(int=self._draw.getrandbits(128), version=4))


def _go_on_being_cancelled() -> None:
    """The client loses a cancellation that comes together with an answer (`asyncio.wait_for` of Python 3.11), or hides it behind an error of its
    own when its farewell fails on a broker that is gone: ask whether this task was told to end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
