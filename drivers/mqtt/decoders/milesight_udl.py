"""Milesight EM400-UDL and EM310-UDL ultrasonic distance sensors: channel, type, value; little-endian; port is a setting.

Source: README files of em-series/em400-udl and em-series/em310-udl in Milesight-IoT/SensorDecoders. Distance is on channel
4 in the EM400 and on channel 3 in the EM310; an alarm repeats the value on the channel + 0x80 with one byte more.
Presence is a threshold on the distance, in the lot's settings. Downlinks: the maker's "Downlink Command" of its ultrasonic
sensors (report interval in seconds, reboot), on port 85 as it is set in the factory.
"""

from __future__ import annotations

from drivers.errors import MalformedInput
from drivers.mqtt.decoded import Decoded, Kind, Term
from drivers.mqtt.downlink import Downlink, require_seconds
from drivers.mqtt.payload_reader import PayloadReader, require_application_port
from drivers.ports import SensorOrder

PORT = 85

# (channel, type): bytes of a value that says nothing about the spot
INFORMATION = {
    (0xFF, 0x01): 1,  # protocol version
    (0xFF, 0x09): 2,  # hardware version
    (0xFF, 0x0A): 2,  # firmware version
    (0xFF, 0x0B): 1,  # switched on
    (0xFF, 0x0F): 1,  # LoRaWAN class
    (0xFF, 0x16): 8,  # serial number
    (0xFF, 0xFE): 1,  # reset
    (0xFF, 0xFF): 2,  # model version
}
# type of a command that the sensor repeats on channel 0xfe or 0xff: bytes of its value
ANSWERS = {
    0x02: 2, 0x03: 2, 0x06: 9, 0x10: 1, 0x13: 1, 0x1C: 2, 0x28: 1, 0x3E: 1, 0x4A: 1, 0x56: 1, 0x70: 2, 0x71: 1,
}  # fmt: skip


def decode(payload: bytes, f_port: int) -> Decoded:
    """Decode measurements (mm, °C, percent), the message after a join, or the answer to a command."""
    require_application_port(f_port)
    reader = PayloadReader(payload)
    terms: dict[str, Term] = {}
    kind: Kind | None = None
    while reader.left:
        channel, kind_of_value = reader.unsigned(1, "channel"), reader.unsigned(1, "type")
        if (channel, kind_of_value) in INFORMATION:
            reader.take(INFORMATION[channel, kind_of_value], "device information")
            kind = kind or Kind.STARTUP
        elif channel in {0xFE, 0xFF} and kind_of_value in ANSWERS:
            reader.take(ANSWERS[kind_of_value], "command answer")
            kind = kind or Kind.CONFIG_ACK
        else:
            _measurement(reader, channel, kind_of_value, terms)
            kind = Kind.TELEMETRY
    if kind is None:
        raise MalformedInput("payload", "empty, at least one measurement expected")
    return Decoded(kind=kind, terms=terms)


def _measurement(reader: PayloadReader, channel: int, kind_of_value: int, terms: dict[str, Term]) -> None:
    match channel, kind_of_value:
        case 0x01, 0x75:
            terms["battery_pct"] = reader.unsigned(1, "battery")
        case 0x03, 0x67:
            terms["temperature_c"] = reader.signed_little(2, "temperature") / 10
        case ((0x03 | 0x04), 0x82):
            terms["distance_mm"] = reader.unsigned_little(2, "distance")
        case ((0x04 | 0x05), 0x00):
            terms["tilted"] = reader.flag("position")
        case 0x83, 0x67:
            terms["temperature_c"] = reader.signed_little(2, "temperature") / 10
            reader.take(1, "temperature alarm")
        case 0x84, 0x82:
            terms["distance_mm"] = reader.unsigned_little(2, "distance")
            terms["alarm"] = reader.flag("distance alarm")
        case _:
            raise MalformedInput("channel", f"{channel:02x}/{kind_of_value:02x} is unknown")


def encode(order: SensorOrder, seconds: int | None) -> Downlink | None:
    """Set the time between two reports (60 s to 18 h), or restart."""
    match order:
        case SensorOrder.REPORT_EVERY:
            return Downlink(PORT, b"\xff\x03" + require_seconds(seconds, 60, 64_800).to_bytes(2, "little"))
        case SensorOrder.RESTART:
            return Downlink(PORT, b"\xff\x10\xff")
        case _:
            return None
