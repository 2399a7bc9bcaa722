"""Reads a payload field by field and refuses what is not there: the one place that counts bytes for all decoders."""

from __future__ import annotations

from collections.abc import Collection

from drivers.errors import MalformedInput

LAST_APPLICATION_PORT = 223  # LoRaWAN 1.0.4, 4.3.2: 0 is for MAC commands, 224 and above are reserved


def require_length(payload: bytes, *lengths: int) -> None:
    """Refuse a payload that has none of `lengths` bytes."""
    if len(payload) not in lengths:
        wanted = " or ".join(str(length) for length in lengths)
        found = "empty" if not payload else f"{len(payload)} bytes"
        raise MalformedInput("payload", f"{found}, {wanted} bytes expected")


def require_application_port(f_port: int) -> None:
    """Refuse a port on which no application speaks; for devices whose port is a setting."""
    if not 1 <= f_port <= LAST_APPLICATION_PORT:
        raise MalformedInput("fPort", f"{f_port} is no application port (1 to {LAST_APPLICATION_PORT})")


def unknown_port(f_port: int, known: Collection[int]) -> MalformedInput:
    """The error for a port on which this device does not speak."""
    return MalformedInput(
        "fPort", f"{f_port} is unknown, this device uses {', '.join(map(str, sorted(known)))}"
    )


def zero_or_one(value: int, field: str) -> bool:
    """A byte that may only be 0 or 1."""
    if value not in {0, 1}:
        raise MalformedInput(field, f"0x{value:02x} is neither 0 nor 1")
    return value == 1


class PayloadReader:
    """Takes fields off a payload from left to right; every method raises `MalformedInput` where bytes are missing."""

    __slots__ = ("_at", "_payload")

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes were not read yet."""
        return len(self._payload) - self._at

    def take(self, count: int, field: str) -> bytes:
        """The next `count` bytes."""
        if self.left < count:
            raise MalformedInput(field, f"needs {count} bytes at offset {self._at}, {self.left} left")
        taken = self._payload[self._at : self._at + count]
        self._at += count
        return taken

    def rest(self) -> bytes:
        """All that was not read yet."""
        return self.take(self.left, "payload")

    def unsigned(self, count: int, field: str) -> int:
        """An unsigned big-endian number of `count` bytes."""
        return int.from_bytes(self.take(count, field), "big")

    def signed(self, count: int, field: str) -> int:
        """A two's complement big-endian number of `count` bytes."""
        return int.from_bytes(self.take(count, field), "big", signed=True)

    def unsigned_little(self, count: int, field: str) -> int:
        """An unsigned little-endian number of `count` bytes."""
        return int.from_bytes(self.take(count, field), "little")

    def signed_little(self, count: int, field: str) -> int:
        """A two's complement little-endian number of `count` bytes."""
        return int.from_bytes(self.take(count, field), "little", signed=True)

    def flag(self, field: str) -> bool:
        """One byte that may only be 0 or 1."""
        return zero_or_one(self.unsigned(1, field), field)

    def version(self, field: str) -> str:
        """Three bytes as `major.minor.patch`."""
        return ".".join(str(part) for part in self.take(3, field))
