"""Ticket, card and QR readers on a serial line. Story "pass at the lane", next file: edge/translation.py.

The line's bytes go through a sans-IO framer (drivers/serial_port/lines.py); this file owns the port and the pauses. A person
scans a few codes a minute, a broken reader can send ten thousand lines a second: beyond `lines_per_s` lines in a
second the rest is not passed on, and one malformed reading per second says how many were left out. One that says ten times as much
has gone mad and is left alone for a while (drivers/serial_port/sanity.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pydantic import Field

from drivers.errors import CommandRefused
from drivers.ports import Command, Done, Driver, Sink
from drivers.serial_port.lines import Heard, LineReader, NoRead, ReaderStyle, ReaderTalk
from drivers.serial_port.port import LineSettings, SerialPort
from drivers.serial_port.sanity import Sanity
from drivers.serial_port.tap import Tap
from drivers.serial_port.wrapping import Checksum, Wrapping
from drivers.settings import read_settings


class ReaderSettings(LineSettings):
    """The table of a serial reader."""

    style: ReaderStyle = Field(
        default=ReaderStyle.CODE, description=f"how the reader talks: one of {', '.join(ReaderStyle)}"
    )
    code_id: bool = Field(
        default=False, description="true where the reader puts a letter for the symbology first"
    )
    prefix: str = Field(
        default="", max_length=32, description="what the reader puts before each line, which is not the code"
    )
    suffix: str = Field(
        default="",
        max_length=32,
        description="what the reader puts after it, the line's end (CR, LF) left out",
    )
    checksum: Checksum = Field(
        default=Checksum.NONE,
        description='"none", or two hexadecimal digits before the suffix: "xor" of the bytes, or their "sum" to 0',
    )
    no_read: tuple[str, ...] = Field(
        default=("NOREAD", "NR"), description="what the reader sends when it was triggered and saw nothing"
    )
    quiet_ms: int = Field(
        default=200, ge=10, le=5_000, description="milliseconds of silence that end a frame"
    )
    lines_per_s: int = Field(
        default=50,
        ge=1,
        le=10_000,
        description="lines that are passed on in one second; ten times as many, and the reader is left alone",
    )


class SerialReader:
    """The driver of one reader; readings carry the driver's name as their device."""

    def __init__(self, name: str, settings: ReaderSettings) -> None:
        self._name = name
        self._settings = settings

    async def run(self, sink: Sink) -> None:
        """Read until cancelled, see `Driver.run`.

        Raises:
            DeviceGoneMad: the reader says more than a person can scan.
        """
        sanity = Sanity(self._name, self._settings.lines_per_s)
        tap = Tap(self._name, sink, self._settings.lines_per_s)
        ear = _Ear(LineReader(self._name, _talk(self._settings)), sink, tap, sanity, self._settings)
        port = SerialPort(self._settings, ear.hear)
        try:
            ended, _ = await asyncio.wait({port.lost, sanity.lost}, return_when=asyncio.FIRST_COMPLETED)
            ended.pop().result()
        finally:
            sanity.close()
            ear.close()
            port.close()

    async def command(self, command: Command, *, timeout_s: float) -> Done:  # noqa: ARG002 - the port's signature
        """Refuse: a reader takes no commands."""
        raise CommandRefused(f"a reader cannot do {command}")


class _Ear:
    """Feeds the framer and tells it when the line went quiet."""

    def __init__(
        self, lines: LineReader, sink: Sink, tap: Tap, sanity: Sanity, settings: ReaderSettings
    ) -> None:
        self._lines = lines
        self._sink = sink
        self._tap = tap
        self._sanity = sanity
        self._quiet_s = settings.quiet_ms / 1_000
        self._loop = asyncio.get_running_loop()
        self._heard_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def hear(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        heard = self._lines.feed(data)
        self._sanity.count(size=len(data), lines=len(heard))
        self._pass_on(heard)
        if self._timer is None and self._lines.waiting:
            self._timer = self._loop.call_later(self._quiet_s, self._perhaps_quiet)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._tap.close()

    def _perhaps_quiet(self) -> None:
        """Give an unfinished frame up, unless bytes came meanwhile: then look again when they are old."""
        self._timer = None
        left_s = self._heard_at + self._quiet_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._perhaps_quiet)
        else:
            self._pass_on(self._lines.quiet())

    def _pass_on(self, heard: list[Heard]) -> None:
        for one in heard:
            if isinstance(one, NoRead):
                self._sink.alive()
            else:
                self._tap.take(one)


def _talk(settings: ReaderSettings) -> ReaderTalk:
    wrapping = Wrapping(prefix=settings.prefix, suffix=settings.suffix, checksum=settings.checksum)
    return ReaderTalk(
        style=settings.style, wrapping=wrapping, code_id=settings.code_id, no_read=settings.no_read
    )


def make(name: str, settings: Mapping[str, object]) -> Driver:
    """Make the driver of one reader, see `DriverFactory`."""
    return SerialReader(name, read_settings(ReaderSettings, settings))
