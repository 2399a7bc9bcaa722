"""What an Acme concentrator says, without any wire: one line of ASCII for each sensor that changed, or that is told again.

    17 4021 TAKEN      sensor, the concentrator's number of this message, state: TAKEN or FREE
    17 4022 LOST       the concentrator has not heard the sensor for an hour

It sends a line again until it hears `ACK 4021`. (The protocol is made up; yours comes from its maker's manual: name it here.)
"""

from __future__ import annotations

import re

from drivers.errors import MalformedInput
from drivers.ports import SpotReading

LONGEST_LINE = 64
_LINE = re.compile(rb"([0-9]{1,6}) ([0-9]{1,10}) (TAKEN|FREE|LOST)")
_OCCUPIED = {b"TAKEN": True, b"FREE": False, b"LOST": None}


def read_line(line: bytes) -> SpotReading:
    """What a line, without its end, says. Its number is the reading's key, so that the same line again has no second effect.

    Raises:
        MalformedInput: it says nothing of the kind.
    """
    found = _LINE.fullmatch(line)
    if found is None:
        raise MalformedInput("line", "it is not SENSOR NUMBER STATE")
    sensor, number, state = found.groups()
    return SpotReading(
        device=sensor.decode(), occupied=_OCCUPIED[state], key=number.decode(), lost=state == b"LOST"
    )


def acknowledgement(reading: SpotReading) -> bytes:
    """What ends the repetition of a reading."""
    return f"ACK {reading.key}\n".encode()
