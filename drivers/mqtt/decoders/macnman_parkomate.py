"""Macnman ParkOMate magnetometer: 19 bytes, big-endian, the port is a setting.

Source: ParkOMate script in MacnMan/LoRADecoders. Device number, message type, state, six signed magnetometer words,
time. The vendor's own sample heartbeat is one byte short: such a frame proves that the sensor lives and is believed no
further.
"""

from __future__ import annotations

from drivers.errors import MalformedInput
from drivers.mqtt.decoded import Decoded, Kind
from drivers.mqtt.payload_reader import PayloadReader, require_application_port, require_length

KINDS = {0x01: Kind.STATUS, 0xDA: Kind.HEARTBEAT}
LENGTH = 19
MAGNETOMETER_BYTES = 12


def decode(payload: bytes, f_port: int) -> Decoded:
    """Decode an event or a heartbeat; `time_unix` by the sensor's clock."""
    require_application_port(f_port)
    require_length(payload, LENGTH - 1, LENGTH)
    reader = PayloadReader(payload)
    reader.take(1, "device number")
    message = reader.unsigned(1, "message type")
    if message not in KINDS:
        raise MalformedInput(
            "message type", f"0x{message:02x} is neither an event (0x01) nor a heartbeat (0xda)"
        )
    kind = KINDS[message]
    if len(payload) < LENGTH:
        if kind is Kind.HEARTBEAT:
            return Decoded.of(kind, suspect=True)
        require_length(payload, LENGTH)
    occupied = reader.flag("state")
    reader.take(MAGNETOMETER_BYTES, "magnetometer")
    return Decoded.of(kind, occupied=occupied, time_unix=reader.unsigned(4, "time"))
