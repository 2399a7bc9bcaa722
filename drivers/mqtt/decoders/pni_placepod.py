"""PNI PlacePod parking sensor and counter: a list of channel, type, value; big-endian; the port is a setting.

Source: parser and its tests in ZennerIoT/element-parsers (lib/pni_placepods.ex, after the vendor's communications
protocol) and types/pnicorp in akenza-io/device-type-library. Of two states in one frame the later one wins. An empty
payload is sent at start. A tail that is not described, behind values that are, is kept as `unparseable`, since newer
firmware appends what older readers skip; a frame of which nothing is described is refused.
"""

from __future__ import annotations

from drivers.errors import MalformedInput
from drivers.mqtt.decoded import Decoded, Kind, Term
from drivers.mqtt.payload_reader import PayloadReader, require_application_port

KNOWN = {
    (0x01, 0x01): "recalibrated",
    (0x02, 0x67): "temperature",
    (0x03, 0x02): "battery",
    (0x15, 0x66): "state",
    (0x1C, 0x01): "deactivated",
    (0x21, 0x00): "vehicle count",
    (0x37, 0x00): "keep-alive count",
    (0x37, 0x66): "keep-alive",
    (0x3F, 0x01): "rebooted",
}
LARGEST_COUNT = 0x7F  # above it the byte marks a restart or a recalibration
RANK = (Kind.HEARTBEAT, Kind.STATUS, Kind.COUNT, Kind.CONFIG_ACK, Kind.TELEMETRY)


def decode(payload: bytes, f_port: int) -> Decoded:
    """Decode a frame; °C, volts. Its kind is the weightiest of what it holds."""
    require_application_port(f_port)
    if not payload:
        return Decoded.of(Kind.STARTUP)
    reader = PayloadReader(payload)
    terms: dict[str, Term] = {}
    kinds: set[Kind] = set()
    while reader.left:
        head = reader.take(2, "channel")
        field = KNOWN.get((head[0], head[1]))
        if field is None and kinds:
            terms["unparseable"] = (head + reader.rest()).hex()
        elif field is None:
            raise MalformedInput("channel", f"{head[0]:02x}/{head[1]:02x} is unknown")
        else:
            kinds.add(_value(reader, field, terms))
    return Decoded(kind=next(kind for kind in RANK if kind in kinds), terms=terms)


def _value(reader: PayloadReader, field: str, terms: dict[str, Term]) -> Kind:
    match field:
        case "temperature":
            terms["temperature_c"] = reader.signed(2, field) / 10
            return Kind.TELEMETRY
        case "battery":
            terms["battery_v"] = reader.unsigned(2, field) / 100
            return Kind.TELEMETRY
        case "state" | "keep-alive":
            terms["occupied"] = reader.flag(field)
            return Kind.STATUS if field == "state" else Kind.HEARTBEAT
        case "vehicle count" | "keep-alive count":
            return _count(reader, field, terms)
        case _:
            reader.take(1, field)
            return Kind.CONFIG_ACK


def _count(reader: PayloadReader, field: str, terms: dict[str, Term]) -> Kind:
    count = reader.unsigned(1, field)
    if count <= LARGEST_COUNT:
        terms["count"] = count
    if field == "keep-alive count":
        return Kind.HEARTBEAT
    return Kind.COUNT if count <= LARGEST_COUNT else Kind.TELEMETRY
