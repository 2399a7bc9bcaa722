"""Dragino LMDS200 microwave radar: the nearer of two echoes, in centimetres.

Source: LMDS200 decoder in dragino/dragino-end-node-decoder; the unit is from the product's description. Big-endian.
"""

from __future__ import annotations

from drivers.mqtt.decoded import Decoded, Kind
from drivers.mqtt.payload_reader import PayloadReader, require_length, unknown_port


def decode(payload: bytes, f_port: int) -> Decoded:
    """Decode a measurement (port 2), the device's settings (port 4) or its description (port 5)."""
    reader = PayloadReader(payload)
    match f_port:
        case 2:
            require_length(payload, 7)
            battery_v = reader.unsigned(2, "battery") / 1000
            return Decoded.of(Kind.TELEMETRY, battery_v=battery_v, distance_cm=reader.unsigned(2, "distance"))
        case 4:
            require_length(payload, 9)
            return Decoded.of(Kind.PARAMETERS)
        case 5:
            require_length(payload, 7)
            reader.take(5, "description")
            return Decoded.of(Kind.TELEMETRY, battery_v=reader.unsigned(2, "battery") / 1000)
        case _:
            raise unknown_port(f_port, [2, 4, 5])
