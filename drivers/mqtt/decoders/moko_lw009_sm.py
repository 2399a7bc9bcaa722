"""MOKO LW009-SM parking sensor: a framed list of tag, length, value on port 1; big-endian.

Source: the vendor's decoder script for LW009-SM, found published without its repository. A frame is 0x7e, version,
time (4), frame number (2), length of the body (2), instruction, encrypted, body, up to two check bytes that the
script does not look at, 0x7e. Tags that are not described are skipped, as their length says.
"""

from __future__ import annotations

from drivers.errors import MalformedInput
from drivers.mqtt.decoded import Decoded, Kind, Term
from drivers.mqtt.payload_reader import PayloadReader, unknown_port

MARK = 0x7E
CHECK_BYTES = 2
REASON, DEVICE_TYPE = 0x02, 0x03
REASONS = {
    0x00: Kind.HEARTBEAT,
    0x0B: Kind.STATUS,  # became free
    0x0C: Kind.STATUS,  # became occupied
    0x0D: Kind.FAULT,  # strong magnetic interference
    0x0E: Kind.FAULT,  # battery low
    0x10: Kind.FAULT,  # magnetometer failed
    0x11: Kind.FAULT,  # thermometer failed
    0x12: Kind.FAULT,  # radar failed
}


def decode(payload: bytes, f_port: int) -> Decoded:
    """Decode a state report or a parameter report."""
    if f_port != 1:
        raise unknown_port(f_port, [1])
    tags = _tags(_body(payload))
    if REASON in tags:
        reason = PayloadReader(tags[REASON]).unsigned(1, "reason")
        return Decoded(kind=REASONS.get(reason, Kind.OTHER), terms=_state(tags))
    if DEVICE_TYPE in tags:
        return Decoded.of(Kind.PARAMETERS)
    raise MalformedInput("body", "neither a state (tag 0x02) nor parameters (tag 0x03)")


def _body(payload: bytes) -> bytes:
    reader = PayloadReader(payload)
    if reader.unsigned(1, "start mark") != MARK:
        raise MalformedInput("start mark", f"0x{payload[0]:02x} is not 0x7e")
    reader.take(7, "head")
    length = reader.unsigned(2, "length")
    reader.take(1, "instruction")
    if reader.flag("encrypted"):
        raise MalformedInput("encrypted", "an encrypted body cannot be read")
    if length > reader.left:
        raise MalformedInput("length", f"declares {length} bytes, {reader.left} are left")
    body = reader.take(length, "body")
    tail = reader.rest()
    if not 1 <= len(tail) <= 1 + CHECK_BYTES or tail[-1] != MARK:
        raise MalformedInput("end mark", "the frame does not end in 0x7e after its body")
    return body


def _tags(body: bytes) -> dict[int, bytes]:
    reader = PayloadReader(body)
    tags: dict[int, bytes] = {}
    while reader.left:
        tag = reader.unsigned(1, "tag")
        field = f"tag 0x{tag:02x}"
        tags[tag] = reader.take(reader.unsigned(1, field), field)
    return tags


def _state(tags: dict[int, bytes]) -> dict[str, Term]:
    terms: dict[str, Term] = {}
    if 0x32 in tags:
        terms["occupied"] = PayloadReader(tags[0x32]).flag("state")
    if 0x0B in tags:
        terms["temperature_c"] = PayloadReader(tags[0x0B]).signed(1, "temperature")
    if 0x35 in tags:
        terms["humidity_pct"] = PayloadReader(tags[0x35]).unsigned(1, "humidity")
    if 0x24 in tags:
        terms["battery_pct"] = PayloadReader(tags[0x24]).unsigned(1, "battery")
    if 0x29 in tags:
        terms["battery_v"] = PayloadReader(tags[0x29]).unsigned(2, "battery") / 1000
    return terms
