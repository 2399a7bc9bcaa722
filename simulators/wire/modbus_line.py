"""The far end of an RS-485 bus behind a pseudo-terminal: requests come in, answers go out, silence is possible.

Frames and PDUs are pymodbus's; its server is not used, because it answers exception 4 for a unit that is not there,
where a real bus stays silent, and because its register store would have to be copied from the hardware at each poll.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pymodbus.exceptions import ModbusIOException
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU, ModbusPDU

from simulators.wire.pty import Pty

MAX_FRAME = 256


class ModbusLine:
    """Hands each request to `answer`; None is silence. `also`: requests beyond the standard."""

    def __init__(
        self,
        pty: Pty,
        answer: Callable[[ModbusPDU], ModbusPDU | None],
        *,
        also: Sequence[type[ModbusPDU]] = (),
    ) -> None:
        self._pty = pty
        self._answer = answer
        decoder = DecodePDU(is_server=True)
        for request in also:
            decoder.register(request)
        self._framer = FramerRTU(decoder)
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
        response = self._answer(request)
        if response is not None:
            response.dev_id = request.dev_id
            self._pty.write(self._framer.buildFrame(response))
