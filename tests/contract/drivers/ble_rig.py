"""Spot sensors that advertise and a barrier that is connected, by bleak over a BlueZ of our own on a bus of our own."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from drivers.ports import Command, Input, InputReading, Move, MoveArm, Reading, SpotReading
from drivers.registry import make_driver
from simulators.barrier import Barrier
from simulators.wire.bluez import BluezWire, PrivateBus
from simulators.wire.gatt_barrier import GattBarrier

PLAIN = "A4:C1:38:8D:18:B2"
SEALED = "54:48:E6:8F:80:A5"
GATE = "D0:5F:B8:00:00:01"
STRANGER = "C0:FF:EE:00:00:01"
BTHOME = 0xFCD2
KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")


class _OnTheBus:
    """An adapter that comes and goes with its bus."""

    bus: PrivateBus
    wire: BluezWire
    _coming: asyncio.Task[None] | None = None

    def lose(self) -> None:
        self.wire.hang_up()
        self.bus.stop()

    def bring_back(self) -> None:
        self.bus.start()
        self._coming = asyncio.get_running_loop().create_task(self.wire.start())

    async def there(self) -> None:
        """Return when the adapter is on the bus."""
        if self._coming is not None:
            await self._coming

    async def gone(self) -> None:
        """Take everything off the bus."""
        await self.there()
        self.lose()


class BleRig(_OnTheBus):
    """The plain sensor speaks: occupancy, and a packet id that makes each word another message."""

    command: Command | None = None
    rubbish = b"\x40\xfe\xca"
    keeps_rubbish = True

    def __init__(self, folder: Path, **settings: object) -> None:
        self.bus = PrivateBus(folder)
        self.wire = BluezWire(self.bus)
        key_file = folder / "sealed.key"
        key_file.write_text(KEY.hex())
        table = {
            "silent_s": 1.0,
            "devices": {
                "spot-1": {"address": PLAIN},
                "spot-2": {"address": SEALED, "key_file": str(key_file)},
            },
            **settings,
        }
        self.driver = make_driver("ble", "sensors", table)

    async def speak(self, word: int) -> None:
        self.wire.advertise(PLAIN, service_data={BTHOME: bytes([0x40, 0x00, word, 0x23, word % 2])})

    async def talk_rubbish(self) -> None:
        self.wire.advertise(PLAIN, service_data={BTHOME: self.rubbish})

    def said(self, reading: Reading, word: int) -> bool:
        return (
            isinstance(reading, SpotReading)
            and (reading.device, reading.occupied) == ("spot-1", bool(word % 2))
            and reading.attributes.get("packet_id") == word
        )


class GattBarrierRig(_OnTheBus):
    """A barrier that is connected; its arming loop speaks."""

    rubbish = b"\xff\x00\xff\x00"
    keeps_rubbish = True

    def __init__(self, folder: Path, **settings: object) -> None:
        self.bus = PrivateBus(folder)
        self.barrier = Barrier(travel_s=0.05)
        self.controller = GattBarrier(GATE, self.barrier, monotonic=time.monotonic)
        self.wire = BluezWire(self.bus, in_reach=[self.controller])
        self.driver = make_driver("ble_barrier", "gate", {"address": GATE, "known_ms": 500, **settings})
        self.command: Command | None = MoveArm(device="gate", move=Move.OPEN)

    async def speak(self, word: int) -> None:
        self.barrier.arming_loop(word % 2)

    async def talk_rubbish(self) -> None:
        self.controller.notify(self.rubbish)

    def said(self, reading: Reading, word: int) -> bool:
        return (
            isinstance(reading, InputReading)
            and reading.device == "gate"
            and reading.closed[Input.ARMING_LOOP] is bool(word % 2)
        )
