"""Beacons: what an advertisement is made of, iBeacon and Eddystone. Sans-IO.

An advertisement is a row of structures, each a length, a type and data. Beacons write their numbers high byte first, BTHome low
byte first. iBeacon measures its power at 1 m, Eddystone at 0 m (41 dB more). Sources: Bluetooth Core Specification Supplement,
part A; Apple's proximity beacon layout (company 004C, 0215); github.com/google/eddystone, protocol specification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from drivers.errors import MalformedInput

APPLE = 0x004C
IBEACON = b"\x02\x15"
IBEACON_BYTES = 21
EDDYSTONE = 0xFEAA
SERVICE_DATA_16 = 0x16
MANUFACTURER_DATA = 0xFF
NO_TEMPERATURE = 0x8000

SCHEMES = ("http://www.", "https://www.", "http://", "https://")
ENDINGS = (
    *(".com/", ".org/", ".edu/", ".net/", ".info/", ".biz/", ".gov/"),
    *(".com", ".org", ".edu", ".net", ".info", ".biz", ".gov"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """The parts of an advertisement that beacons use: data by company, and service data by 16 bit UUID."""

    manufacturer: Mapping[int, bytes] = field(default_factory=dict)
    service_data: Mapping[int, bytes] = field(default_factory=dict)


def read_advertisement(data: bytes) -> Advertisement:
    """Cut the bytes of an advertisement into its structures.

    Raises:
        MalformedInput: a structure is longer than what is left, or too short for its type.
    """
    manufacturer: dict[int, bytes] = {}
    service_data: dict[int, bytes] = {}
    at = 0
    while at < len(data) and data[at]:  # a length of 0 ends the row early
        length = data[at]
        structure = data[at + 1 : at + 1 + length]
        if len(structure) < length:
            raise MalformedInput("length", "AD length runs past the packet")
        kind, content = structure[0], structure[1:]
        if kind in {SERVICE_DATA_16, MANUFACTURER_DATA}:
            if len(content) < 2:
                raise MalformedInput("structure", f"type 0x{kind:02x} needs two bytes for its number")
            kept = service_data if kind == SERVICE_DATA_16 else manufacturer
            kept[int.from_bytes(content[:2], "little")] = content[2:]
        at += 1 + length
    return Advertisement(manufacturer=manufacturer, service_data=service_data)


def read_beacon(advertisement: Advertisement) -> dict[str, object]:
    """What a beacon says, in the words of `lotgate decode --format ble`; `type` is "unknown" where it is none.

    Raises:
        MalformedInput: it begins as a beacon and does not go on as one.
    """
    if (eddystone := advertisement.service_data.get(EDDYSTONE)) is not None:
        return read_eddystone(eddystone)
    apple = advertisement.manufacturer.get(APPLE)
    if apple is not None and apple[:2] == IBEACON:
        return read_ibeacon(apple)
    company = next(iter(advertisement.manufacturer), None)
    return {"type": "unknown"} if company is None else {"type": "unknown", "company": company}


def read_ibeacon(data: bytes) -> dict[str, object]:
    """Read the manufacturer data of an iBeacon, from its 0215 on."""
    body = data[2:]
    if data[:2] != IBEACON or len(body) < IBEACON_BYTES:
        raise MalformedInput("iBeacon", "iBeacon data needs 21 bytes after 0215")
    return {
        "type": "ibeacon",
        "uuid": str(UUID(bytes=body[:16])),
        "major": int.from_bytes(body[16:18], "big"),
        "minor": int.from_bytes(body[18:20], "big"),
        "tx_power_dbm": int.from_bytes(body[20:21], "big", signed=True),
    }


def read_eddystone(data: bytes) -> dict[str, object]:
    """Read the service data of an Eddystone frame."""
    if not data:
        raise MalformedInput("eddystone", "the frame is empty")
    frame = FRAMES.get(data[0])
    if frame is None:
        raise MalformedInput("eddystone", f"frame type 0x{data[0]:02x} is not known")
    name, needed, read = frame
    if len(data) < needed:
        raise MalformedInput(name, f"{needed} bytes expected, {len(data)} found")
    return {"type": name, **read(data)}


def _power(data: bytes) -> int:
    return int.from_bytes(data[1:2], "big", signed=True)


def _uid(data: bytes) -> dict[str, object]:
    return {
        "tx_power_dbm_at_0m": _power(data),
        "namespace": data[2:12].hex(),
        "instance": data[12:18].hex(),
    }


def _url(data: bytes) -> dict[str, object]:
    if data[2] >= len(SCHEMES):
        raise MalformedInput("eddystone-url", f"scheme 0x{data[2]:02x} is not known")
    text = "".join(_expanded(byte) for byte in data[3:])
    return {"tx_power_dbm_at_0m": _power(data), "url": SCHEMES[data[2]] + text}


def _expanded(byte: int) -> str:
    if byte < len(ENDINGS):
        return ENDINGS[byte]
    if not 0x21 <= byte <= 0x7E:
        raise MalformedInput("eddystone-url", f"byte 0x{byte:02x} is not allowed in an address")
    return chr(byte)


def _tlm(data: bytes) -> dict[str, object]:
    if data[1]:
        raise MalformedInput("eddystone-tlm", f"version {data[1]} is not plain telemetry")
    battery_mv, temperature = int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:6], "big")
    signed = temperature - (0x1_0000 if temperature & 0x8000 else 0)
    return {
        "version": 0,
        "battery_mv": battery_mv or None,
        "temperature_c": None if temperature == NO_TEMPERATURE else signed / 256,
        "adv_count": int.from_bytes(data[6:10], "big"),
        "uptime_s": int.from_bytes(data[10:14], "big") / 10,
    }


def _eid(data: bytes) -> dict[str, object]:
    return {"tx_power_dbm_at_0m": _power(data), "eid": data[2:10].hex()}


FRAMES: Mapping[int, tuple[str, int, Callable[[bytes], dict[str, object]]]] = {
    0x00: ("eddystone-uid", 18, _uid),
    0x10: ("eddystone-url", 3, _url),
    0x20: ("eddystone-tlm", 14, _tlm),
    0x30: ("eddystone-eid", 10, _eid),
}
