"""Relay boards on one RS-485 bus: eight relays that stay or open by themselves, eight inputs; what a relay does is told to whoever is wired to it.

Source of the commands: see drivers/modbus/relays.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadDiscreteInputsRequest,
    ReadDiscreteInputsResponse,
    WriteSingleCoilRequest,
)

from simulators.wire.modbus_line import ModbusLine
from simulators.wire.pty import Pty

ON, OFF = 0xFF00, 0
FLASH_ON = 0x0200
RELAYS = 8


class RawCoilWrite(WriteSingleCoilRequest):
    """Function 05 with whatever value stood in it; its echo is the same bytes."""

    value = OFF

    def decode(self, data: bytes) -> None:
        """Keep the value as it came."""
        self.address, self.value = struct.unpack(">HH", data[:4])

    def encode(self) -> bytes:
        """Return what came."""
        return struct.pack(">HH", self.address, self.value)


@dataclass(slots=True, kw_only=True)
class RelayBoard:
    """One board. `pulses` are relays that were closed for a time, with the milliseconds; `on_pulse` is what is wired to them."""

    relays: list[bool] = field(default_factory=lambda: [False] * RELAYS)
    inputs: list[bool] = field(default_factory=lambda: [False] * RELAYS)
    pulses: list[tuple[int, int]] = field(default_factory=list)
    on_pulse: Callable[[int], None] = lambda _relay: None


class RelayBoardBus:
    """Answers for `boards` by their unit ids. Units in `mute` hear and say nothing."""

    def __init__(self, pty: Pty, boards: dict[int, RelayBoard]) -> None:
        self.boards = boards
        self.mute: set[int] = set()
        self.polls = dict.fromkeys(boards, 0)
        self._line = ModbusLine(pty, self._heard, also=(RawCoilWrite,))

    def start(self) -> None:
        """Plug the cable in and answer; call it on the running loop."""
        self._line.start()

    def stop(self) -> None:
        """Pull the plug."""
        self._line.stop()

    def _heard(self, request: ModbusPDU) -> ModbusPDU | None:
        board = self.boards.get(request.dev_id)
        if board is None or request.dev_id in self.mute:
            return None
        if isinstance(request, ReadDiscreteInputsRequest):
            self.polls[request.dev_id] += 1
            return ReadDiscreteInputsResponse(
                bits=board.inputs[request.address : request.address + request.count]
            )
        if isinstance(request, RawCoilWrite):
            return self._write(board, request)
        return ExceptionResponse(request.function_code, ExcCodes.ILLEGAL_FUNCTION)

    def _write(self, board: RelayBoard, request: RawCoilWrite) -> ModbusPDU:
        address, value = request.address, request.value
        if address < RELAYS and value in {ON, OFF}:
            board.relays[address] = value == ON
        elif FLASH_ON <= address < FLASH_ON + RELAYS and value:
            board.pulses.append((address - FLASH_ON, value * 100))
            board.on_pulse(address - FLASH_ON)
        else:
            return ExceptionResponse(request.function_code, ExcCodes.ILLEGAL_ADDRESS)
        return request
