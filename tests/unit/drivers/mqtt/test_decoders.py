"""Vendors' frames, one or more of each that the vendor or a public decoder shows, and what no device may send.

The frames are from the sources that each decoder's docstring names, or were built by hand from the layout there.
"""

from __future__ import annotations

import contextlib
import inspect
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import MalformedInput, UnknownFormat
from drivers.mqtt import decoders
from drivers.mqtt.decoded import Decoded, Kind
from drivers.mqtt.decoder_registry import decoder_of, devices

FRAMES: list[tuple[str, int, str, dict[str, object]]] = [
    ("bosch/tps110", 1, "01", {"kind": "status", "occupied": True}),
    ("bosch/tps110", 2, "01ff", {"kind": "heartbeat", "occupied": True, "temperature_c": -1}),
    ("bosch/tps110", 2, "00", {"kind": "heartbeat", "occupied": False}),
    (
        "bosch/tps110",
        3,
        "240300007503000000000000001d020301",
        {"kind": "startup", "occupied": True, "firmware": "0.29.2"},
    ),
    ("bosch/tps110", 5, "0400000e10", {"kind": "device_usage", "usage": "running_since_restart_s", "value": 3600}),
    ("bosch/tps110", 5, "05010000020304" + "05", {"kind": "device_usage", "usage": "resets"}),
    ("bosch/tps110", 6, "00", {"kind": "other"}),
    (
        "bosch/tps110",
        5,
        "02" + "00000a" * 6,
        {"kind": "device_usage", "usage": "uplinks", **{f"dr{rate}": 10 for rate in range(6)}},
    ),
    ("dragino/ldds75", 2, "0d0a07e900000001", {"kind": "telemetry", "distance_mm": 2025, "battery_v": 3.338}),
    ("dragino/ldds75", 2, "0d0a001400000001", {"kind": "telemetry", "battery_v": 3.338}),
    ("dragino/lmds200", 2, "0ce404b0032005", {"kind": "telemetry", "battery_v": 3.3, "distance_cm": 1200}),
    ("dragino/lmds200", 4, "0004b0050000000000", {"kind": "parameters"}),
    ("kkm/las7", 9, "6a6560f0270155", {
        "kind": "status", "occupied": True, "battery_pct": 85, "time_unix": 1700851751,
    }),
    ("kkm/las7", 9, "6a6560f0270355", {
        "kind": "status", "occupied": None, "battery_pct": 85, "time_unix": 1700851751,
    }),
    ("kkm/las7", 9, "ff070e10010201", {"kind": "startup", "occupied": True, "battery_v": 3.6}),
    ("libelium/smart_parking", 3, "81c60014053300d90c80c8", {
        "kind": "heartbeat", "occupied": True, "battery_low": False, "sequence": 198, "temperature_c": 20,
    }),
    ("libelium/smart_parking", 3, "050106160801010100014b", {
        "kind": "startup", "occupied": False, "battery_low": False, "sequence": 1,
    }),
    ("macnman/parkomate", 2, "010101000affec012cfe700200fc00682c5ed7", {
        "kind": "status", "occupied": True, "time_unix": 1747738327,
    }),
    ("macnman/parkomate", 2, "01da00000004000b000f00060000682c5ed7", {"kind": "heartbeat", "suspect": True}),
    ("milesight/udl", 85, "01755c03670101048244080500" + "01", {
        "kind": "telemetry", "battery_pct": 92, "temperature_c": 25.7, "distance_mm": 2116, "tilted": True,
    }),
    ("milesight/udl", 85, "8367e800018482410601", {
        "kind": "telemetry", "temperature_c": 23.2, "distance_mm": 1601, "alarm": True,
    }),
    ("milesight/udl", 85, "ff0bffff0101ff0f00", {"kind": "startup"}),
    ("milesight/udl", 85, "fe03b004", {"kind": "config_ack"}),
    ("moko/lw009_sm", 1, "7e1165f027b20009001d010002010023031c003c29020de92506f01df040fd6f3201000b011635012600007e", {
        "kind": "heartbeat", "occupied": False, "temperature_c": 22, "humidity_pct": 38, "battery_v": 3.561,
    }),
    ("moko/lw009_sm", 1, "7e1165f0310000010006010002010c3201017e", {"kind": "status", "occupied": True}),
    ("netvox/r719a", 6, "0159011e01000000000000", {
        "kind": "status", "occupied": True, "battery_v": 3.0, "battery_low": False,
    }),
    ("netvox/r719a", 6, "0159019e00000000000000", {
        "kind": "status", "occupied": False, "battery_v": 3.0, "battery_low": True,
    }),
    ("netvox/r719a", 6, "015900640b202004240000", {"kind": "startup", "firmware": "10.0"}),
    ("nwave/ncc405", 1, "ffff", {"kind": "count", "count": 65535}),
    ("nwave/ncc405", 3, "010d0002", {"kind": "startup", "firmware": "1.13.0"}),
    ("nwave/nps310", 3, "010d000200", {"kind": "startup", "occupied": False, "firmware": "1.13.0"}),
    ("nwave/nps405", 1, "95", {"kind": "status", "occupied": True, "previous_state_minutes": 74}),
    ("nwave/nps405", 2, "00d3d800590b", {
        "kind": "heartbeat", "occupied": False, "temperature_c": -10, "battery_v": 3.344,
    }),
    ("nwave/nps405", 10, "d1201f345678", {
        "kind": "user_registration", "occupied": True, "previous_state_minutes": 160,
        "tag_battery_v": 3.2, "tag_id": "1F345678",
    }),
    ("nwave/nps405", 6, "0102", {"kind": "other"}),
    ("pni/placepod", 2, "0302016d026700e1156600", {
        "kind": "status", "battery_v": 3.65, "temperature_c": 22.5, "occupied": False,
    }),
    ("pni/placepod", 2, "370005", {"kind": "heartbeat", "count": 5}),
    ("pni/placepod", 2, "156601cafe", {"kind": "status", "occupied": True, "unparseable": "cafe"}),
    ("tekzitel/tekzipark", 1, "a1f605", {
        "kind": "heartbeat", "occupied": True, "temperature_c": -10, "battery_low": False, "space": 5,
    }),
    ("tekzitel/tekzipark", 2, "801605010203040506070000", {
        "kind": "telemetry", "occupied": True, "temperature_c": 22, "battery_low": True, "space": 5, "fault_code": 7,
    }),
]  # fmt: skip

MALFORMED: list[tuple[str, int, str, str]] = [
    ("bosch/tps110", 1, "02", "state"),
    ("bosch/tps110", 1, "0101", "payload"),
    ("bosch/tps110", 7, "01", "fPort"),
    ("bosch/tps110", 5, "0900000000", "usage type"),
    ("dragino/ldds75", 2, "0d0a07e9", "payload"),
    ("dragino/lmds200", 3, "0ce404b0032005", "fPort"),
    ("kkm/las7", 1, "6b6560f0270155", "type"),
    ("kkm/las7", 0, "6a6560f0270155", "fPort"),
    ("libelium/smart_parking", 3, "00", "payload"),
    ("macnman/parkomate", 2, "010201000affec012cfe700200fc00682c5ed7", "message type"),
    ("macnman/parkomate", 2, "01010000000000000000000000000000000000"[:36], "payload"),
    ("milesight/udl", 85, "", "payload"),
    ("milesight/udl", 85, "0999", "channel"),
    ("milesight/udl", 85, "ff1600", "device information"),
    ("moko/lw009_sm", 1, "7f1165f0310000010006010002010c3201017e", "start mark"),
    ("moko/lw009_sm", 1, "7e1165f0310000010006010002010c3201010000007e", "end mark"),
    ("moko/lw009_sm", 1, "7e1165f0310000010006010102010c3201017e", "encrypted"),
    ("moko/lw009_sm", 1, "7e1165f0310000010006010002090c3201017e", "tag 0x02"),
    ("moko/lw009_sm", 1, "7e1165f03100000100030100" + "320101" + "7e", "body"),
    ("netvox/r719a", 6, "0158011e01000000000000", "device type"),
    ("netvox/r719a", 6, "0259011e01000000000000", "version"),
    ("netvox/r719a", 6, "0159051e01000000000000", "report type"),
    ("netvox/r719a", 7, "0359011e01000000000000", "command"),
    ("nwave/ncc405", 9, "06aa", "fPort"),
    ("nwave/nps310", 9, "00", "fPort"),
    ("nwave/nps405", 2, "00d3", "payload"),
    ("pni/placepod", 2, "996601", "channel"),
    ("pni/placepod", 2, "156602", "state"),
    ("pni/placepod", 2, "0267", "temperature"),
    ("tekzitel/tekzipark", 1, "a01605b8000a01", "beacons"),
]


@pytest.mark.parametrize(("device", "f_port", "payload", "said"), FRAMES)
def test_a_frame_says_what_its_vendor_says_of_it(
    device: str, f_port: int, payload: str, said: dict[str, object]
) -> None:
    assert decoder_of(device)(bytes.fromhex(payload), f_port).as_json() == said


@pytest.mark.parametrize(("device", "f_port", "payload", "field"), MALFORMED)
def test_a_frame_that_the_device_does_not_send_is_refused_by_field(
    device: str, f_port: int, payload: str, field: str
) -> None:
    with pytest.raises(MalformedInput) as refused:
        decoder_of(device)(bytes.fromhex(payload), f_port)
    assert refused.value.field == field
    assert refused.value.problem


@pytest.mark.parametrize("device", devices())
@given(payload=st.binary(max_size=64), f_port=st.integers(min_value=0, max_value=255))
def test_no_bytes_make_a_decoder_fail_in_a_way_of_its_own(device: str, payload: bytes, f_port: int) -> None:
    with contextlib.suppress(MalformedInput):
        json.dumps(decoder_of(device)(payload, f_port).as_json(), allow_nan=False)


@pytest.mark.parametrize(("device", "f_port", "payload", "said"), FRAMES)
@given(data=st.data())
def test_a_frame_with_one_byte_changed_or_cut_off_never_crashes(
    device: str, f_port: int, payload: str, said: dict[str, object], data: st.DataObject
) -> None:
    frame = bytearray.fromhex(payload)
    if frame:
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(frame[: data.draw(st.integers(0, len(frame)))])
    with contextlib.suppress(MalformedInput):
        decoder_of(device)(damaged, f_port)


def test_each_step_of_the_previous_state_is_longer_than_the_one_before() -> None:
    minutes = [_minutes(step << 1) for step in range(128)]
    assert minutes == sorted(set(minutes))
    assert (minutes[89], minutes[90], minutes[119], minutes[120], minutes[127]) == (89, 90, 235, 240, 660)
    assert all(_minutes(step << 1 | 1) == minutes[step] for step in range(128))


def _minutes(state: int) -> int:
    minutes = decoder_of("nwave/nps405")(bytes([state]), 1).terms["previous_state_minutes"]
    assert isinstance(minutes, int)
    return minutes


def test_every_file_of_the_folder_is_a_device_and_decodes_as_the_port_asks() -> None:
    for device in devices():
        decode = decoder_of(device)
        assert inspect.signature(decode) == inspect.signature(_model), device
        module = inspect.getmodule(decode)
        assert module is not None
        assert module.__name__ == f"{decoders.__name__}.{device.replace('/', '_', 1)}"
        assert "Source" in (module.__doc__ or ""), f"{device} names no source of its layout"


def _model(payload: bytes, f_port: int) -> Decoded:
    raise NotImplementedError


def test_an_unknown_device_is_told_how_to_find_the_known_ones() -> None:
    with pytest.raises(UnknownFormat, match="decode --list"):
        decoder_of("nobody/nothing")


def test_a_distance_in_centimetres_counts_as_millimetres() -> None:
    assert Decoded.of(Kind.TELEMETRY, distance_cm=12).distance_mm == 120
    assert Decoded.of(Kind.TELEMETRY, distance_mm=12).distance_mm == 12
    assert Decoded.of(Kind.TELEMETRY).distance_mm is None
