"""Tekzitel TekziPark radar and magnetometer sensor: flags, temperature, space number.

Source: the device's profile in thinger-io/plugins (tekzitel-tekzipark). Flag bits: 7 occupied, 5 battery good,
4 obstruction, 3 radar, 2 no beacon, 1 restarted, 0 keep-alive. On port 1 a signal strength and the beacons heard, two
bytes each, may follow; on port 2 nine bytes of diagnosis do, the seventh of which is a fault code.
"""

from __future__ import annotations

from drivers.errors import MalformedInput
from drivers.mqtt.decoded import Decoded, Kind, Term
from drivers.mqtt.payload_reader import PayloadReader, require_length, unknown_port


def decode(payload: bytes, f_port: int) -> Decoded:
    """Decode a state (port 1) or a diagnosis (port 2); °C."""
    if f_port not in {1, 2}:
        raise unknown_port(f_port, [1, 2])
    reader = PayloadReader(payload)
    flags = reader.unsigned(1, "flags")
    terms: dict[str, Term] = {
        "occupied": bool(flags & 0x80),
        "temperature_c": reader.signed(1, "temperature"),
        "battery_low": not flags & 0x20,
        "space": reader.unsigned(1, "space"),
    }
    if f_port == 2:
        require_length(payload, 12)
        reader.take(6, "deflection")
        terms["fault_code"] = reader.unsigned(1, "fault code")
        return Decoded(kind=Kind.TELEMETRY, terms=terms)
    if reader.left:
        reader.take(1, "beacon strength")
        if reader.left % 2:
            raise MalformedInput("beacons", f"{reader.left} bytes, but a beacon has two")
    return Decoded(kind=Kind.HEARTBEAT if flags & 1 else Kind.STATUS, terms=terms)
