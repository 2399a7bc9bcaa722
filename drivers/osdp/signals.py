"""How a signal looks and sounds at an OSDP reader: the commands that libosdp sends for it.

The light is shown for a time and the reader's own permanent light comes back by itself, so a line that breaks leaves no lamp
burning. Counts of time are tenths of a second (SIA OSDP 2.1.7, 6.10 and 6.11).
"""

from __future__ import annotations

from collections.abc import Mapping

from osdp import Command, CommandLEDColor

from drivers.ports import Signal

LIBRARY_COMMAND = Mapping[str, int | bool]

SHOW_FOR_A_TIME = 2  # temporary control code
CANCEL_TEMPORARY = 1
DEFAULT_TONE = 2


def _light(
    colour: int, *, off_colour: int = CommandLEDColor.Black, on: int, off: int, tenths: int
) -> LIBRARY_COMMAND:
    return {
        "command": Command.LED,
        "reader": 0,
        "led_number": 0,
        "temporary": True,
        "control_code": SHOW_FOR_A_TIME if tenths else CANCEL_TEMPORARY,
        "on_count": on,
        "off_count": off,
        "on_color": colour,
        "off_color": off_colour,
        "timer_count": tenths,
    }


def _beeps(count: int, *, on: int, off: int) -> LIBRARY_COMMAND:
    return {
        "command": Command.Buzzer,
        "reader": 0,
        "control_code": DEFAULT_TONE,
        "on_count": on,
        "off_count": off,
        "rep_count": count,
    }


SIGNALS: Mapping[Signal, tuple[LIBRARY_COMMAND, ...]] = {
    Signal.READY: (_light(CommandLEDColor.Black, on=0, off=0, tenths=0),),
    Signal.WAIT: (_light(CommandLEDColor.Amber, on=3, off=3, tenths=300),),
    Signal.GRANTED: (_light(CommandLEDColor.Green, on=30, off=0, tenths=50), _beeps(1, on=3, off=1)),
    Signal.REFUSED: (_light(CommandLEDColor.Red, on=3, off=2, tenths=30), _beeps(3, on=1, off=1)),
}
