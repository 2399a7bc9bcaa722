"""A payment terminal on a serial line.

Theory. A payment that was asked for and not answered is neither taken nor not taken: `CommandUnanswered` says so, and the
caller looks it up (`LookupPayment`) with the same key before it does anything else. One command at a time is on the
wire, as one customer stands at the terminal; an answer is taken by its key, so a late answer to an earlier payment is
not taken for this one. Nothing is repeated here.

While nothing else is asked the terminal is pinged: that is how it shows that it lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError

from drivers.errors import CommandRefused, CommandUnanswered, DeviceUnreachable, MalformedInput, NeverHeardOf
from drivers.ports import Command, Done, Driver, LookupPayment, MalformedReading, Sink, TakePayment
from drivers.serial_port.port import LineSettings, SerialPort
from drivers.serial_port.tap import Tap
from drivers.settings import read_settings
from drivers.terminal.messages import LONGEST_LINE, Answer, Lookup, Pay, Ping, Result, read_answer

MOST_MALFORMED_A_SECOND = 20


class TerminalSettings(LineSettings):
    """The table of a payment terminal."""

    ping_every_s: float = Field(default=5.0, gt=0, le=600, description="seconds between two signs of life")


@dataclass(frozen=True, slots=True)
class _Wire:
    port: SerialPort
    answers: dict[str, asyncio.Future[Answer]]


class PaymentTerminal:
    """The driver of one terminal; commands name the driver as their device."""

    def __init__(self, name: str, settings: TerminalSettings) -> None:
        self._name = name
        self._settings = settings
        self._one_customer = asyncio.Lock()
        self._wire: _Wire | None = None

    async def run(self, sink: Sink) -> None:
        """Keep the line open and ping until cancelled, see `Driver.run`."""
        answers: dict[str, asyncio.Future[Answer]] = {}
        cutter = _LineCutter(self._name, sink, answers)
        port = SerialPort(self._settings, cutter.hear)
        self._wire = _Wire(port, answers)
        try:
            while not port.lost.done():
                port.write(Ping().line())
                await asyncio.wait({port.lost}, timeout=self._settings.ping_every_s)
            port.lost.result()
        finally:
            self._wire = None
            port.close()
            cutter.close()

    async def command(self, command: Command, *, timeout_s: float) -> Done:
        """Take or look up a payment, see `Driver.command` and `LookupPayment`."""
        request = self._request(command)
        if self._wire is None:
            raise DeviceUnreachable(f"{self._settings.port} is not open")
        try:
            async with asyncio.timeout(timeout_s), self._one_customer:
                answer = await _ask(self._wire, request)
        except TimeoutError:
            raise CommandUnanswered(
                f"{self._name} did not answer for {request.key} in {timeout_s} s"
            ) from None
        return _done(answer)

    def _request(self, command: Command) -> Pay | Lookup:
        try:
            match command:
                case TakePayment(device=self._name):
                    return Pay(key=command.key, amount_minor=command.amount_minor, currency=command.currency)
                case LookupPayment(device=self._name):
                    return Lookup(key=command.key)
        except ValidationError as wrong:
            raise CommandRefused(f"the terminal's protocol cannot say {command}") from wrong
        raise CommandRefused(f"{self._name} cannot do {command}")


async def _ask(wire: _Wire, request: Pay | Lookup) -> Answer:
    waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    wire.answers[request.key] = waiting
    try:
        wire.port.write(request.line())
        ends: set[asyncio.Future[Any]] = {waiting, wire.port.lost}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        wire.answers.pop(request.key, None)
    if waiting.done():
        return waiting.result()
    raise CommandUnanswered(f"the line was lost after {request.key} was sent: look it up")


def _done(answer: Answer) -> Done:
    match answer.result:
        case Result.APPROVED:
            return Done(reference=answer.reference)
        case Result.DECLINED:
            raise CommandRefused(answer.reason or "declined")
        case Result.UNKNOWN:
            raise NeverHeardOf(f"the terminal has no record of {answer.key}")
        case _:
            raise CommandUnanswered(f"{answer.key} is still under way")


class _LineCutter:
    """Cuts lines and gives each answer to whoever waits for its key."""

    def __init__(self, name: str, sink: Sink, answers: dict[str, asyncio.Future[Answer]]) -> None:
        self._name = name
        self._sink = sink
        self._tap = Tap(name, sink, MOST_MALFORMED_A_SECOND)
        self._answers = answers
        self._rest = b""

    def close(self) -> None:
        self._tap.close()

    def hear(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-LONGEST_LINE:]
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            answer = read_answer(line[:LONGEST_LINE])
        except MalformedInput as wrong:
            malformed = MalformedReading(
                device=self._name, field=wrong.field, problem=wrong.problem, raw=line[:LONGEST_LINE]
            )
            self._tap.take(malformed)
            return
        self._sink.alive()
        waiting = self._answers.get(answer.key or "")
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)


def make(name: str, settings: Mapping[str, object]) -> Driver:
    """Make the driver of one terminal, see `DriverFactory`."""
    return PaymentTerminal(name, read_settings(TerminalSettings, settings))
