"""Barrier controllers on one RS-485 bus: a Modbus RTU server for several units behind a pseudo-terminal.

Register map (the driver's default): coils 0 open, 1 close, 2 stop, 3 watchdog; discrete inputs 0 arm down, 1 arm up,
2 arming loop, 3 safety loop, 4 button, 5 fault. Source of the functions: Modbus Application Protocol V1.1b3, 6.2, 6.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadDiscreteInputsRequest,
    ReadDiscreteInputsResponse,
    WriteSingleCoilRequest,
    WriteSingleCoilResponse,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)

from drivers.ports import Input, Move
from simulators.barrier import BarrierHardware
from simulators.wire.modbus_line import ModbusLine
from simulators.wire.pty import Pty

INPUTS = (Input.ARM_DOWN, Input.ARM_UP, Input.ARMING_LOOP, Input.SAFETY_LOOP, Input.BUTTON, Input.FAULT)
COILS = {0: Move.OPEN, 1: Move.CLOSE, 2: Move.STOP}
WATCHDOG_COIL = 3
EPOCH_REGISTER = 0


class ModbusBarrierBus:
    """Answers for `units` (unit id → barrier) on the cable. Units in `mute` hear and say nothing."""

    def __init__(
        self, pty: Pty, units: Mapping[int, BarrierHardware], *, monotonic: Callable[[], float]
    ) -> None:
        self.mute: set[int] = set()
        self.polls = dict.fromkeys(units, 0)
        self.watchdogs = dict.fromkeys(units, 0)
        self.epochs = dict.fromkeys(units, 0)
        self._line = ModbusLine(pty, self._heard)
        self._units = units
        self._monotonic = monotonic

    def start(self) -> None:
        """Plug the cable in and answer; call it on the running loop."""
        self._line.start()

    def stop(self) -> None:
        """Pull the plug."""
        self._line.stop()

    def _heard(self, request: ModbusPDU) -> ModbusPDU | None:
        if request.dev_id in self.mute or request.dev_id not in self._units:
            return None
        return self._answer(request, self._units[request.dev_id])

    def _answer(self, request: ModbusPDU, barrier: BarrierHardware) -> ModbusPDU:
        if isinstance(request, ReadDiscreteInputsRequest):
            return self._read(request, barrier)
        if isinstance(request, WriteSingleCoilRequest):
            return self._write(request, barrier)
        if request.address == EPOCH_REGISTER and isinstance(request, ReadHoldingRegistersRequest):
            return ReadHoldingRegistersResponse(registers=[self.epochs[request.dev_id]])
        if request.address == EPOCH_REGISTER and isinstance(request, WriteSingleRegisterRequest):
            self.epochs[request.dev_id] = request.registers[0]
            return WriteSingleRegisterResponse(address=EPOCH_REGISTER, registers=request.registers)
        return ExceptionResponse(request.function_code, ExcCodes.ILLEGAL_FUNCTION)

    def _read(self, request: ReadDiscreteInputsRequest, barrier: BarrierHardware) -> ModbusPDU:
        wanted = INPUTS[request.address : request.address + request.count]
        if len(wanted) != request.count:
            return ExceptionResponse(request.function_code, ExcCodes.ILLEGAL_ADDRESS)
        self.polls[request.dev_id] += 1
        closed = barrier.inputs(self._monotonic())
        return ReadDiscreteInputsResponse(bits=[closed[name] for name in wanted])

    def _write(self, request: WriteSingleCoilRequest, barrier: BarrierHardware) -> ModbusPDU:
        if request.address == WATCHDOG_COIL:
            self.watchdogs[request.dev_id] += 1
        elif request.address not in COILS:
            return ExceptionResponse(request.function_code, ExcCodes.ILLEGAL_ADDRESS)
        elif request.bits[0] and not barrier.command(COILS[request.address], self._monotonic()):
            return ExceptionResponse(request.function_code, ExcCodes.DEVICE_FAILURE)
        return WriteSingleCoilResponse(address=request.address, bits=request.bits)
