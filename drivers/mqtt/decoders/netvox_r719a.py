"""Netvox R719A surface-mounted parking sensor: always 11 bytes; port 6 reports, port 7 talks about settings.

Source: codec examples in TheThingsNetwork/lorawan-devices (vendor/netvox/r719a-codec.yaml). The battery byte is in
0.1 V, its top bit says that it is low. On port 7 the top bit of the command marks an answer; without it the frame
is a command that went down to a device: shortest and longest time between two reports in seconds, and the change of the
battery in 0.1 V that is worth a report.
"""

from __future__ import annotations

from drivers.errors import MalformedInput
from drivers.mqtt.decoded import Decoded, Kind
from drivers.mqtt.downlink import Downlink, require_seconds
from drivers.mqtt.payload_reader import PayloadReader, require_length, unknown_port
from drivers.ports import SensorOrder

DEVICE_TYPE = 0x59
SETTINGS = {0x01: Kind.DOWNLINK, 0x02: Kind.DOWNLINK, 0x81: Kind.CONFIG_ACK, 0x82: Kind.CONFIG_ACK}


def decode(payload: bytes, f_port: int) -> Decoded:
    """Decode a report (port 6) or a frame about settings (port 7); volts."""
    if f_port not in {6, 7}:
        raise unknown_port(f_port, [6, 7])
    require_length(payload, 11)
    reader = PayloadReader(payload)
    leading = reader.unsigned(1, "version")
    device_type = reader.unsigned(1, "device type")
    if device_type != DEVICE_TYPE:
        raise MalformedInput("device type", f"0x{device_type:02x} is not R719A (0x59)")
    if f_port == 7:
        if leading not in SETTINGS:
            raise MalformedInput("command", f"0x{leading:02x} is unknown")
        return Decoded(kind=SETTINGS[leading])
    if leading != 1:
        raise MalformedInput("version", f"{leading} is unknown, 1 expected")
    return _report(reader)


def _report(reader: PayloadReader) -> Decoded:
    match reader.unsigned(1, "report type"):
        case 0x00:
            return Decoded.of(Kind.STARTUP, firmware=str(reader.unsigned(1, "software version") / 10))
        case 0x01:
            battery = reader.unsigned(1, "battery")
            return Decoded.of(
                Kind.STATUS,
                occupied=reader.flag("state"),
                battery_v=(battery & 0x7F) / 10,
                battery_low=bool(battery & 0x80),
            )
        case unknown:
            raise MalformedInput("report type", f"0x{unknown:02x} is neither version (0x00) nor state (0x01)")


def encode(order: SensorOrder, seconds: int | None) -> Downlink | None:
    """Set the time between two reports: 1 to 65,535 s, a change of state is reported at once all the same."""
    if order is not SensorOrder.REPORT_EVERY:
        return None
    every = require_seconds(seconds, 1, 0xFFFF).to_bytes(2, "big")
    return Downlink(7, bytes([0x01, DEVICE_TYPE]) + every + every + b"\x01" + bytes(4))
