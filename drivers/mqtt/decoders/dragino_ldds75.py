"""Dragino LDDS75 ultrasonic distance sensor: presence is a threshold on the distance, in the lot's settings.

Source: codec in chirpstack/lorawan-device-profiles (vendors/dragino/codecs/ldds75.js). Big-endian. The two upper bits
of the battery word are flags. A distance of 0 means no sensor and 20 an echo too near to measure: neither is a
distance. The probe's temperature is left out, since a missing probe reads 0 °C. Downlinks: the maker's LDDS75 user manual,
"Configure LDDS75 via AT command or LoRaWAN downlink" (type 0x01: three bytes of seconds; 0x04ff: restart), on any port.
"""

from __future__ import annotations

from drivers.mqtt.decoded import Decoded, Kind
from drivers.mqtt.downlink import Downlink, require_seconds
from drivers.mqtt.payload_reader import PayloadReader, require_length, unknown_port
from drivers.ports import SensorOrder

BATTERY_MASK = 0x3FFF
NOT_A_DISTANCE = frozenset({0, 20})


def decode(payload: bytes, f_port: int) -> Decoded:
    """Decode a measurement (port 2); millimetres and volts."""
    if f_port != 2:
        raise unknown_port(f_port, [2])
    require_length(payload, 8)
    reader = PayloadReader(payload)
    battery_v = (reader.unsigned(2, "battery") & BATTERY_MASK) / 1000
    distance_mm = reader.unsigned(2, "distance")
    if distance_mm in NOT_A_DISTANCE:
        return Decoded.of(Kind.TELEMETRY, battery_v=battery_v)
    return Decoded.of(Kind.TELEMETRY, distance_mm=distance_mm, battery_v=battery_v)


def encode(order: SensorOrder, seconds: int | None) -> Downlink | None:
    """Set the time between two measurements (30 s to 194 days), or restart."""
    match order:
        case SensorOrder.REPORT_EVERY:
            return Downlink(2, b"\x01" + require_seconds(seconds, 30, 0xFFFFFF).to_bytes(3, "big"))
        case SensorOrder.RESTART:
            return Downlink(2, b"\x04\xff")
        case _:
            return None
