"""Nwave NCC405 car counter: the port says what a frame is.

Source: codec and examples in TheThingsNetwork/lorawan-devices (vendor/nwave/ncc405). The counter is 16 bit, big-endian
and wraps. Battery bytes: 2.5 V + 4 mV each.
"""

from __future__ import annotations

from drivers.mqtt.decoded import Decoded, Kind
from drivers.mqtt.payload_reader import PayloadReader, require_length, unknown_port


def decode(payload: bytes, f_port: int) -> Decoded:
    """Decode a count (port 1), a heartbeat (2, volts) or a start (3)."""
    reader = PayloadReader(payload)
    match f_port:
        case 1:
            require_length(payload, 2)
            return Decoded.of(Kind.COUNT, count=reader.unsigned(2, "counter"))
        case 2:
            require_length(payload, 3)
            reader.take(1, "hardware health")
            return Decoded.of(Kind.HEARTBEAT, battery_v=(2500 + 4 * reader.unsigned(1, "battery")) / 1000)
        case 3:
            require_length(payload, 4)
            return Decoded.of(Kind.STARTUP, firmware=reader.version("firmware"))
        case _:
            raise unknown_port(f_port, [1, 2, 3])
