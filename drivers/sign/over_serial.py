"""A sign on a serial line that takes framed text, and may answer each frame with ACK or NAK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from string import Template
from typing import Any, Literal

from pydantic import Field, field_validator

from drivers.errors import CommandRefused, CommandUnanswered
from drivers.ports import MalformedReading, Sink
from drivers.serial_port.port import LineSettings, SerialPort
from drivers.serial_port.tap import Tap
from drivers.sign.framing import FrameSettings
from drivers.sign.outputs import Shown
from drivers.sign.settings import SignSettings

ACK, NAK = 0x06, 0x15
MOST_MALFORMED_A_SECOND = 5
BITS_PER_CHARACTER = 10


class SerialSignSettings(SignSettings, LineSettings):
    """The table of a sign with `over = "serial"`."""

    over: Literal["serial"] = Field(description='"serial"')
    text: str = Field(
        default="$at$value", max_length=256, description="what a frame holds, with $at and $value in it"
    )
    frame: FrameSettings = Field(
        default=FrameSettings(), description="start, end, checksum, written, covers and stands"
    )
    answers: Literal["none", "ack"] = Field(
        default="none", description='"ack" where the sign answers each frame with ACK or NAK, else "none"'
    )
    answer_s: float = Field(default=0.5, gt=0, le=60, description="seconds that the sign may take to answer")

    @field_validator("text")
    @classmethod
    def _is_a_template(cls, text: str) -> str:
        return checked_template(text)


def checked_template(text: str) -> str:
    """Return a template that has `$value`, and nothing unknown.

    Raises:
        ValueError: it has not.
    """
    template = Template(text)
    if not template.is_valid() or "value" not in template.get_identifiers():
        raise ValueError("it holds no $value")
    strange = set(template.get_identifiers()) - {"at", "value"}
    if strange:
        raise ValueError(f"${min(strange)} is neither $at nor $value")
    return text


class _SerialWire:
    def __init__(self, name: str, settings: SerialSignSettings, sink: Sink) -> None:
        self._name = name
        self._settings = settings
        self._sink = sink
        self._tap = Tap(name, sink, MOST_MALFORMED_A_SECOND)
        self._answer: asyncio.Future[bool] | None = None
        self._port = SerialPort(settings, self._hear)
        self.lost = self._port.lost

    async def show(self, at: str, value: Shown) -> None:
        written = self._settings.words.write(value)
        frame = self._settings.frame.frame(Template(self._settings.text).substitute(at=at, value=written))
        self._answer = asyncio.get_running_loop().create_future()
        self._port.write(frame)
        on_wire_s = len(frame) * BITS_PER_CHARACTER / self._settings.baud
        if self._settings.answers == "none":
            await asyncio.sleep(on_wire_s)
            return
        ends: set[asyncio.Future[Any]] = {self._answer, self.lost}
        within_s = self._settings.answer_s + on_wire_s
        await asyncio.wait(ends, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        if self.lost.done():
            self.lost.result()
        if not self._answer.done():
            raise CommandUnanswered(f"{self._name} did not answer")
        if not self._answer.result():
            raise CommandRefused(f"{self._name} refused the frame")

    async def shows(self, at: str, value: Shown) -> bool:  # noqa: ARG002 - such a sign cannot be asked
        return True

    def close(self) -> None:
        self._tap.close()
        self._port.close()

    def _hear(self, data: bytes) -> None:
        strange = data.strip(bytes((ACK, NAK))) if self._settings.answers == "ack" else data
        if strange:
            self._tap.take(
                MalformedReading(
                    device=self._name, field="answer", problem="a sign does not say this", raw=data
                )
            )
            return
        self._sink.alive()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(data[-1] == ACK)


@asynccontextmanager
async def serial_sign(settings: SerialSignSettings, name: str, sink: Sink) -> AsyncIterator[_SerialWire]:
    """Open the line of a sign.

    Raises:
        DeviceUnreachable: it cannot be opened.
    """
    wire = _SerialWire(name, settings, sink)
    try:
        yield wire
    finally:
        wire.close()
