"""What a reader puts around each line: a prefix, a suffix, a checksum before the suffix.

Many readers can be set to send such, and some cannot be set otherwise. What is around is not the code: it is checked and taken off, so that one
card is one text whatever its reader adds. A line is

    prefix  content  two hexadecimal digits of the checksum  suffix

The checksum is that of the content alone. Sources: manuals of readers with a configurable preamble, postamble and LRC (XOR of the bytes), or a
sum whose two's complement is sent (so that all bytes add up to 0 modulo 256).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import xor

from drivers.errors import MalformedInput

CHECK_DIGITS = 2


class Checksum(StrEnum):
    """How a line vouches for itself."""

    NONE = "none"
    XOR = "xor"
    SUM = "sum"

    def of(self, content: bytes) -> int:
        """The check byte of a content."""
        return reduce(xor, content, 0) if self is Checksum.XOR else -sum(content) & 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapping:
    """How one reader wraps its lines; nothing around them by default."""

    prefix: str = ""
    suffix: str = ""
    checksum: Checksum = Checksum.NONE

    def taken_off(self, line: bytes) -> bytes:
        """The content of a line.

        Raises:
            MalformedInput: the line does not begin or end as it should, or its checksum is another one.
        """
        head, tail = self.prefix.encode(), self.suffix.encode()
        if not line.startswith(head):
            raise MalformedInput("prefix", f"a line of this reader begins with {self.prefix!r}")
        if len(line) < len(head) + len(tail) or not line.endswith(tail):
            raise MalformedInput("suffix", f"a line of this reader ends with {self.suffix!r}")
        content = line[len(head) : len(line) - len(tail)]
        return content if self.checksum is Checksum.NONE else self._vouched(content)

    def _vouched(self, content: bytes) -> bytes:
        content, digits = content[:-CHECK_DIGITS], content[-CHECK_DIGITS:]
        check = self.checksum.of(content)
        if digits.upper() != f"{check:02X}".encode():
            received = digits.decode("ascii", errors="backslashreplace")
            raise MalformedInput("checksum", f"mismatch: {received} received, {check:02X} computed")
        return content


BARE = Wrapping()
