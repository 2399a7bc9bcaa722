"""Nwave NPS310SM parking sensor: the port says what a frame is.

Source: codec and examples in TheThingsNetwork/lorawan-devices (vendor/nwave/nps310sm).
"""

from __future__ import annotations

from drivers.mqtt.decoded import Decoded, Kind
from drivers.mqtt.payload_reader import PayloadReader, require_length, unknown_port


def decode(payload: bytes, f_port: int) -> Decoded:
    """Decode a state (port 1), a heartbeat (2) or a start (3)."""
    reader = PayloadReader(payload)
    match f_port:
        case 1 | 2:
            require_length(payload, 1)
            kind = Kind.STATUS if f_port == 1 else Kind.HEARTBEAT
            return Decoded.of(kind, occupied=reader.flag("state"))
        case 3:
            require_length(payload, 5)
            firmware = reader.version("firmware")
            reader.take(1, "reset cause")
            return Decoded.of(Kind.STARTUP, occupied=reader.flag("state"), firmware=firmware)
        case _:
            raise unknown_port(f_port, [1, 2, 3])
