"""Barrier controllers on one RS-485 bus: a Modbus RTU server for several units behind a pseudo-terminal.

Frames and PDUs are pymodbus's; its server is not used, because it answers exception 4 for a unit that is not there,
where a real bus stays silent, and because its register store would have to be copied from the hardware at each poll.

Register map (the driver's default): coils 0 open, 1 close, 2 stop, 3 watchdog; discrete inputs 0 arm down, 1 arm up,
2 arming loop, 3 safety loop, 4 button, 5 fault. Source of the functions: Modbus Application Protocol V1.1b3, 6.2, 6.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusIOException
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadDiscreteInputsRequest,
    ReadDiscreteInputsResponse,
    WriteSingleCoilRequest,
    WriteSingleCoilResponse,
)

from drivers.ports import Input, Move
from simulators.barrier import BarrierHardware
from simulators.wire.pty import Pty

INPUTS = (Input.ARM_DOWN, Input.ARM_UP, Input.ARMING_LOOP, Input.SAFETY_LOOP, Input.BUTTON, Input.FAULT)
COILS = {0: Move.OPEN, 1: Move.CLOSE, 2: Move.STOP}
WATCHDOG_COIL = 3
MAX_FRAME = 256


class ModbusBarrierBus:
    """Answers for `units` (unit id → barrier) on the cable. Units in `mute` hear and say nothing."""

    def __init__(
        self, pty: Pty, units: Mapping[int, BarrierHardware], *, monotonic: Callable[[], float]
    ) -> None:
        self.mute: set[int] = set()
        self.polls = dict.fromkeys(units, 0)
        self.watchdogs = dict.fromkeys(units, 0)
        self._pty = pty
        self._units = units
        self._monotonic = monotonic
        self._framer = FramerRTU(DecodePDU(is_server=True))
        self._buffer = b""

    def start(self) -> None:
        """Plug the cable in and answer; call it on the running loop."""
        self._buffer = b""
        self._pty.plug(self._received)

    def stop(self) -> None:
        """Pull the plug."""
        self._pty.unplug()

    def _received(self, data: bytes) -> None:
        """Answer every request that is there: after a pause of ours the one that is waited for is the last."""
        self._buffer = (self._buffer + data)[-MAX_FRAME:]
        used = 1
        while used:
            try:
                used, request = self._framer.handleFrame(self._buffer, 0, 0)
            except ModbusIOException:
                self._buffer = b""
                return
            self._buffer = self._buffer[used:]
            if request is not None:
                self._take(request)

    def _take(self, request: ModbusPDU) -> None:
        if request.dev_id in self.mute or request.dev_id not in self._units:
            return
        response = self._answer(request, self._units[request.dev_id])
        response.dev_id = request.dev_id
        self._pty.write(self._framer.buildFrame(response))

    def _answer(self, request: ModbusPDU, barrier: BarrierHardware) -> ModbusPDU:
        if isinstance(request, ReadDiscreteInputsRequest):
            return self._read(request, barrier)
        if isinstance(request, WriteSingleCoilRequest):
            return self._write(request, barrier)
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
