"""Where one message of a reader ends and the next begins, whatever the reads that brought the bytes.

Sans-IO: bytes go in, whole frames and broken ones come out. The result depends on the bytes alone and never on where a
read ended, memory is bounded by one frame, and after any noise the next whole frame is found.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

STX, ETX, LF, CR = 0x02, 0x03, 0x0A, 0x0D
LONGEST_FRAME_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Broken:
    """Bytes that are no frame; `raw` is what came, at most `LONGEST_FRAME_BYTES`."""

    field: str
    problem: str
    raw: bytes


class Framer(Protocol):
    """Cuts a stream into frames."""

    @property
    def skipped(self) -> int:
        """How many bytes belonged to no frame so far."""
        ...

    @property
    def waiting(self) -> int:
        """How many bytes of an unfinished frame are held."""
        ...

    def feed(self, data: bytes) -> list[bytes | Broken]:
        """Take what a read brought; return what is complete by now, without its marks."""
        ...

    def quiet(self) -> list[bytes | Broken]:
        """The line went quiet: give up an unfinished frame and report it."""
        ...


class DelimitedFramer:
    """Frames end in a mark and may begin with STX; with `begins` bytes outside of STX and the end are skipped.

    Each of `ends` ends a frame and an empty frame is nothing, so CR, LF and CR LF are all understood without waiting.
    """

    def __init__(self, *, ends: Collection[int], begins: bool) -> None:
        self._ends = frozenset(ends)
        self._begins = begins
        self._inside = not begins
        self._too_long = False
        self._content = bytearray()
        self._skipped = 0

    @property
    def skipped(self) -> int:
        """See `Framer`."""
        return self._skipped

    @property
    def waiting(self) -> int:
        """See `Framer`."""
        return len(self._content)

    def feed(self, data: bytes) -> list[bytes | Broken]:
        """See `Framer`."""
        return [frame for byte in data for frame in self._step(byte)]

    def quiet(self) -> list[bytes | Broken]:
        """See `Framer`."""
        return self._restart("suffix", "the line went quiet before the frame ended", inside=not self._begins)

    def _step(self, byte: int) -> list[bytes | Broken]:
        if byte == STX:
            return self._restart("suffix", "a new frame began before this one ended", inside=True)
        if not self._inside:
            self._skipped += 1
            return []
        if byte in self._ends:
            return self._end()
        if self._too_long:
            self._skipped += 1
            return []
        if len(self._content) == LONGEST_FRAME_BYTES:
            broken = self._restart("length", f"more than {LONGEST_FRAME_BYTES} bytes in a frame", inside=True)
            self._too_long = True
            self._skipped += 1
            return broken
        self._content.append(byte)
        return []

    def _end(self) -> list[bytes | Broken]:
        frame = bytes(self._content)
        self._restart("", "", inside=not self._begins)
        return [frame] if frame else []

    def _restart(self, field: str, problem: str, *, inside: bool) -> list[bytes | Broken]:
        left = bytes(self._content)
        self._content.clear()
        self._inside = inside
        self._too_long = False
        return [Broken(field, problem, left)] if left else []


class CountedFramer:
    """Frames are STX, their whole length in one byte, content, check byte, ETX; content may hold any byte.

    A frame comes out without STX and ETX: length, content and check byte. Bytes that cannot begin a frame are skipped
    one by one, so that a false STX in noise costs at most the noise.
    """

    SHORTEST = 5

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skipped = 0

    @property
    def skipped(self) -> int:
        """See `Framer`."""
        return self._skipped

    @property
    def waiting(self) -> int:
        """See `Framer`."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes | Broken]:
        """See `Framer`."""
        self._buffer += data
        found: list[bytes | Broken] = []
        while len(self._buffer) > 1:
            length = self._buffer[1]
            if self._buffer[0] != STX or length < self.SHORTEST:
                self._skip()
            elif len(self._buffer) < length:
                break
            elif self._buffer[length - 1] != ETX:
                found.append(
                    Broken("end mark", "the frame does not end in ETX", bytes(self._buffer[:length]))
                )
                self._skip()
            else:
                found.append(bytes(self._buffer[1 : length - 1]))
                del self._buffer[:length]
        return found

    def quiet(self) -> list[bytes | Broken]:
        """See `Framer`."""
        left = bytes(self._buffer)
        self._buffer.clear()
        return [Broken("length", "the line went quiet before the frame ended", left)] if left else []

    def _skip(self) -> None:
        del self._buffer[0]
        self._skipped += 1
