"""Advertising spot sensors and beacons, by bleak over BlueZ. Story "stuck sensor", next file: edge/observing.py.

Theory. A scanner can stand there and hear nothing: BlueZ refuses to stop a discovery, remembers it as running, and every later start
succeeds without the radio ever listening (bleak#832, bluez#343). So hearing is what counts. On the air of a town something always
speaks; where no advertisement of anybody came for `silent_s`, the scanner is stopped, whether that works or not, and a new one
is started, and it is told. A second silence in a row switches the adapter off and on. A third one ends the run:
the supervisor starts the driver again, and its health says so.

    listening ──silent_s──▶ scanner restarted ──silent_s──▶ adapter switched off and on ──silent_s──▶ DeviceUnreachable
    any of these ──an advertisement──▶ listening

BlueZ or its bus going away is such a silence too: bleak does not tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from dbus_fast.errors import DBusError

from drivers.ble.adapter_power import switch_off_and_on
from drivers.ble.addresses import read_address
from drivers.ble.beacons import Advertisement
from drivers.ble.settings import BleSettings
from drivers.ble.sightings import Sightings
from drivers.errors import CommandRefused, DeviceUnreachable
from drivers.ports import Command, ConditionReading, Done, Driver, MalformedReading, Sink
from drivers.serial_port.tap import Tap
from drivers.settings import read_settings

LOG = structlog.stdlib.get_logger("drivers.ble")

READINGS_PER_S = 200
BUS_S = 5.0  # for one answer of BlueZ
BASE_UUID = "-0000-1000-8000-00805f9b34fb"
MOST_SILENCES = 3
WHAT_BLUEZ_RAISES = (BleakError, DBusError, OSError, EOFError, TimeoutError)


class BleReceiver:
    """The driver of one adapter."""

    def __init__(self, name: str, settings: BleSettings) -> None:
        self._name = name
        self._settings = settings

    async def run(self, sink: Sink) -> None:
        """Listen until cancelled, see `Driver.run`."""
        ear = _Ear(self._name, self._settings, sink)
        try:
            while True:
                async with self._scanning(ear):
                    await ear.listen_until_silent()
                if ear.silences >= MOST_SILENCES:
                    problem = (
                        f"no advertisement came, though scanner and adapter were restarted: {self._where}"
                    )
                    raise DeviceUnreachable(problem)
                if ear.silences > 1:
                    await self._switch_off_and_on()
        finally:
            ear.close()

    async def command(self, command: Command, *, timeout_s: float) -> Done:  # noqa: ARG002 - the port's signature
        """Refuse: what advertises takes no commands."""
        raise CommandRefused(f"an advertising device cannot do {command}")

    @property
    def _where(self) -> str:
        return self._settings.adapter or "the first adapter that is on"

    @asynccontextmanager
    async def _scanning(self, ear: _Ear) -> AsyncIterator[None]:
        """Scan. That a scanner cannot be stopped is told and is no reason not to start the next one.

        Raises:
            DeviceUnreachable: BlueZ, its bus or the adapter is not there.
        """
        chosen = {} if self._settings.adapter is None else {"adapter": self._settings.adapter}
        scanner = BleakScanner(ear.hear, bluez={**chosen, "filters": {"DuplicateData": True}})  # type: ignore[typeddict-item] # a TypedDict spread
        try:
            async with asyncio.timeout(BUS_S):
                await scanner.start()
        except WHAT_BLUEZ_RAISES as wrong:
            raise DeviceUnreachable(f"no scan on {self._where}: {type(wrong).__name__}: {wrong}") from wrong
        try:
            yield
        finally:
            try:
                async with asyncio.timeout(BUS_S):
                    await scanner.stop()
            except (*WHAT_BLUEZ_RAISES, AssertionError) as wrong:  # bleak asserts that its bus is still there
                LOG.warning("scanner_did_not_stop", driver=self._name, error=str(wrong))

    async def _switch_off_and_on(self) -> None:
        try:
            async with asyncio.timeout(2 * BUS_S):
                await switch_off_and_on(self._settings.adapter)
        except WHAT_BLUEZ_RAISES as wrong:
            raise DeviceUnreachable(f"{self._where} cannot be switched on: {wrong}") from wrong
        LOG.warning("adapter_switched_off_and_on", driver=self._name, adapter=self._where)


class _Ear:
    """Hears advertisements, and the lack of them. `silences`: how many there were in a row."""

    def __init__(self, name: str, settings: BleSettings, sink: Sink) -> None:
        self.silences = 0
        self._name = name
        self._silent_s = settings.silent_s
        self._sink = sink
        self._tap = Tap(name, sink, READINGS_PER_S)
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._heard_at: float | None = None
        self._deaf_since: float | None = None
        self._sightings = Sightings(
            devices=settings.known_devices(),
            lost_s=settings.lost_s,
            again_s=settings.again_s,
            began_at=now,
        )

    def hear(self, device: BLEDevice, data: AdvertisementData) -> None:
        """Take an advertisement of anybody; called by bleak, which must not be raised into."""
        now = self._loop.time()
        self._heard_at = now
        if self._deaf_since is not None or self.silences:
            self._hears_again(now)
        self._sink.alive()
        try:
            address = read_address(device.address)
        except ValueError:
            return
        seen = Advertisement(
            manufacturer=data.manufacturer_data,
            service_data={
                int(uuid[4:8], 16): content
                for uuid, content in data.service_data.items()
                if uuid.startswith("0000") and uuid.endswith(BASE_UUID)
            },
        )
        reading = self._sightings.take(address, seen, now, rssi_dbm=data.rssi)
        if reading is not None:
            self._tap.take(reading)

    async def listen_until_silent(self) -> None:
        """Return when nothing was heard for `silent_s`; tell which devices are lost meanwhile."""
        begun_at = self._loop.time()
        while True:
            now = self._loop.time()
            left_s = max(begun_at, self._heard_at or begun_at) + self._silent_s - now
            if left_s <= 0:
                self._silent(now)
                return
            for lost in self._sightings.lost(now):
                self._tap.take(lost)
            await asyncio.sleep(min(left_s, 1.0))

    def close(self) -> None:
        """Say what was left out."""
        self._tap.close()

    def _silent(self, now: float) -> None:
        self.silences += 1
        problem = f"no advertisement for {self._silent_s:g} s: the scanner is restarted"
        LOG.warning("scanner_silent", driver=self._name, silences=self.silences, silent_s=self._silent_s)
        self._sink.deliver(MalformedReading(device=self._name, field="scanner", problem=problem, raw=b""))
        if self._deaf_since is None:
            self._deaf_since = now - self._silent_s
            self._sink.deliver(ConditionReading(device=self._name, conditions=None))

    def _hears_again(self, now: float) -> None:
        """The radio works: what was not heard meanwhile is no silence of the devices."""
        if self._deaf_since is not None:
            self._sightings.pause(now - self._deaf_since)
        self._deaf_since = None
        self.silences = 0
        self._sink.deliver(ConditionReading(device=self._name, conditions=frozenset()))


def make(name: str, settings: Mapping[str, object]) -> Driver:
    """Make the driver of one adapter, see `DriverFactory`."""
    return BleReceiver(name, read_settings(BleSettings, settings))
