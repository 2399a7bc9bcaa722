"""Manufacturer data of a vendor whose layout the lot's settings describe. Sans-IO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.errors import MalformedInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a term is: `size` bytes from `at` on, counted from behind the company number, times `factor`; or one `bit` of them."""

    at: int
    size: int = 1
    big_endian: bool = False
    signed: bool = False
    bit: int | None = None
    factor: float = 1

    def look(self, name: str, data: bytes) -> bool | int | float:
        """The term.

        Raises:
            MalformedInput: the data ends before it.
        """
        part = data[self.at : self.at + self.size]
        if len(part) < self.size:
            raise MalformedInput(name, f"{self.at + self.size} bytes are needed, {len(data)} came")
        number = int.from_bytes(part, "big" if self.big_endian else "little", signed=self.signed)
        if self.bit is not None:
            return bool(number >> self.bit & 1)
        return number if self.factor == 1 else round(number * self.factor, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorLayout:
    """One vendor's frame: `company` as assigned by the Bluetooth SIG; `begins` are its first bytes where it sends several kinds."""

    company: int
    terms: Mapping[str, Place]
    begins: bytes = b""

    def read(self, data: bytes) -> dict[str, bool | int | float]:
        """The terms of one frame.

        Raises:
            MalformedInput: it is another frame, or a term is missing.
        """
        if not data.startswith(self.begins):
            raise MalformedInput("frame", f"it does not begin with {self.begins.hex()}")
        return {name: place.look(name, data) for name, place in self.terms.items()}
