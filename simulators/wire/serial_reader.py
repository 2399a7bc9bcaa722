"""A ticket, card or QR reader on the wire: what it scanned, as bytes on a serial line.

Framing as scanners leave the factory: the text and CR; card readers send what `card` makes of a tag. Both directions of
truth stay here: `sent` is what this reader believes that it said.
"""

from __future__ import annotations

from functools import reduce
from operator import xor

from simulators.wire.pty import Pty


class SerialReaderWire:
    """One reader on one cable."""

    def __init__(self, pty: Pty, *, suffix: bytes = b"\r") -> None:
        self.sent: list[str] = []
        self._pty = pty
        self._suffix = suffix

    def start(self) -> None:
        """Plug the cable in."""
        self._pty.plug()

    def stop(self) -> None:
        """Pull the plug."""
        self._pty.unplug()

    def scan(self, text: str) -> bool:
        """Send a code; False where the cable did not take it whole (unplugged, or nobody reads)."""
        line = text.encode() + self._suffix
        went = self._pty.write(line) == len(line)
        if went:
            self.sent.append(text)
        return went

    def card(self, tag: bytes) -> bool:
        """Send an EM4100 tag of five bytes as RDM6300 readers do: STX, ten digits, their XOR, ETX."""
        if len(tag) != 5:
            raise ValueError(f"an EM4100 tag has 5 bytes, not {len(tag)}")
        digits = (tag + bytes([reduce(xor, tag)])).hex().upper()
        line = b"\x02" + digits.encode() + b"\x03"
        went = self._pty.write(line) == len(line)
        if went:
            self.sent.append(digits[:10])
        return went

    def rubbish(self, data: bytes) -> int:
        """Send what no reader should send; returns how many bytes the cable took."""
        return self._pty.write(data)
