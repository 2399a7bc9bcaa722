"""The lot against a real broker and real cables, without the agent: the test is the other side of the bus."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiomqtt
import pytest

from drivers.modbus.barrier import make
from drivers.mqtt.decoder_registry import decoder_of
from drivers.mqtt.envelopes import ENVELOPES, readings_of
from drivers.ports import Done, Driver, Input, InputReading, Move, MoveArm, Reading, SpotReading
from parking.clock import CivilScale
from simulators.broker import Broker
from simulators.lot_files import ENTRY_BUS, DemoLot, LotFiles, write_lot
from simulators.lot_plan import read_plan
from simulators.lot_process import warm_vehicles
from simulators.record import read_record

ELEVEN = datetime(2026, 11, 24, 11, tzinfo=ZoneInfo("Europe/London"))
SOON_S = 40.0


@pytest.fixture
def broker() -> Iterator[Broker]:
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder))
        broker.start()
        yield broker
        broker.stop()


@dataclass(slots=True)
class Attendant:
    """Works the entry barriers as an agent would: opens for whoever presses, closes behind who passed."""

    driver: Driver | None = None
    contacts: dict[str, dict[Input, bool | None]] = field(default_factory=dict)
    passing: set[str] = field(default_factory=set)
    tasks: set[asyncio.Future[Done]] = field(default_factory=set)

    def alive(self) -> None:
        """It lives."""

    def deliver(self, reading: Reading) -> asyncio.Future[None]:
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        taken.set_result(None)
        if isinstance(reading, InputReading):
            self._look(reading.device, dict(reading.closed))
        return taken

    def _look(self, device: str, now: dict[Input, bool | None]) -> None:
        before = self.contacts.get(device, {})
        self.contacts[device] = now
        if now[Input.BUTTON] and not before.get(Input.BUTTON) and now[Input.ARM_DOWN]:
            self._move(device, Move.OPEN)
        if before.get(Input.SAFETY_LOOP) and now[Input.SAFETY_LOOP] is False:
            self._move(device, Move.CLOSE)

    def _move(self, device: str, move: Move) -> None:
        assert self.driver is not None
        command = self.driver.command(MoveArm(device=device, move=move), timeout_s=1.0)
        self.tasks.add(asyncio.ensure_future(command))


@dataclass(slots=True)
class Lot:
    """A running lot process."""

    process: asyncio.subprocess.Process
    files: LotFiles

    async def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        heard: dict[str, Any] = json.loads(await self.process.stdout.readline())
        return heard

    async def order(self, **order: object) -> dict[str, Any]:
        """Give an order and return its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        while (heard := await self.hear())["event"] not in {"done", "refused"}:
            pass
        return heard

    async def end(self) -> int:
        await self.order(do="end")
        async with asyncio.timeout(SOON_S):
            return await self.process.wait()

    def lines(self, what: str) -> list[dict[str, Any]]:
        return [line for line in read_record(self.files.record) if line["what"] == what]


@pytest.fixture
async def lot(broker: Broker, tmp_path: Path) -> AsyncIterator[Lot]:
    files = write_lot(DemoLot(folder=tmp_path, broker_port=broker.port))
    sidecar = files.simulation_toml.read_text().partition("[tokens]")[0]
    files.simulation_toml.write_text(sidecar)  # no kiosks: drivers press the button on the post
    scale = CivilScale(anchor_at=ELEVEN, anchor_monotonic=time.monotonic(), speed=120.0)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulators.lot_process", "--config", str(files.lot_toml), "--orders"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "LOTGATE_CIVIL_SCALE": str(scale)},
    )
    lot = Lot(process, files)
    async with asyncio.timeout(SOON_S):
        assert (await lot.hear())["event"] == "ready"
    yield lot
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def test_cars_come_in_and_their_sensors_tell_it_in_their_makers_own_words(
    lot: Lot, broker: Broker
) -> None:
    attendant = Attendant()
    plan = read_plan(lot.files.lot_toml)
    bus = plan.buses[ENTRY_BUS]
    attendant.driver = make(
        ENTRY_BUS,
        {"port": str(bus.port), "baud": 115_200, "units": dict(bus.units), "answer_ms": 60, "known_ms": 500},
    )
    models = {sensor.device: sensor for sensor in plan.sensors}
    occupied: set[str] = set()
    at_work = asyncio.ensure_future(attendant.driver.run(attendant))
    async with asyncio.timeout(SOON_S), aiomqtt.Client(broker.host, broker.port) as ear:
        await ear.subscribe("application/+/device/+/event/up", qos=1)
        await ear.subscribe("v3/+/devices/+/up", qos=1)
        async for message in ear.messages:
            form = "tts" if str(message.topic).startswith("v3/") else "chirpstack"
            uplink = ENVELOPES[form](bytes(message.payload), str(message.topic))
            for reading in readings_of(uplink, decoder_of(models[uplink.device].model)):
                assert isinstance(reading, SpotReading)
                if reading.occupied:
                    occupied.add(models[reading.device].spot)
            if len(occupied) >= 4:
                break
    assert await lot.end() == 0
    at_work.cancel()
    await asyncio.gather(at_work, *attendant.tasks, return_exceptions=True)
    assert occupied <= {line["spot"] for line in lot.lines("parked")}
    assert len(lot.lines("entered")) >= 4
    assert {line["kind"] for line in lot.lines("decision")} == {"button"}
    assert all(line["safety_loop_occupied_s"] is None for line in lot.lines("arm") if line["move"] == "close")


async def test_a_restart_of_the_broker_costs_no_reading(lot: Lot, broker: Broker) -> None:
    async with asyncio.timeout(SOON_S):
        while len(lot.lines("accepted")) < 50:
            await lot.hear()
        broker.kill()
        await lot.order(do="lie", spot="A-020", how="flapping", times=20, every_s=0.02)
        await lot.hear()
        broker.start()
        while len(flaps(lot, "A-020")) < 20:
            await lot.hear()
        published = {line["id"] for line in lot.lines("reading")}
        while not published <= {line["id"] for line in lot.lines("accepted")}:
            await lot.hear()
    assert await lot.end() == 0


async def test_orders_that_fit_nothing_here_are_refused_by_name(lot: Lot) -> None:
    async with asyncio.timeout(SOON_S):
        for order, named in (
            ({"do": "lie", "spot": "Z-1", "how": "stuck"}, "Z-1"),
            ({"do": "unplug", "device": "toaster"}, "toaster"),
            ({"do": "mute", "device": "terminal-1", "unit": 1}, "terminal-1"),
        ):
            answer = await lot.order(**order)
            assert answer["event"] == "refused"
            assert named in answer["why"]
    assert await lot.end() == 0


ORDERS: tuple[dict[str, object], ...] = (
    {"do": "lie", "spot": "A-001", "how": "stuck"},
    {"do": "lie", "spot": "A-001", "how": "stuck", "on": False},
    {"do": "lie", "spot": "A-002", "how": "duplicating"},
    {"do": "trick", "lane": "entry-1", "what": "back_out"},
    {"do": "trick", "lane": "entry-2", "what": "tailgate"},
    {"do": "mute", "device": "barriers-exit", "unit": 1},
    {"do": "decline", "device": "terminal-1"},
    {"do": "lose_answers", "device": "terminal-2", "times": 2},
    {"do": "stop_traffic"},
    {"do": "hold"},
)


async def test_every_order_is_carried_out_and_stands_in_the_record(lot: Lot) -> None:
    async with asyncio.timeout(SOON_S):
        for order in ORDERS:
            assert (await lot.order(**order))["event"] == "done"
    assert await lot.end() == 0
    recorded = [line["order"] for line in lot.lines("fault")]
    assert len(recorded) == len(ORDERS) + 1
    for order, written in zip(ORDERS, recorded, strict=False):
        assert order.items() <= written.items()


async def test_a_sensor_that_repeats_itself_sends_the_same_message_twice(lot: Lot) -> None:
    async with asyncio.timeout(SOON_S):
        while len(lot.lines("accepted")) < 150:
            await lot.hear()
        await lot.order(do="lie", spot="A-001", how="duplicating")
        await lot.order(do="lie", spot="A-001", how="flapping", times=3, every_s=0.01)
        while len(flaps(lot, "A-001")) < 3 or (await lot.order(do="status"))["readings_waiting"]:
            await lot.hear()
    assert await lot.end() == 0
    accepted = [line["id"] for line in lot.lines("accepted")]
    assert [accepted.count(reading) for reading in flaps(lot, "A-001")] == [2, 2, 2]


def flaps(lot: Lot, spot: str) -> list[int]:
    """The readings of a spot's sensor after its first word, heartbeats left out."""
    own = [line for line in lot.lines("reading") if line["spot"] == spot and not line["heartbeat"]]
    return [line["id"] for line in own[1:]]


async def test_a_cable_that_is_pulled_is_gone_until_it_is_plugged_in(lot: Lot) -> None:
    port = read_plan(lot.files.lot_toml).buses[ENTRY_BUS].port
    async with asyncio.timeout(SOON_S):
        assert port.exists()
        await lot.order(do="unplug", device=ENTRY_BUS)
        assert not port.is_symlink()
        await lot.order(do="plug", device=ENTRY_BUS)
        assert port.exists()
    assert await lot.end() == 0
    assert not port.is_symlink()


def test_the_cars_inside_at_the_start_find_a_place_of_their_kind(tmp_path: Path) -> None:
    plan = read_plan(write_lot(DemoLot(folder=tmp_path, broker_port=1883)).lot_toml)
    scale = CivilScale(anchor_at=ELEVEN, anchor_monotonic=0.0, speed=60.0)
    inside = warm_vehicles(plan, 1, scale)
    assert 60 <= len(inside) <= 150
    for kind in {place.type for place in plan.places}:
        places = sum(place.type is kind for place in plan.places)
        assert sum(vehicle.type is kind for vehicle in inside) <= places
