"""What is believed of a device on the air, one advertisement after another."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given
from hypothesis import strategies as st

from drivers.ble.addresses import read_address
from drivers.ble.beacons import Advertisement
from drivers.ble.bthome import SERVICE
from drivers.ble.sightings import KnownDevice, Sightings, Speech
from drivers.ble.vendor_data import Place, VendorLayout
from drivers.errors import MalformedInput
from drivers.ports import MalformedReading, SpotReading

ADDRESS = read_address("A4:C1:38:8D:18:B2")
STRANGER = read_address("C0:FF:EE:00:00:01")
KEY = bytes(range(16))
UUID = "f7826da6-4fa2-4e98-8024-bc5b71e0893e"
ACME = VendorLayout(
    company=0x0822,
    begins=b"\x01",
    terms={"car": Place(at=1, bit=7), "battery_v": Place(at=2, size=2, big_endian=True, factor=0.001)},
)


def sightings(device: KnownDevice, *, lost_s: float = 900, again_s: float = 300) -> Sightings:
    return Sightings(devices=[device], lost_s=lost_s, again_s=again_s, began_at=0.0)


def plain(*, key: bytes | None = None, restarts: bool = False) -> Sightings:
    return sightings(
        KnownDevice(name="spot", speech=Speech.BTHOME, address=ADDRESS, key=key, counter_may_restart=restarts)
    )


def bthome(message: bytes) -> Advertisement:
    return Advertisement(service_data={SERVICE: message})


def sealed(counter: int, objects: bytes = b"\x23\x01") -> Advertisement:
    number = counter.to_bytes(4, "little")
    made = AESCCM(KEY, tag_length=4).encrypt(ADDRESS + b"\xd2\xfc\x41" + number, objects, None)
    return bthome(b"\x41" + made[:-4] + number + made[-4:])


TAKEN, FREE = bthome(b"\x40\x23\x01"), bthome(b"\x40\x23\x00")


def occupied(said: object) -> object:
    """What a reading says of its spot, or the field that was refused; None where nothing was said."""
    if isinstance(said, MalformedReading):
        return said.field
    return said.occupied if isinstance(said, SpotReading) else None


def test_strangers_are_counted_and_not_told() -> None:
    air = plain()
    assert air.take(STRANGER, TAKEN, 1.0) is None
    assert air.ignored == 1


def test_the_same_message_is_told_once_and_again_after_its_time() -> None:
    air = plain()
    said = [occupied(air.take(ADDRESS, seen, at)) for seen, at in ((TAKEN, 1), (TAKEN, 2), (TAKEN, 301))]
    assert said == [True, None, True]
    assert [occupied(air.take(ADDRESS, seen, 302)) for seen in (FREE, FREE, TAKEN)] == [False, None, True]


def test_a_devices_own_health_is_told_in_the_words_of_all_vendors() -> None:
    said = plain().take(ADDRESS, bthome(bytes.fromhex("4001640c020c1501230102ca09")), 1.0, rssi_dbm=-70)
    assert said == SpotReading(
        device="spot",
        occupied=True,
        attributes={
            "battery_pct": 100,
            "battery_v": 3.074,
            "battery_low": True,
            "temperature_c": 25.06,
            "rssi_dbm": -70,
        },
    )


def test_a_device_with_a_key_is_not_believed_without_it() -> None:
    air = plain(key=KEY)
    assert occupied(air.take(ADDRESS, FREE, 1.0)) == "encryption"
    assert occupied(air.take(ADDRESS, FREE, 2.0)) is None, "said once"
    assert occupied(air.take(ADDRESS, sealed(1), 3.0)) is True


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_only_a_counter_that_goes_on_is_believed(counters: list[int]) -> None:
    air, last, told = plain(key=KEY), -1, False
    for at, counter in enumerate(counters):
        said = air.take(ADDRESS, sealed(counter), float(at))
        told = isinstance(said, SpotReading)
        assert told is (counter > last), f"{counter} after {last}"
        last = max(last, counter)


def test_a_recording_between_two_messages_does_not_silence_the_device() -> None:
    air = plain(key=KEY)
    old, now = sealed(4, b"\x23\x01"), sealed(5, b"\x23\x00")
    said = [occupied(air.take(ADDRESS, seen, at)) for at, seen in enumerate((old, now, old, now, old))]
    assert said == [True, False, "counter", None, None]
    assert occupied(air.take(ADDRESS, sealed(6), 9.0)) is True


def test_a_recording_proves_no_life() -> None:
    air = plain(key=KEY)
    old, now = sealed(4), sealed(5)
    air.take(ADDRESS, old, 1.0)
    air.take(ADDRESS, now, 2.0)
    air.take(ADDRESS, old, 901.0)
    assert [reading.lost for reading in air.lost(902.0)] == [True]


def test_a_device_whose_counter_may_restart_is_believed_after_its_battery_was_changed() -> None:
    air = plain(key=KEY, restarts=True)
    assert [occupied(air.take(ADDRESS, sealed(n), 1.0)) for n in (100, 1, 2)] == [True, True, True]


def test_a_device_that_is_silent_is_lost_once_and_found_by_its_next_word() -> None:
    air = plain()
    air.take(ADDRESS, TAKEN, 10.0)
    assert air.lost(909.9) == []
    assert air.lost(910.0) == [SpotReading(device="spot", occupied=None, lost=True)]
    assert air.lost(2000.0) == []
    assert occupied(air.take(ADDRESS, TAKEN, 2001.0)) is True


def test_a_pause_of_the_radio_is_no_silence_of_a_device() -> None:
    air = plain()
    air.take(ADDRESS, TAKEN, 10.0)
    air.pause(600.0)
    assert air.lost(1000.0) == []
    assert air.lost(1510.0) != []


def test_a_vendors_frame_is_read_by_its_layout() -> None:
    air = sightings(
        KnownDevice(name="spot", speech=Speech.VENDOR, address=ADDRESS, layout=ACME, occupied_by="car")
    )
    said = air.take(ADDRESS, Advertisement(manufacturer={0x0822: bytes.fromhex("01800bb8")}), 1.0)
    assert said == SpotReading(device="spot", occupied=True, attributes={"battery_v": 3.0})
    refused = [
        occupied(air.take(ADDRESS, Advertisement(manufacturer={0x0822: raw}), 2.0))
        for raw in (b"\x02\x80", b"\x01\x80")
    ]
    assert refused == ["frame", "battery_v"]
    assert air.take(ADDRESS, Advertisement(manufacturer={0x004C: b"\x10"}), 3.0) is None


def test_a_contact_that_says_free_is_turned_round() -> None:
    device = KnownDevice(
        name="spot", speech=Speech.BTHOME, address=ADDRESS, occupied_by="opening", inverted=True
    )
    said = [occupied(sightings(device).take(ADDRESS, bthome(bytes([0x40, 0x11, n])), 1.0)) for n in (0, 1)]
    assert said == [True, False]


def test_an_ibeacon_is_known_by_what_it_says_and_not_by_its_address() -> None:
    air = sightings(KnownDevice(name="tag", speech=Speech.IBEACON, beacon=f"{UUID}/1/17"))
    raw = bytes.fromhex("0215" + UUID.replace("-", "") + "00010011c5")
    said = air.take(STRANGER, Advertisement(manufacturer={0x004C: raw}), 1.0)
    assert isinstance(said, SpotReading)
    assert (said.device, said.occupied, said.attributes["minor"]) == ("tag", None, 17)
    other = raw[:-2] + b"\x12\xc5"
    assert air.take(STRANGER, Advertisement(manufacturer={0x004C: other}), 2.0) is None


def test_eddystone_telemetry_tells_the_battery() -> None:
    air = sightings(KnownDevice(name="tag", speech=Speech.EDDYSTONE, address=ADDRESS))
    raw = bytes.fromhex("20000bad15800000126700057e40")
    said = air.take(ADDRESS, Advertisement(service_data={0xFEAA: raw}), 1.0)
    assert isinstance(said, SpotReading)
    assert (said.attributes["battery_v"], said.attributes["temperature_c"]) == (2.989, 21.5)


@given(st.lists(st.tuples(st.binary(max_size=30), st.booleans()), max_size=10), st.sampled_from(Speech))
def test_any_advertisements_of_a_device_are_told_or_refused_by_name(
    messages: list[tuple[bytes, bool]], speech: Speech
) -> None:
    device = KnownDevice(
        name="spot", speech=speech, address=ADDRESS, key=KEY, layout=ACME if speech is Speech.VENDOR else None
    )
    air = sightings(device)
    for at, (raw, as_service) in enumerate(messages):
        seen = (
            Advertisement(service_data={SERVICE: raw, 0xFEAA: raw})
            if as_service
            else Advertisement(manufacturer={0x004C: b"\x02\x15" + raw, 0x0822: raw})
        )
        said = air.take(ADDRESS, seen, float(at))
        assert not isinstance(said, MalformedReading) or (said.field and said.problem)


def test_an_address_is_six_bytes_or_refused() -> None:
    assert read_address("a4:c1:38:8d:18:b2") == ADDRESS
    for wrong in ("", "A4:C1:38:8D:18", "A4-C1-38-8D-18-B2", "A4:C1:38:8D:18:B2:00"):
        with pytest.raises(ValueError, match="no Bluetooth address"):
            read_address(wrong)


def test_a_place_behind_the_end_is_named() -> None:
    with pytest.raises(MalformedInput, match="4 bytes are needed, 2 came"):
        Place(at=2, size=2).look("level", b"\x00\x00")
