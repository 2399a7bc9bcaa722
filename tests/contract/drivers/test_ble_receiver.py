"""Sensors on the air: what is believed of them, and a scanner that hears nothing.

The radio is BlueZ's D-Bus interface on a bus of our own, with the fault that it has in the field.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from drivers.ble.addresses import read_address
from drivers.errors import DeviceUnreachable, DriverMisconfigured
from drivers.ports import ConditionReading, MalformedReading, Reading, SpotReading
from drivers.registry import make_driver
from tests.contract.drivers.ble_rig import BTHOME, KEY, PLAIN, SEALED, STRANGER, BleRig
from tests.contract.drivers.ears import Ears

ADDRESS = "A4:C1:38:8D:18:B2"


@asynccontextmanager
async def on_air(
    folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: object
) -> AsyncIterator[tuple[BleRig, Ears, asyncio.Task[None]]]:
    rig, ears = BleRig(folder, **settings), Ears()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", rig.bus.address)
    rig.bring_back()
    await rig.there()
    task = asyncio.create_task(rig.driver.run(ears))
    try:
        await rig.wire.listening.wait()
        yield rig, ears, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await rig.gone()


def sealed(objects: bytes, counter: int) -> bytes:
    """A message of the sensor that has a key."""
    number = counter.to_bytes(4, "little")
    nonce = read_address(SEALED) + b"\xd2\xfc\x41" + number
    made = AESCCM(KEY, tag_length=4).encrypt(nonce, objects, None)
    return b"\x41" + made[:-4] + number + made[-4:]


async def heard(rig: BleRig, ears: Ears, word: int) -> None:
    """Say a word until it is heard: what is on the air while nobody listens is lost."""
    while not any(rig.said(reading, word) for reading in ears.heard):
        await rig.speak(word)
        with suppress(TimeoutError):
            await ears.hear(lambda reading: rig.said(reading, word), within_s=0.1)


def scanner_told(ears: Ears) -> list[str]:
    return [
        reading.problem
        for reading in ears.heard
        if isinstance(reading, MalformedReading) and reading.field == "scanner"
    ]


def is_spot(reading: Reading, device: str, *, occupied: bool) -> bool:
    return isinstance(reading, SpotReading) and (reading.device, reading.occupied) == (device, occupied)


async def test_a_scanner_that_hears_nothing_is_restarted_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Complaints row 24, the radio went deaf: one restart brings it back."""
    async with on_air(tmp_path, monkeypatch, silent_s=0.4) as (rig, ears, _):
        await heard(rig, ears, 1)
        rig.wire.go_deaf()
        await ears.until(lambda: scanner_told(ears) != [])
        await heard(rig, ears, 2)
        assert set(scanner_told(ears)) == {"no advertisement for 0.4 s: the scanner is restarted"}
        conditions = [reading.conditions for reading in ears.heard if isinstance(reading, ConditionReading)]
        assert conditions[:2] == [None, frozenset()]


async def test_a_stop_that_fails_does_not_leave_the_scanner_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Complaints row 24: StopDiscovery fails, and every later start succeeds without the radio listening."""
    async with on_air(tmp_path, monkeypatch, silent_s=0.4) as (rig, ears, task):
        await heard(rig, ears, 1)
        rig.wire.stop_fails = 1
        rig.wire.go_deaf()
        await ears.until(lambda: len(scanner_told(ears)) >= 2)
        await heard(rig, ears, 2)
        assert rig.wire.power_cycles >= 1
        assert not task.done(), "the driver did it by itself"


async def test_a_radio_that_nothing_brings_back_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Complaints row 24: then the supervisor's health shows it."""
    async with on_air(tmp_path, monkeypatch, silent_s=0.2) as (rig, ears, task):
        rig.wire.is_broken = True
        rig.wire.go_deaf()
        with pytest.raises(DeviceUnreachable, match="no advertisement came"):
            await asyncio.wait_for(asyncio.shield(task), 10)
        assert len(scanner_told(ears)) >= 3


async def test_a_town_that_speaks_keeps_the_scanner_while_ours_are_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on_air(tmp_path, monkeypatch, silent_s=5.0, lost_s=0.3) as (rig, ears, _):
        rig.wire.advertise(STRANGER, manufacturer={0x004C: b"\x10\x05\x01"})
        await ears.until(lambda: ears.alive_count > 0)
        gone = [SpotReading(device=name, occupied=None, lost=True) for name in ("spot-1", "spot-2")]
        await ears.until(lambda: all(reading in ears.heard for reading in gone))
        assert scanner_told(ears) == []
        await rig.speak(3)
        await ears.hear(lambda reading: rig.said(reading, 3))


async def test_an_encrypted_sensor_is_believed_and_its_old_messages_and_plain_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on_air(tmp_path, monkeypatch, silent_s=5.0) as (rig, ears, _):
        taken, free = sealed(b"\x23\x01", 10), sealed(b"\x23\x00", 11)
        rig.wire.advertise(SEALED, service_data={BTHOME: taken})
        await ears.hear(lambda reading: is_spot(reading, "spot-2", occupied=True))
        rig.wire.advertise(SEALED, service_data={BTHOME: free})
        await ears.hear(lambda reading: is_spot(reading, "spot-2", occupied=False))
        rig.wire.advertise(SEALED, service_data={BTHOME: taken})
        await ears.hear(lambda reading: isinstance(reading, MalformedReading) and reading.field == "counter")
        rig.wire.advertise(SEALED, service_data={BTHOME: b"\x40\x23\x01"})
        await ears.hear(
            lambda reading: isinstance(reading, MalformedReading) and reading.field == "encryption"
        )
        said = [reading.occupied for reading in ears.heard if isinstance(reading, SpotReading)]
        assert said == [True, False]


async def test_what_a_device_repeats_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_air(tmp_path, monkeypatch, silent_s=5.0) as (rig, ears, _):
        for strength in range(-80, -70):
            rig.wire.advertise(PLAIN, service_data={BTHOME: b"\x40\x23\x01"}, rssi=strength)
            await asyncio.sleep(0.01)
        await ears.until(lambda: ears.alive_count >= 10)
        assert len(ears.heard) == 1


async def test_an_adapter_that_is_not_there_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = BleRig(tmp_path, adapter="hci7")
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", rig.bus.address)
    rig.bring_back()
    await rig.there()
    with pytest.raises(DeviceUnreachable, match="hci7"):
        await rig.driver.run(Ears())
    await rig.gone()


async def test_a_key_file_without_a_key_is_refused_by_the_name_of_its_setting(tmp_path: Path) -> None:
    rig = BleRig(tmp_path)
    (tmp_path / "sealed.key").write_text("0011")
    with pytest.raises(DriverMisconfigured) as refused:
        await rig.driver.run(Ears())
    assert refused.value.field == "devices.spot-2.key_file"


WRONG = {
    "no device": ({"devices": {}}, "devices"),
    "no address": ({"devices": {"a": {}}}, "devices.a"),
    "no such address": ({"devices": {"a": {"address": "A4:C1"}}}, "devices.a.address"),
    "a beacon without numbers": (
        {"devices": {"a": {"speech": "ibeacon", "beacon": "x"}}},
        "devices.a.beacon",
    ),
    "a vendor that is not described": (
        {"devices": {"a": {"speech": "vendor", "vendor": "acme", "address": ADDRESS}}},
        "settings",
    ),
    "a key for a beacon": (
        {"devices": {"a": {"speech": "eddystone", "address": ADDRESS, "key_file": "/none"}}},
        "devices.a",
    ),
    "one address twice": (
        {"devices": {"a": {"address": ADDRESS}, "b": {"address": ADDRESS.lower()}}},
        "settings",
    ),
    "a key in the table": ({"devices": {"a": {"address": ADDRESS, "key": "00"}}}, "devices.a.key"),
}


@pytest.mark.parametrize(("table", "field"), WRONG.values(), ids=list(WRONG))
def test_settings_that_cannot_work_are_refused_before_anything_is_opened(
    table: dict[str, object], field: str
) -> None:
    with pytest.raises(DriverMisconfigured) as refused:
        make_driver("ble", "sensors", table)
    assert refused.value.field == field
    assert refused.value.fix
