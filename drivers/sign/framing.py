"""A text to a sign as the bytes on its line: marks around it, and the checksum in the sign's own style. Pure.

Styles that field signs use: none; `xor`, the XOR of all bytes; `sum`, their sum; `lrc`, its two's complement (as Modbus ASCII does). One byte
each, written as two hexadecimal digits or as the byte itself.
"""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import Literal

from pydantic import Field

from drivers.settings import DriverSettings


class FrameSettings(DriverSettings):
    """Where a frame begins and ends, and what guards it."""

    start: str = Field(default="\x02", max_length=8)
    end: str = Field(default="\x03", max_length=8)
    checksum: Literal["none", "xor", "sum", "lrc"] = "none"
    written: Literal["hex", "byte"] = "hex"
    covers: Literal["text", "text_and_end", "all"] = "text"
    stands: Literal["before_end", "after_end"] = "after_end"

    def frame(self, text: str) -> bytes:
        """Return the bytes of a text; letters that Latin-1 does not have become question marks."""
        start, end = self.start.encode("latin-1"), self.end.encode("latin-1")
        body = text.encode("latin-1", errors="replace")
        covered = {"text": body, "text_and_end": body + end, "all": start + body + end}[self.covers]
        check = self._check(covered)
        return start + body + (check + end if self.stands == "before_end" else end + check)

    def _check(self, covered: bytes) -> bytes:
        if self.checksum == "none":
            return b""
        value = {
            "xor": reduce(xor, covered, 0),
            "sum": sum(covered) & 0xFF,
            "lrc": -sum(covered) & 0xFF,
        }[self.checksum]
        return bytes([value]) if self.written == "byte" else b"%02X" % value
