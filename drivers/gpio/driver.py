"""Contacts, relays and lamps on the pins of the computer itself. Story "walk-in", next file: edge/translation.py.

Theory. A pin's edge is noted with its instant, in whatever thread it is told, and settled in time (drivers/gpio/debounce.py).
Besides, all pins are looked at each `look_ms`: levels count, so an edge that got lost costs that long and no more. A
reading goes out when a unit's settled contacts changed. When the driver ends nothing is known any more, and all relays are off.

A relay presses a controller's button for `pulse_ms`, one button of a unit at a time; a command is answered when the relay has closed.
Before an arm is driven down its safety loop is looked at once more: occupied, restless or not known, the command is refused here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from drivers.errors import CommandRefused, DeviceUnreachable
from drivers.gpio.pins import Pins, open_pins
from drivers.gpio.settings import GpioSettings
from drivers.gpio.unit import Unit
from drivers.ports import Command, Done, Driver, MoveArm, Sink, SwitchOutput
from drivers.settings import read_settings


class GpioBoard:
    """The driver of one chip's pins."""

    def __init__(self, settings: GpioSettings, open_board: Callable[[GpioSettings], Pins]) -> None:
        self._settings = settings
        self._open_board = open_board
        self._units: dict[str, Unit] = {}

    async def run(self, sink: Sink) -> None:
        """Watch the pins until cancelled, see `Driver.run`."""
        loop = asyncio.get_running_loop()
        stirred = asyncio.Event()
        pins = self._open_board(self._settings)
        units: dict[str, Unit] = {}
        try:
            for name, unit in self._settings.units.items():
                units[name] = Unit(name, unit, self._settings, pins, stirred)
            self._units = units
            while True:
                stirred.clear()
                for each in units.values():
                    each.look(sink)
                sink.alive()
                await _wait(stirred, self._look_again_at(loop.time()) - loop.time())
        finally:
            self._units = {}
            for each in units.values():
                each.close(sink)
            pins.close()

    async def command(self, command: Command, *, timeout_s: float) -> Done:  # noqa: ARG002 - a pin answers at once
        """Press a button by its relay, or switch a lamp, see `Driver.command`."""
        if not isinstance(command, MoveArm | SwitchOutput) or command.device not in self._settings.units:
            raise CommandRefused(f"no pin here can do {command}")
        settings = self._settings.units[command.device]
        if isinstance(command, MoveArm) and command.move not in settings.relays.moves():
            raise CommandRefused(f"{command.device} has no relay to {command.move}")
        if isinstance(command, SwitchOutput) and command.output not in settings.lamps:
            raise CommandRefused(f"{command.device} has no lamp {command.output}")
        unit = self._units.get(command.device)
        if unit is None:
            raise DeviceUnreachable("the pins are not open")
        if isinstance(command, MoveArm):
            unit.press(command.move)
        else:
            unit.switch(command.output, on=command.on)
        return Done()

    def _look_again_at(self, now: float) -> float:
        due = [at for unit in self._units.values() if (at := unit.due_at()) is not None]
        return min(due, default=now + self._settings.look_ms / 1_000)


async def _wait(stirred: asyncio.Event, for_s: float) -> None:
    try:
        async with asyncio.timeout(max(0.0, for_s)):
            await stirred.wait()
    except TimeoutError:
        return


def make(name: str, settings: Mapping[str, object]) -> Driver:  # noqa: ARG001 - a factory's signature, ports.py
    """Make the driver of one chip, see `DriverFactory`."""
    return GpioBoard(read_settings(GpioSettings, settings), open_pins)
