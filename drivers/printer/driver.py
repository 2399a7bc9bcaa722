"""A ticket or receipt printer on a serial line. Asked by edge/slips.py.

Theory. The printer tells its state whenever it changes and is asked each `ask_every_s`, which is also its sign of life; an answer that does not come
within `answer_s` makes the state unknown. Before a slip is sent the printer is asked once more: with no paper, a jam or an
open cover the slip is refused here by that name, and not a byte of it is sent. Then the slip goes out as fast as the line carries it, followed by a
question that is answered when everything before it is printed: only that answer is `Done`. If the paper ends halfway, what is left in the
printer's memory is cleared, so that no driver finds the last one's ticket under the new roll. Nothing is repeated here.

Real-time requests never go out between the bytes of a slip, where they would be taken for its text. A ticket that lies in the mouth for
`take_within_s` is told as not taken; only printers of the `custom` family know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pydantic import Field

from drivers.errors import CommandRefused, CommandUnanswered, DeviceUnreachable
from drivers.ports import Command, Done, Driver, PrintSlip, Sink
from drivers.printer.conversation import Conversation, PrinterSettings
from drivers.printer.slip import slip_bytes
from drivers.serial_port.port import SerialPort
from drivers.settings import read_settings


class TicketPrinterSettings(PrinterSettings):
    """The table of a ticket printer."""

    qr_dots: int = Field(
        default=6, ge=1, le=16, description="the size of a QR code's module in dots, 1 to 16"
    )


class TicketPrinter:
    """The driver of one printer; readings and commands name the driver as their device."""

    def __init__(self, name: str, settings: TicketPrinterSettings) -> None:
        self._name = name
        self._settings = settings
        self._one_slip = asyncio.Lock()
        self._conversation: Conversation | None = None

    async def run(self, sink: Sink) -> None:
        """Keep the line open and ask how the printer is until cancelled, see `Driver.run`."""
        talk = Conversation(self._name, self._settings, sink)
        port = SerialPort(self._settings, talk.hear)
        try:
            talk.begin(port)
            self._conversation = talk
            while not port.lost.done():
                talk.ask()
                await asyncio.wait({port.lost}, timeout=self._settings.ask_every_s)
                talk.notice_silence()
            port.lost.result()
        finally:
            self._conversation = None
            talk.close()
            port.close()

    async def command(self, command: Command, *, timeout_s: float) -> Done:
        """Print a slip, see `Driver.command` and `PrintSlip`."""
        if not isinstance(command, PrintSlip) or command.device != self._name:
            raise CommandRefused(f"{self._name} cannot do {command}")
        try:
            slip = slip_bytes(command, qr_dots=self._settings.qr_dots)
        except ValueError as wrong:
            raise CommandRefused(f"this slip cannot be printed: {wrong}") from wrong
        talk = self._conversation
        if talk is None:
            raise DeviceUnreachable(f"{self._settings.port} is not open")
        try:
            async with asyncio.timeout(timeout_s), self._one_slip:
                await talk.ready()
                await talk.print(slip)
        except TimeoutError:
            talk.clear()
            raise CommandUnanswered(
                f"{self._name} did not say within {timeout_s} s that it printed"
            ) from None
        return Done()


def make(name: str, settings: Mapping[str, object]) -> Driver:
    """Make the driver of one printer, see `DriverFactory`."""
    return TicketPrinter(name, read_settings(TicketPrinterSettings, settings))
