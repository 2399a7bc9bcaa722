"""KKM LAS7 magnetometer and radar parking sensor: the first byte says what a frame is, the port is a setting.

Source: LAS7 script in kkmhogen/LoRaInfo. Big-endian. The two lowest bits of the state byte are the spot's state; 0 free
and 1 occupied are read so by everyone, 2 and 3 are not documented and leave the state open.
"""

from __future__ import annotations

from drivers.errors import MalformedInput
from drivers.mqtt.decoded import Decoded, Kind
from drivers.mqtt.payload_reader import PayloadReader, require_application_port, require_length

STATES: dict[int, bool] = {0: False, 1: True}


def decode(payload: bytes, f_port: int) -> Decoded:
    """Decode a report or the message after a join; battery in percent or volts."""
    require_application_port(f_port)
    require_length(payload, 7)
    reader = PayloadReader(payload)
    match reader.unsigned(1, "type"):
        case 0x6A:
            time_unix = reader.unsigned(4, "time")
            occupied = STATES.get(reader.unsigned(1, "state") & 3)
            battery_pct = reader.unsigned(1, "battery")
            return Decoded.of(Kind.STATUS, occupied=occupied, battery_pct=battery_pct, time_unix=time_unix)
        case 0xFF:
            reader.take(1, "model")
            battery_v = reader.unsigned(2, "battery") / 1000
            reader.take(2, "software version")
            occupied = STATES.get(reader.unsigned(1, "state") & 3)
            return Decoded.of(Kind.STARTUP, occupied=occupied, battery_v=battery_v)
        case unknown:
            raise MalformedInput("type", f"0x{unknown:02x} is neither a report (0x6a) nor a join (0xff)")
