"""What a printer says of itself: sans-IO, one byte at a time, whatever reads brought the bytes.

Theory. A printer sends three things on one line, told apart by bits that are fixed: answers to a real-time request (`DLE EOT n`, one byte
each in the order asked), its state by itself whenever that changes (four bytes, after `GS a`), and the answer to `GS r`, which it
works off in its turn: what was sent before it is printed. Kiosk printers of another family answer one request
(`DLE EOT 20`) with six bytes, and know whether the ticket still lies in their mouth.

Sources: Epson ESC/POS command reference (DLE EOT, GS a, GS r) and the status tables of the TM-U220A manual; command references of Custom KPM150H and
Infinite Peripherals KPM210/216 (full status).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from drivers.errors import MalformedInput
from drivers.ports import Condition

DLE, FULL_STATUS_MARK = 0x10, 0x0F
FLOW_CONTROL = frozenset({0x11, 0x13})
STATE_BYTES = 4
FULL_STATUS_BYTES = 6
OFFLINE = 0b1000

Flags = Mapping[int, Condition]  # a mask of bits, all of which are set, and what they mean

REAL_TIME: Mapping[int, Flags] = {
    1: {},  # its bit 3, offline, says nothing of why
    2: {0b0000_0100: Condition.COVER_OPEN, 0b0010_0000: Condition.PAPER_OUT},
    3: {
        0b0000_0100: Condition.FAULT,
        0b0000_1000: Condition.PAPER_JAM,  # the cutter: what stops it is paper
        0b0010_0000: Condition.FAULT,
        0b0100_0000: Condition.FAULT,
    },
    4: {0b0000_1100: Condition.PAPER_LOW, 0b0110_0000: Condition.PAPER_OUT},
}
BY_ITSELF: tuple[Flags, ...] = (
    {0b0010_0000: Condition.COVER_OPEN},
    REAL_TIME[3],
    {0b0000_0011: Condition.PAPER_LOW, 0b0000_1100: Condition.PAPER_OUT},
    {},
)
FULL_STATUS: tuple[Flags, ...] = (
    {
        0b0000_0001: Condition.PAPER_OUT,
        0b0000_0100: Condition.PAPER_LOW,
        0b0010_0000: Condition.NOT_TAKEN,
        0b0100_0000: Condition.PAPER_LOW,
    },
    {0b0000_0001: Condition.COVER_OPEN, 0b0000_0010: Condition.COVER_OPEN},
    {
        0b0000_0001: Condition.FAULT,
        0b0000_0010: Condition.FAULT,
        0b0000_1000: Condition.FAULT,
        0b0100_0000: Condition.PAPER_JAM,
    },
    {
        0b0000_0001: Condition.PAPER_JAM,
        0b0000_0010: Condition.COVER_OPEN,
        0b0000_0100: Condition.FAULT,
        0b0000_1000: Condition.FAULT,
        0b0100_0000: Condition.FAULT,
    },
)


class PrinterStyle(StrEnum):
    """Which family a printer's answers are of."""

    EPSON = "epson"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How the printer is: every condition that holds."""

    conditions: frozenset[Condition]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkedOff:
    """Everything that was sent before the question is printed."""


Heard = State | WorkedOff | MalformedInput


class StatusReader:
    """Understands one printer's line. `asked` and `waits` say what it was asked; only that can be answered."""

    def __init__(self, style: PrinterStyle) -> None:
        self._style = style
        self._asked: list[int] = []
        self._answers: dict[int, int] = {}
        self._waits = 0
        self._state = b""

    def asked(self) -> None:
        """A round of real-time requests goes out; answers of an earlier round are not waited for any more."""
        self._asked = list(REAL_TIME)
        self._answers = {}

    def waits(self) -> None:
        """The question that is worked off in its turn went out; an earlier one is not waited for any more."""
        self._waits = 1

    def feed(self, data: bytes) -> list[Heard]:
        """Take what a read brought; return what is complete by now, in order."""
        return [heard for byte in data if (heard := self._step(byte)) is not None]

    def _step(self, byte: int) -> Heard | None:
        if self._state:
            return self._go_on(byte)
        if self._begins(byte):
            self._state = bytes([byte])
            return None
        if not byte & 0b1001_0000 and self._waits:
            self._waits = 0
            return WorkedOff()
        if self._style is PrinterStyle.EPSON and byte & 0b1001_0011 == 0b0001_0010 and self._asked:
            return self._answered(self._asked.pop(0), byte)
        if byte in FLOW_CONTROL:
            return None
        return MalformedInput("status", f"nobody asked for byte 0x{byte:02x}")

    def _begins(self, byte: int) -> bool:
        if self._style is PrinterStyle.EPSON:
            return byte & 0b1001_0011 == 0b0001_0000
        return byte == DLE

    def _go_on(self, byte: int) -> Heard | None:
        """Within a state: a byte that cannot stand there ends it, and is looked at by itself."""
        if not self._may_follow(byte):
            begun, self._state = self._state, b""
            if self._begins(byte):
                self._state = bytes([byte])
            return MalformedInput("status", f"0x{byte:02x} cannot follow {begun.hex(' ')}")
        self._state += bytes([byte])
        if len(self._state) < (STATE_BYTES if self._style is PrinterStyle.EPSON else FULL_STATUS_BYTES):
            return None
        state, self._state = self._state, b""
        if self._style is PrinterStyle.CUSTOM:
            return State(conditions=_conditions(FULL_STATUS, state[2:]))
        return _with_offline(_conditions(BY_ITSELF, state), offline=bool(state[0] & OFFLINE))

    def _may_follow(self, byte: int) -> bool:
        if self._style is PrinterStyle.EPSON:
            return not byte & 0b1001_0000
        return len(self._state) > 1 or byte == FULL_STATUS_MARK

    def _answered(self, number: int, byte: int) -> State | None:
        self._answers[number] = byte
        if self._asked:
            return None
        answers = bytes(self._answers[each] for each in REAL_TIME)
        found = _conditions(tuple(REAL_TIME.values()), answers)
        return _with_offline(found, offline=bool(self._answers[1] & OFFLINE))


def _conditions(tables: tuple[Flags, ...], said: bytes) -> frozenset[Condition]:
    return frozenset(
        condition
        for flags, byte in zip(tables, said, strict=True)
        for mask, condition in flags.items()
        if byte & mask == mask
    )


def _with_offline(conditions: frozenset[Condition], *, offline: bool) -> State:
    """A printer that is offline and names no reason has one."""
    named = conditions - {Condition.PAPER_LOW}
    return State(conditions=conditions | {Condition.FAULT} if offline and not named else conditions)
