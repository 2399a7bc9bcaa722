"""Where one OSDP packet ends and the next begins, whatever the reads that brought the bytes. Sans-IO.

Memory is bounded by one packet and one lump of noise; after any noise the next whole packet is found.
"""

from __future__ import annotations

from drivers.errors import MalformedInput
from drivers.osdp.packet import MARK, SOM, Packet, declared_length, decode_packet
from drivers.serial_port.framing import LONGEST_FRAME_BYTES, Broken


class PacketFramer:
    """Cuts one direction of a bus into packets; what is none comes out as `Broken`, in its place."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._noise = bytearray()
        self._problem = ("SOM", "bytes that are no packet")

    @property
    def waiting(self) -> int:
        """How many bytes of an unfinished packet are held."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Packet | Broken]:
        """Take what a read brought; return what is complete by now, in order."""
        self._buffer += data
        found: list[Packet | Broken] = []
        while self._buffer:
            begins = self._buffer.find(SOM)
            if begins:
                self._skip(len(self._buffer) if begins < 0 else begins)
            elif not self._took_one(found):
                break
            if len(self._noise) >= LONGEST_FRAME_BYTES:
                found += self._told()
        return found

    def quiet(self) -> list[Packet | Broken]:
        """The line went quiet, or the other side speaks: an unfinished packet will not be finished."""
        if self._buffer and not self._noise:
            self._problem = ("length", "shorter than its length field")
        self._skip(len(self._buffer))
        return self._told()

    def _took_one(self, found: list[Packet | Broken]) -> bool:
        """Take the packet at the buffer's beginning, or the first byte of what only looks like one; False: more bytes are needed."""
        if len(self._buffer) < 4:
            return False
        try:
            length = declared_length(bytes(self._buffer[:4]))
            if len(self._buffer) < length:
                return False
            packet = decode_packet(bytes(self._buffer[:length]))
        except MalformedInput as wrong:
            if not self._noise:
                self._problem = (wrong.field, wrong.problem)
            self._skip(1)
            return True
        found += [*self._told(), packet]
        del self._buffer[:length]
        return True

    def _skip(self, count: int) -> None:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        if self._noise or taken.strip(bytes([MARK])):
            self._noise += taken

    def _told(self) -> list[Packet | Broken]:
        if not self._noise:
            return []
        broken = Broken(*self._problem, bytes(self._noise[:LONGEST_FRAME_BYTES]))
        self._noise.clear()
        self._problem = ("SOM", "bytes that are no packet")
        return [broken]
