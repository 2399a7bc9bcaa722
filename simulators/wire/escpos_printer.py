"""A ticket printer on the wire: it understands the bytes that it is sent, keeps what it printed, and plays its faults.

It takes text, the native QR code, the cut, real-time questions and the question that is worked off in its turn; every other command is
parsed by its length and passed over. Paper can run low or out, also halfway through a slip, jam, its cover can be opened, and a ticket lies in
its mouth until somebody takes it. While it cannot print it keeps what comes and prints it when it can again, as real ones do,
unless it is told to clear its memory.

Sources: as drivers/printer/status.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.ports import Condition
from drivers.printer.status import PrinterStyle
from simulators.wire.pty import Pty

ESC, GS, DLE, LF = 0x1B, 0x1D, 0x10, 0x0A
CLEAR_MEMORY = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"


@dataclass(slots=True, kw_only=True)
class Printed:
    """A slip as it came out: its lines of text and its QR codes."""

    lines: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)


class EscposPrinterWire:
    """One printer. `conditions` are its faults of the moment; `paper` is how many lines are left; None: plenty.

    `mute` hears and says nothing; `takes_tickets`: a ticket does not stay in the mouth.
    """

    def __init__(self, pty: Pty, style: PrinterStyle = PrinterStyle.EPSON) -> None:
        self.slips: list[Printed] = []
        self.mute = False
        self.paper: int | None = None
        self.takes_tickets = True
        self._style = style
        self._pty = pty
        self._conditions: set[Condition] = set()
        self._buffer = b""
        self._slip = Printed()
        self._text = b""
        self._stored_code = b""
        self._tells_changes = False

    def start(self) -> None:
        """Plug the cable in; call it on the running loop."""
        self._buffer = b""
        self._tells_changes = False
        self._pty.plug(self._received)

    def stop(self) -> None:
        """Pull the plug, and with it its power: what was in its memory is gone."""
        self._pty.unplug()

    def becomes(self, *conditions: Condition) -> None:
        """From now on these faults hold and no others; with the last of them gone it prints what it kept."""
        self._conditions = set(conditions)
        self._changed()
        self._work()

    def rubbish(self, data: bytes) -> None:
        """Say what no printer says."""
        self._pty.write(data)

    @property
    def conditions(self) -> frozenset[Condition]:
        """The faults of the moment."""
        return frozenset(self._conditions)

    @property
    def _can_print(self) -> bool:
        return not self._conditions - {Condition.PAPER_LOW, Condition.NOT_TAKEN}

    def _received(self, data: bytes) -> None:
        """Real-time requests are answered at once, wherever they stand; the rest waits for its turn."""
        if CLEAR_MEMORY in data:
            data = data.replace(CLEAR_MEMORY, b"")
            self._buffer, self._text, self._slip = b"", b"", Printed()
        while (at := data.find(b"\x10\x04")) >= 0 and at + 2 < len(data):
            self._say(self._real_time(data[at + 2]))
            data = data[:at] + data[at + 3 :]
        self._buffer += data
        self._work()

    def _work(self) -> None:
        while self._buffer and self._can_print and (length := self._length()) is not None:
            command, self._buffer = self._buffer[:length], self._buffer[length:]
            self._obey(command)

    def _length(self) -> int | None:
        """How long the command at the front is; None while it is not all there."""
        head = self._buffer[:3]
        length = 1
        if head[0] == ESC:
            length = 2 if head[1:2] == b"@" else 3
        elif head[0] == GS and head[1:2] == b"(":
            length = 5 + int.from_bytes(self._buffer[3:5], "little") if len(self._buffer) >= 5 else 99_999
        elif head[0] == GS:
            length = 4 if head[1:3] in {b"VA", b"VB"} else 3
        return length if len(self._buffer) >= length else None

    def _obey(self, command: bytes) -> None:
        if command[0] == LF:
            self._line()
        elif command[0] not in {ESC, GS}:
            self._text += command
        elif command[:3] == b"\x1d(k":
            self._code(command[5:])
        elif command[:2] == b"\x1dV":
            self._cut()
        elif command[:2] == b"\x1da":
            self._tells_changes = bool(command[2])
            self._changed()
        elif command[:2] == b"\x1dr":
            self._say(bytes([0b11 if Condition.PAPER_LOW in self._conditions else 0]))

    def _line(self) -> None:
        if self.paper is not None:
            if self.paper == 0:
                self.becomes(*self._conditions, Condition.PAPER_OUT)
                return
            self.paper -= 1
        self._slip.lines.append(self._text.decode("cp437"))
        self._text = b""

    def _code(self, parameters: bytes) -> None:
        function = parameters[:2]
        if function == b"1P":
            self._stored_code = parameters[3:]
        elif function == b"1Q":
            self._slip.codes.append(self._stored_code.decode())

    def _cut(self) -> None:
        self.slips.append(self._slip)
        self._slip = Printed()
        if self._style is PrinterStyle.CUSTOM and not self.takes_tickets:
            self._conditions.add(Condition.NOT_TAKEN)

    def _changed(self) -> None:
        if self._tells_changes and self._style is PrinterStyle.EPSON:
            self._say(self._state())

    def _say(self, data: bytes) -> None:
        if not self.mute:
            self._pty.write(data)

    def _if(self, condition: Condition, bits: int) -> int:
        return bits if condition in self._conditions else 0

    def _real_time(self, number: int) -> bytes:
        if number == 20:
            return self._full_status()
        faults = self._if(Condition.FAULT, 0b0010_0000) | self._if(Condition.PAPER_JAM, 0b0000_1000)
        bits = {
            1: 0 if self._can_print else 0b1000,
            2: self._if(Condition.COVER_OPEN, 0b0000_0100)
            | self._if(Condition.PAPER_OUT, 0b0010_0000)
            | (0b0100_0000 if faults else 0),
            3: faults,
            4: self._if(Condition.PAPER_LOW, 0b0000_1100) | self._if(Condition.PAPER_OUT, 0b0110_0000),
        }
        return bytes([0b0001_0010 | bits[number]]) if number in bits else b""

    def _state(self) -> bytes:
        offline = 0 if self._can_print else 0b1000
        faults = self._if(Condition.FAULT, 0b0010_0000) | self._if(Condition.PAPER_JAM, 0b0000_1000)
        paper = self._if(Condition.PAPER_LOW, 0b0011) | self._if(Condition.PAPER_OUT, 0b1100)
        return bytes(
            [0b0001_0000 | offline | self._if(Condition.COVER_OPEN, 0b0010_0000), faults, paper, 0x0F]
        )

    def _full_status(self) -> bytes:
        paper = (
            self._if(Condition.PAPER_OUT, 0b1)
            | self._if(Condition.PAPER_LOW, 0b100)
            | self._if(Condition.NOT_TAKEN, 0b10_0000)
        )
        user = self._if(Condition.COVER_OPEN, 0b10)
        recoverable = self._if(Condition.PAPER_JAM, 0b100_0000)
        return bytes([DLE, 0x0F, paper, user, recoverable, self._if(Condition.FAULT, 0b100)])
