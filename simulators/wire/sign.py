"""Signs on the wire: one that takes framed text on a serial line, one that is registers and coils on a bus. Each keeps what it shows."""

from __future__ import annotations

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    WriteSingleCoilRequest,
    WriteSingleCoilResponse,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)

from drivers.sign.framing import FrameSettings
from simulators.wire.modbus_line import ModbusLine
from simulators.wire.pty import Pty

ACK, NAK = b"\x06", b"\x15"


class SerialSignWire:
    """A sign with text frames: the first letter is the line, the rest is what it shows. `refuse` says NAK, `mute` nothing."""

    def __init__(self, pty: Pty, frame: FrameSettings) -> None:
        self.shown: dict[str, str] = {}
        self.frames = 0
        self.refuse = False
        self.mute = False
        self._pty = pty
        self._frame = frame
        self._rest = b""

    def start(self) -> None:
        """Plug the cable in; a sign that was without power shows nothing."""
        self.shown.clear()
        self._pty.plug(self._received)

    def stop(self) -> None:
        """Pull the plug."""
        self._pty.unplug()

    def say(self, data: bytes) -> None:
        """Say something."""
        self._pty.write(data)

    def _received(self, data: bytes) -> None:
        self._rest += data
        while (frame := self._first_frame()) is not None:
            self._rest = self._rest[len(frame) :]
            self._take(frame)

    def _first_frame(self) -> bytes | None:
        """The frame at the front, by framing what may be its text again: the checksum is right or there is none."""
        for length in range(len(self._rest) + 1):
            text = self._rest[len(self._frame.start) : length].decode("latin-1")
            frame = self._frame.frame(text)
            if self._rest.startswith(frame):
                return frame
        return None

    def _take(self, frame: bytes) -> None:
        self.frames += 1
        text = frame[len(self._frame.start) :].decode("latin-1").partition(self._frame.end)[0]
        if not self.refuse:
            self.shown[text[:1]] = text[1:]
        if not self.mute:
            self.say(NAK if self.refuse else ACK)


class ModbusSignWire:
    """A sign with registers and coils. `refuse` answers with an exception, as one does that is in trouble."""

    def __init__(self, pty: Pty, unit: int) -> None:
        self.registers: dict[int, int] = {}
        self.coils: dict[int, bool] = {}
        self.writes = 0
        self.refuse = False
        self._unit = unit
        self._line = ModbusLine(pty, self._answer)

    def start(self) -> None:
        """Plug the cable in."""
        self._line.start()

    def stop(self) -> None:
        """Pull the plug."""
        self._line.stop()

    def lose_power(self) -> None:
        """Everything that it showed is gone."""
        self.registers.clear()
        self.coils.clear()

    def _answer(self, request: ModbusPDU) -> ModbusPDU | None:
        if request.dev_id != self._unit:
            return None
        if self.refuse:
            return ExceptionResponse(request.function_code, ExcCodes.DEVICE_FAILURE)
        address = request.address
        match request:
            case WriteSingleRegisterRequest():
                self.writes += 1
                self.registers[address] = request.registers[0]
                return WriteSingleRegisterResponse(address=address, registers=request.registers)
            case WriteSingleCoilRequest():
                self.writes += 1
                self.coils[address] = request.bits[0]
                return WriteSingleCoilResponse(address=address, bits=request.bits)
            case ReadHoldingRegistersRequest():
                return ReadHoldingRegistersResponse(registers=[self.registers.get(address, 0)])
            case ReadCoilsRequest():
                return ReadCoilsResponse(bits=[self.coils.get(address, False)])
            case _:
                return ExceptionResponse(request.function_code, ExcCodes.ILLEGAL_FUNCTION)
