"""Dragino LDDS75 ultrasonic distance sensor: presence is a threshold on the distance, in the lot's settings.

Source: codec in chirpstack/lorawan-device-profiles (vendors/dragino/codecs/ldds75.js). Big-endian. The two upper bits
of the battery word are flags. A distance of 0 means no sensor and 20 an echo too near to measure: neither is a
distance. The probe's temperature is left out, since a missing probe reads 0 °C.
"""

from __future__ import annotations

from drivers.mqtt.decoded import Decoded, Kind
from drivers.mqtt.payload_reader import PayloadReader, require_length, unknown_port

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
