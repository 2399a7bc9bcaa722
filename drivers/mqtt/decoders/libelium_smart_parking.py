"""Libelium Smart Parking (Plug & Sense, protocol v2 and v3): always 11 bytes, a header byte on top, the port is a setting.

Source: parser and its tests in ZennerIoT/element-parsers (lib/libelium_smart-parking_v3.ex), which follow the vendor's
technical guide. Header bits: 7 occupied, 6 battery low, 5 settings refused, 4 recalibrated, 3..0 frame type. The vendor
publishes no complete layout; bytes that are not described are not read.
"""

from __future__ import annotations

from drivers.mqtt.decoded import Decoded, Kind, Term
from drivers.mqtt.payload_reader import PayloadReader, require_application_port, require_length

KINDS = {
    0: Kind.STATUS,
    1: Kind.HEARTBEAT,
    2: Kind.TELEMETRY,
    3: Kind.ERROR_REPORT,
    4: Kind.STARTUP,
    5: Kind.STARTUP,
    7: Kind.CONFIG_ACK,
}
WITH_TEMPERATURE = frozenset({Kind.STATUS, Kind.HEARTBEAT})


def decode(payload: bytes, f_port: int) -> Decoded:
    """Decode a frame; temperature in °C, `sequence` counts frames modulo 256."""
    require_application_port(f_port)
    require_length(payload, 11)
    reader = PayloadReader(payload)
    header = reader.unsigned(1, "header")
    terms: dict[str, Term] = {
        "occupied": bool(header & 0x80),
        "battery_low": bool(header & 0x40),
        "sequence": reader.unsigned(1, "frame counter"),
    }
    kind = KINDS.get(header & 0x0F, Kind.OTHER)
    if kind in WITH_TEMPERATURE:
        reader.take(1, "sensor error")
        terms["temperature_c"] = reader.signed(1, "temperature")
    return Decoded(kind=kind, terms=terms)
