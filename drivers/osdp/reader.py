"""Card readers on one RS-485 line by OSDP, with secure channel, light and buzzer. Story "pass at the lane", next file: drivers/osdp/line.py."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from drivers.errors import CommandRefused, CommandUnanswered, DeviceUnreachable
from drivers.osdp.line import Line
from drivers.osdp.settings import OsdpSettings
from drivers.ports import Command, Done, Driver, ShowSignal, Sink
from drivers.settings import read_settings


class OsdpReaders:
    """The driver of one line."""

    def __init__(self, name: str, settings: OsdpSettings) -> None:
        self._name = name
        self._settings = settings
        self._line: Line | None = None

    async def run(self, sink: Sink) -> None:
        """Poll until cancelled, see `Driver.run`."""
        line = Line(self._name, self._settings, self._settings.keys(), sink)
        self._line = line
        try:
            await line.run()
        finally:
            self._line = None
            line.close()

    async def command(self, command: Command, *, timeout_s: float) -> Done:
        """Show a signal, see `Driver.command`."""
        if not isinstance(command, ShowSignal) or command.device not in self._settings.units:
            raise CommandRefused(f"no reader on this line can do {command}")
        if self._line is None:
            raise DeviceUnreachable(f"{self._settings.port} is not open")
        try:
            async with asyncio.timeout(timeout_s):
                await self._line.show(command)
        except TimeoutError:
            raise CommandUnanswered(f"{command.device} did not answer within {timeout_s} s") from None
        return Done()


def make(name: str, settings: Mapping[str, object]) -> Driver:
    """Make the driver of one line, see `DriverFactory`."""
    return OsdpReaders(name, read_settings(OsdpSettings, settings))
