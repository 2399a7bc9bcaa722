"""Bosch TPS110 parking lot sensor: the port says what a frame is.

Source: codec and examples in TheThingsNetwork/lorawan-devices (vendor/bosch); the usage counters of port 5 from
akenza-io/device-type-library (types/bosch). Usage counters are big-endian. The published decoders disagree about a
state byte other than 0 and 1, so it is refused.
"""

from __future__ import annotations

from drivers.errors import MalformedInput
from drivers.mqtt.decoded import Decoded, Kind, Term
from drivers.mqtt.payload_reader import PayloadReader, require_length, unknown_port

DEBUG_BYTES = 12
COUNTERS = {
    0: "state_changes",
    1: "occupied_s",
    3: "radar_triggers",
    4: "running_since_restart_s",
    6: "running_since_install_s",
}
UPLINKS_PER_DATA_RATE = 2
RESETS = 5


def decode(payload: bytes, f_port: int) -> Decoded:
    """Decode a frame on port 1 (state), 2 (heartbeat), 3 (start), 5 (usage), 4 and 6 (device information, debug)."""
    match f_port:
        case 1:
            require_length(payload, 1)
            return Decoded.of(Kind.STATUS, occupied=PayloadReader(payload).flag("state"))
        case 2:
            return _heartbeat(payload)
        case 3:
            return _startup(payload)
        case 5:
            return _usage(payload)
        case 4 | 6:
            return Decoded.of(Kind.OTHER)
        case _:
            raise unknown_port(f_port, range(1, 7))


def _heartbeat(payload: bytes) -> Decoded:
    require_length(payload, 1, 2)
    reader = PayloadReader(payload)
    occupied = reader.flag("state")
    if not reader.left:  # firmware before 0.29 sends no temperature
        return Decoded.of(Kind.HEARTBEAT, occupied=occupied)
    return Decoded.of(Kind.HEARTBEAT, occupied=occupied, temperature_c=reader.signed(1, "temperature"))


def _startup(payload: bytes) -> Decoded:
    require_length(payload, 17)
    reader = PayloadReader(payload)
    reader.take(DEBUG_BYTES, "debug")
    firmware = reader.version("firmware")
    reader.take(1, "reset cause")
    return Decoded.of(Kind.STARTUP, occupied=reader.flag("state"), firmware=firmware)


def _usage(payload: bytes) -> Decoded:
    reader = PayloadReader(payload)
    request = reader.unsigned(1, "usage type")
    if request in COUNTERS:
        require_length(payload, 5)
        return Decoded.of(Kind.DEVICE_USAGE, usage=COUNTERS[request], value=reader.unsigned(4, "value"))
    if request == UPLINKS_PER_DATA_RATE:
        require_length(payload, 19)
        rates: dict[str, Term] = {f"dr{rate}": reader.unsigned(3, "uplinks") for rate in range(6)}
        return Decoded.of(Kind.DEVICE_USAGE, usage="uplinks", **rates)
    if request == RESETS:
        require_length(payload, 8)
        return Decoded.of(Kind.DEVICE_USAGE, usage="resets")
    raise MalformedInput("usage type", f"{request} is unknown")
