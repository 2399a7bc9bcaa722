"""Nwave NPS405 (G4, surface and flush mount) parking sensor: the port says what a frame is.

Source: codec and examples in TheThingsNetwork/lorawan-devices (vendor/nwave/nps405) and their twins in
thingsboard/data-converters. Revisions of the vendor's script disagree where the state bit lies; bit 0, with the length of
the previous state in bits 7..1, fits every published example and is read here. That length is stepped: by minutes
below 90, then by five minutes to 235, then by hours to 600, and 127 stands for more than 660 minutes. Temperature is
half degrees above 10 °C, battery 2.5 V + 4 mV per unit. Heartbeats of newer firmware carry three bytes more.
"""

from __future__ import annotations

from drivers.mqtt.decoded import Decoded, Kind, Term
from drivers.mqtt.payload_reader import PayloadReader, require_length, unknown_port

PORTS = (1, 2, 3, 6, 10)


def decode(payload: bytes, f_port: int) -> Decoded:
    """Decode a state (port 1), a heartbeat (2), a start (3), a debug frame (6) or a tag at the sensor (10)."""
    reader = PayloadReader(payload)
    match f_port:
        case 1:
            require_length(payload, 1)
            state = reader.unsigned(1, "state")
            return Decoded.of(
                Kind.STATUS, occupied=bool(state & 1), previous_state_minutes=_previous_state_minutes(state)
            )
        case 2:
            return _heartbeat(payload, reader)
        case 3:
            require_length(payload, 5)
            firmware = reader.version("firmware")
            reader.take(1, "reset cause")
            return Decoded.of(Kind.STARTUP, occupied=bool(reader.unsigned(1, "state") & 1), firmware=firmware)
        case 6:
            return Decoded.of(Kind.OTHER)
        case 10:
            return _user_registration(payload, reader)
        case _:
            raise unknown_port(f_port, PORTS)


def _previous_state_minutes(state: int) -> int:
    steps = state >> 1
    if steps < 90:
        return steps
    if steps < 120:
        return 90 + (steps - 90) * 5
    return 240 + (steps - 120) * 60


def _heartbeat(payload: bytes, reader: PayloadReader) -> Decoded:
    require_length(payload, 3, 6)
    state = reader.unsigned(1, "state")
    battery_v = (2500 + 4 * reader.unsigned(1, "battery")) / 1000
    temperature_c = reader.signed(1, "temperature") / 2 + 10
    return Decoded.of(
        Kind.HEARTBEAT, occupied=bool(state & 1), temperature_c=temperature_c, battery_v=battery_v
    )


def _user_registration(payload: bytes, reader: PayloadReader) -> Decoded:
    require_length(payload, 5, 6)
    state = reader.unsigned(1, "state")
    taken = bool(state & 1)  # with the bit clear the frame does not speak of the spot
    terms: dict[str, Term] = {
        "occupied": True if taken else None,
        "previous_state_minutes": _previous_state_minutes(state) if taken else None,
    }
    if len(payload) == 6:  # newer firmware: the tag's battery in 0.1 V
        terms["tag_battery_v"] = reader.unsigned(1, "tag battery") / 10
    terms["tag_id"] = reader.take(4, "tag").hex().upper()
    return Decoded(kind=Kind.USER_REGISTRATION, terms=terms)
