"""Modbus RTU frames out of a stream: sans-IO, PDUs and check sums by pymodbus, where a frame begins and ends by us.

pymodbus's framer gives up everything that was read with a frame; where a late answer and the one that was asked for come in one read, the
second one would be lost. A frame is taken wherever its length and its CRC fit; what stands before it is noise. Source: MODBUS over
Serial Line V1.02, 2.5.1.
"""

from __future__ import annotations

import struct

from pymodbus.exceptions import ModbusException
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU, ModbusPDU

MAX_FRAME = 256
SHORTEST_FRAME = 4
NOT_A_FRAME = (ModbusException, ValueError, IndexError, struct.error)


class FrameCutter:
    """Cuts what a read brought into PDUs: answers, or requests where it stands at the other end (`is_server`)."""

    def __init__(self, *, is_server: bool = False) -> None:
        self._decoder = DecodePDU(is_server=is_server)
        self._buffer = b""

    def clear(self) -> None:
        """Forget what was read."""
        self._buffer = b""

    def feed(self, data: bytes) -> list[ModbusPDU]:
        """Take what a read brought; return the PDUs that are complete by now, `dev_id` set."""
        self._buffer = (self._buffer + data)[-MAX_FRAME:]
        found: list[ModbusPDU] = []
        start = 0
        while start <= len(self._buffer) - SHORTEST_FRAME:
            size = self._size_at(start)
            if size:
                frame, start = self._buffer[start : start + size], start + size
                if (pdu := self._decoded(frame)) is not None:
                    found.append(pdu)
                self._buffer, start = self._buffer[start:], 0
            else:
                start += 1
        return found

    def _size_at(self, start: int) -> int:
        """How long the whole frame is that begins here; 0 where none does."""
        rest = self._buffer[start:]
        try:
            kind = self._decoder.lookupPduClass(rest)
            size = kind.calculateRtuFrameSize(rest) if kind is not None else 0
        except NOT_A_FRAME:
            return 0
        if not SHORTEST_FRAME <= size <= len(rest):
            return 0
        check = int.from_bytes(rest[size - 2 : size], "big")
        return size if FramerRTU.check_CRC(rest[: size - 2], check) else 0

    def _decoded(self, frame: bytes) -> ModbusPDU | None:
        try:
            pdu = self._decoder.decode(frame[1:-2])
        except NOT_A_FRAME:
            return None  # its check sum is right and its content is none: foreign
        if pdu is not None:
            pdu.dev_id = frame[0]
        return pdu
