"""Advertisements and beacons from the documents of their formats, and any bytes at all."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ble.beacons import read_advertisement, read_beacon
from drivers.errors import MalformedInput

UUID = "f7826da6-4fa2-4e98-8024-bc5b71e0893e"

# The layouts of Apple (iBeacon) and of github.com/google/eddystone, each with what it says.
KNOWN = {
    "0201061aff4c000215f7826da64fa24e988024bc5b71e0893e00010011c5": {
        "type": "ibeacon",
        "uuid": UUID,
        "major": 1,
        "minor": 17,
        "tx_power_dbm": -59,
    },
    "0303aafe1116aafe20000bad15800000126700057e40": {
        "type": "eddystone-tlm",
        "version": 0,
        "battery_mv": 2989,
        "temperature_c": 21.5,
        "adv_count": 4711,
        "uptime_s": 36000.0,
    },
    "0e16aafe1000006578616d706c6500": {
        "type": "eddystone-url",
        "tx_power_dbm_at_0m": 0,
        "url": "http://www.example.com/",
    },
    "0201060000ff": {"type": "unknown"},
    "04ff220801": {"type": "unknown", "company": 0x0822},
}
REFUSED = {
    "0fff4c00021500000000000000000000": "iBeacon data needs 21 bytes after 0215",
    "1fff4c0002": "AD length runs past the packet",
    "02ff4c": "type 0xff needs two bytes",
    "0316aafe": "the frame is empty",
    "0416aafe77": "frame type 0x77 is not known",
    "0516aafe0000": "18 bytes expected, 2 found",
    "0616aafe100009": "scheme 0x09 is not known",
    "0716aafe10000020": "byte 0x20 is not allowed",
    "1116aafe2001000000000000000000000000": "version 1 is not plain telemetry",
}


@pytest.mark.parametrize(("raw", "said"), KNOWN.items())
def test_a_beacon_says_what_its_format_says(raw: str, said: dict[str, object]) -> None:
    assert read_beacon(read_advertisement(bytes.fromhex(raw))) == said


@pytest.mark.parametrize(("raw", "problem"), REFUSED.items())
def test_what_is_no_beacon_of_its_kind_is_named(raw: str, problem: str) -> None:
    with pytest.raises(MalformedInput, match=problem):
        read_beacon(read_advertisement(bytes.fromhex(raw)))


@given(st.binary(max_size=255))
def test_any_bytes_are_an_advertisement_or_named(raw: bytes) -> None:
    with suppress(MalformedInput):
        assert read_beacon(read_advertisement(raw))["type"]


@given(st.sampled_from([b"\x16\xaa\xfe", b"\xff\x4c\x00\x02\x15", b"\xff\x4c\x00"]), st.binary(max_size=40))
def test_any_data_of_a_beacons_structure_is_read_or_named(head: bytes, data: bytes) -> None:
    structure = head + data
    with suppress(MalformedInput):
        assert read_beacon(read_advertisement(bytes([len(structure)]) + structure))["type"]
