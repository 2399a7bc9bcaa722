"""One open line to a printer: what was asked, what was heard, and how a slip goes out over it."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import Field

from drivers.errors import CommandRefused, CommandUnanswered, DeviceUnreachable, MalformedInput
from drivers.ports import Condition, ConditionReading, MalformedReading, Sink
from drivers.printer.status import PrinterStyle, State, StatusReader
from drivers.serial_port.port import LineSettings, SerialPort
from drivers.serial_port.tap import Tap

REQUESTS = {
    PrinterStyle.EPSON: b"".join(bytes((0x10, 0x04, number)) for number in (1, 2, 3, 4)),
    PrinterStyle.CUSTOM: b"\x10\x04\x14",
}
TELL_CHANGES = {PrinterStyle.EPSON: b"\x1da\x0e", PrinterStyle.CUSTOM: b""}  # GS a: on line, error, paper
CLEAR = {
    PrinterStyle.EPSON: b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08",
    PrinterStyle.CUSTOM: b"",
}  # DLE DC4 8
STILL_PRINTS = frozenset({Condition.PAPER_LOW, Condition.NOT_TAKEN})
CHUNK = 128
BITS_PER_CHARACTER = 10
MOST_MALFORMED_A_SECOND = 5


class PrinterSettings(LineSettings):
    """The line, and the printer's manner of speaking."""

    style: PrinterStyle = Field(
        default=PrinterStyle.EPSON,
        description='"epson" (DLE EOT 1 to 4, GS a) or "custom" (DLE EOT 20: it knows a ticket in its mouth)',
    )
    ask_every_s: float = Field(
        default=2.0, gt=0, le=600, description="seconds between two questions how it is"
    )
    answer_s: float = Field(default=0.5, gt=0, le=60, description="seconds that it may take to say how it is")
    take_within_s: float = Field(
        default=15.0, gt=0, le=600, description="seconds that a driver may leave the ticket in the mouth"
    )


class Conversation:
    """What is known of the printer at the other end; a new one for each opened line."""

    def __init__(self, name: str, settings: PrinterSettings, sink: Sink) -> None:
        self._name = name
        self._settings = settings
        self._sink = sink
        self._tap = Tap(name, sink, MOST_MALFORMED_A_SECOND)
        self._reader = StatusReader(settings.style)
        self._loop = asyncio.get_running_loop()
        self._port: SerialPort | None = None
        self._sending = False
        self._asked_at: float | None = None
        self._unanswered_since: float | None = None
        self._state: State | None = None
        self._in_mouth_since: float | None = None
        self._told: frozenset[Condition] | None = None
        self._next_state: asyncio.Future[State] | None = None
        self._end_of_slip: asyncio.Future[str] | None = None

    def begin(self, port: SerialPort) -> None:
        """The line is open: from now on the printer tells its changes by itself."""
        self._port = port
        if TELL_CHANGES[self._settings.style]:
            port.write(TELL_CHANGES[self._settings.style])

    def close(self) -> None:
        """The line is gone, and nothing is known any more."""
        self._tap.close()
        self._state = None
        self._tell(None)

    def hear(self, data: bytes) -> None:
        """Bytes came."""
        wrong: list[MalformedInput] = []
        for heard in self._reader.feed(data):
            if isinstance(heard, MalformedInput):
                wrong.append(heard)
                continue
            self._sink.alive()
            if isinstance(heard, State):
                self._is(heard)
            else:
                self._end_slip("")
        if wrong:
            first = wrong[0]
            self._tap.take(
                MalformedReading(device=self._name, field=first.field, problem=first.problem, raw=data)
            )

    def ask(self) -> None:
        """Ask how it is, unless a slip is on its way or the answer to the last question may be.

        Raises:
            DeviceUnreachable: the line is gone.
        """
        now = self._loop.time()
        under_way = self._asked_at is not None and now - self._asked_at < self._settings.answer_s
        if self._port is None or self._sending or under_way:
            return
        self._reader.asked()
        self._asked_at = now
        if self._unanswered_since is None:
            self._unanswered_since = now
        self._port.write(REQUESTS[self._settings.style])

    def notice_silence(self) -> None:
        """Say that nothing is known where the printer did not answer in time; a ticket that still lies in its mouth counts on."""
        since = self._unanswered_since
        if since is not None and self._loop.time() - since >= self._settings.answer_s:
            self._state = None
            self._tell(None)
        elif self._state is not None:
            self._note(self._state)

    async def ready(self) -> None:
        """Ask once more before a slip.

        Raises:
            CommandRefused: it cannot print, by name.
            DeviceUnreachable: it does not answer, so nothing was sent.
        """
        self._next_state = self._loop.create_future()
        try:
            self.ask()
            await self._until(self._next_state, within_s=self._settings.answer_s)
            if not self._next_state.done():
                raise DeviceUnreachable(f"{self._name} does not say how it is")
            blocking = _blocking(self._next_state.result())
        finally:
            self._next_state = None
        if blocking:
            raise CommandRefused(blocking)

    async def print(self, slip: bytes) -> None:
        """Send a slip and wait until it is printed.

        Raises:
            CommandRefused: it could not be finished, by name; what is left of it was cleared.
            CommandUnanswered: the line was lost meanwhile.
        """
        self._end_of_slip = self._loop.create_future()
        self._sending = True
        self._reader.waits()
        try:
            await self._send(slip)
            self._sending = False
            await self._until(self._end_of_slip)
            if not self._end_of_slip.done():
                raise CommandUnanswered(f"the line to {self._name} was lost: it is not known what it printed")
            blocking = self._end_of_slip.result()
        finally:
            self._sending = False
            self._end_of_slip = None
        if blocking:
            self.clear()
            raise CommandRefused(f"{blocking} while it printed")

    def clear(self) -> None:
        """Let nothing of a slip come later."""
        command = CLEAR[self._settings.style]
        if self._port is None or not command:
            return
        try:
            self._port.write(command)
        except DeviceUnreachable:
            return  # then its plug is out, and with it its memory

    async def _send(self, slip: bytes) -> None:
        """Send no faster than the line carries, so that no buffer on the way runs over."""
        port = self._opened()
        for start in range(0, len(slip), CHUNK):
            chunk = slip[start : start + CHUNK]
            try:
                port.write(chunk)
            except DeviceUnreachable as lost:
                raise CommandUnanswered(f"the line was lost while a slip was sent: {lost}") from lost
            await asyncio.sleep(len(chunk) * BITS_PER_CHARACTER / self._settings.baud)

    async def _until(self, future: asyncio.Future[Any], *, within_s: float | None = None) -> None:
        """Wait for an answer, the loss of the line, or the end of the time."""
        ends: set[asyncio.Future[Any]] = {future, self._opened().lost}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED, timeout=within_s)

    def _opened(self) -> SerialPort:
        if self._port is None:
            raise DeviceUnreachable(f"{self._settings.port} is not open")
        return self._port

    def _is(self, state: State) -> None:
        """The printer said how it is."""
        self._unanswered_since = self._asked_at = None
        self._note(state)
        if self._next_state is not None and not self._next_state.done():
            self._next_state.set_result(state)
        if blocking := _blocking(state):
            self._end_slip(blocking)

    def _end_slip(self, blocking: str) -> None:
        if self._end_of_slip is not None and not self._end_of_slip.done():
            self._end_of_slip.set_result(blocking)

    def _note(self, state: State) -> None:
        """Keep the state, and tell it where it changed; a ticket counts as not taken only after its time."""
        self._state = state
        now, conditions = self._loop.time(), state.conditions
        if Condition.NOT_TAKEN not in conditions:
            self._in_mouth_since = None
        elif self._in_mouth_since is None:
            self._in_mouth_since = now
        if self._in_mouth_since is not None and now - self._in_mouth_since < self._settings.take_within_s:
            conditions = conditions - {Condition.NOT_TAKEN}
        self._tell(conditions)

    def _tell(self, conditions: frozenset[Condition] | None) -> None:
        if conditions != self._told:
            self._told = conditions
            self._sink.deliver(ConditionReading(device=self._name, conditions=conditions))


def _blocking(state: State) -> str:
    """What keeps the printer from printing, by name; empty where nothing does."""
    return ", ".join(sorted(condition.value for condition in state.conditions - STILL_PRINTS))
