"""The driver of an Acme concentrator over TCP: a thin shell around lines.py."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pydantic import Field

from acme_lotgate.lines import LONGEST_LINE, acknowledgement, read_line
from drivers.errors import CommandRefused, DeviceUnreachable, MalformedInput
from drivers.ports import Command, Done, Driver, MalformedReading, Sink
from drivers.settings import DriverSettings, read_settings


class ConcentratorSettings(DriverSettings):
    """The table of a concentrator in lot.toml. A field's description is the fix that a person is told."""

    host: str = Field(min_length=1, description="the concentrator's address in the lot's network")
    port: int = Field(default=4_100, gt=0, le=65_535, description="its TCP port, 4100 as it comes")
    silent_s: float = Field(
        default=120.0, gt=0, le=3_600, description="seconds of silence that mean a dead line"
    )


class Concentrator:
    """One concentrator."""

    def __init__(self, name: str, settings: ConcentratorSettings) -> None:
        self._name = name
        self._settings = settings

    async def run(self, sink: Sink) -> None:
        """Take lines until cancelled. A line that is lost raises: the supervisor starts the driver again, and no other."""
        host, port = self._settings.host, self._settings.port
        try:
            reader, writer = await asyncio.open_connection(host, port, limit=LONGEST_LINE)
        except OSError as error:
            raise DeviceUnreachable(f"{host}:{port}: {error}") from error
        try:
            while True:
                await self._take(sink, writer, await self._line(reader))
        except OSError as error:
            raise DeviceUnreachable(f"{host}:{port}: {error}") from error
        finally:
            writer.close()

    async def _line(self, reader: asyncio.StreamReader) -> bytes:
        try:
            async with asyncio.timeout(self._settings.silent_s):
                return await reader.readuntil(b"\n")
        except TimeoutError:
            raise DeviceUnreachable(f"silent for {self._settings.silent_s:g} s") from None
        except asyncio.IncompleteReadError:
            raise DeviceUnreachable("the concentrator hung up") from None
        except asyncio.LimitOverrunError:
            raise DeviceUnreachable(f"a line of more than {LONGEST_LINE} bytes") from None

    async def _take(self, sink: Sink, writer: asyncio.StreamWriter, line: bytes) -> None:
        try:
            reading = read_line(line.rstrip(b"\r\n"))
        except MalformedInput as wrong:
            malformed = MalformedReading(
                device=self._name, field=wrong.field, problem=wrong.problem, raw=line
            )
            await sink.deliver(malformed)  # kept and counted; the next line is waited for
            return
        await sink.deliver(reading)  # on the disk now, and only now is the concentrator told
        writer.write(acknowledgement(reading))
        await writer.drain()

    async def command(self, command: Command, *, timeout_s: float) -> Done:  # noqa: ARG002 - the port's
        """A concentrator cannot be told anything."""
        raise CommandRefused(f"{self._name} cannot do {command}")


def make(name: str, settings: Mapping[str, object]) -> Driver:
    """What the entry point names."""
    return Concentrator(name, read_settings(ConcentratorSettings, settings))
