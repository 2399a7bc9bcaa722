"""Reading what a stranger sent, one field at a time.

A check is a function (value, path) → the value as we use it, or MalformedFrame with the path of the field. Checks are made once, at
import, and are the whole vocabulary in which frames, rows, layouts and tokens say what they accept. A check of many parts gives each an empty
path and puts its own before an error's, so that paths are built for errors only: a page has thousands of fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from sync.errors import MalformedFrame
from sync.instants import LAST_US, from_us

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Check = Callable[[object, str], T]

LARGEST = 2**63 - 1


def integer(least: int = 0, most: int = LARGEST) -> Check[int]:
    """An integer from `least` to `most`; True is not an integer."""

    def check(value: object, path: str) -> int:
        if type(value) is not int:
            raise MalformedFrame(path, f"must be an integer, not {_named(value)}")
        if not least <= value <= most:
            raise MalformedFrame(path, f"must be from {least} to {most}, not {value}")
        return value

    return check


def number(least: float, most: float) -> Check[float]:
    """A finite number from `least` to `most`."""

    def check(value: object, path: str) -> float:
        if type(value) not in (int, float):
            raise MalformedFrame(path, f"must be a number, not {_named(value)}")
        read = float(value)  # type: ignore[arg-type]  # the line above has looked at the type
        if not least <= read <= most:
            raise MalformedFrame(path, f"must be from {least} to {most}, not {read}")
        return read

    return check


def text(longest: int = 200, shortest: int = 0) -> Check[str]:
    """Text of `shortest` to `longest` characters without NUL, which no database column takes."""

    def check(value: object, path: str) -> str:
        if type(value) is not str:
            raise MalformedFrame(path, f"must be text, not {_named(value)}")
        if not shortest <= len(value) <= longest:
            raise MalformedFrame(path, f"must have {shortest} to {longest} characters, not {len(value)}")
        if "\x00" in value:
            raise MalformedFrame(path, "must not hold a NUL character")
        return value

    return check


def binary(longest: int, shortest: int = 0) -> Check[bytes]:
    """`shortest` to `longest` bytes."""

    def check(value: object, path: str) -> bytes:
        if type(value) is not bytes:
            raise MalformedFrame(path, f"must be bytes, not {_named(value)}")
        if not shortest <= len(value) <= longest:
            raise MalformedFrame(path, f"must have {shortest} to {longest} bytes, not {len(value)}")
        return value

    return check


def flag(value: object, path: str) -> bool:
    """True or False."""
    if type(value) is not bool:
        raise MalformedFrame(path, f"must be true or false, not {_named(value)}")
    return value


def instant(value: object, path: str) -> datetime:
    """Microseconds since 1970 UTC, as an aware instant."""
    return from_us(_MICROSECONDS(value, path))


def word(words: type[E]) -> Check[E]:
    """One of the words of an enumeration."""

    def check(value: object, path: str) -> E:
        read = _WORD(value, path)
        try:
            return words(read)
        except ValueError as error:
            raise MalformedFrame(path, f"must be one of {', '.join(words)}, not {read!r}") from error

    return check


def optional(inner: Check[T]) -> Check[T | None]:
    """What `inner` accepts, or nothing."""

    def check(value: object, path: str) -> T | None:
        return None if value is None else inner(value, path)

    return check


def sequence(inner: Check[T], most: int, least: int = 0) -> Check[tuple[T, ...]]:
    """`least` to `most` values that `inner` accepts; the path counts from 0."""

    def check(value: object, path: str) -> tuple[T, ...]:
        if not isinstance(value, (list, tuple)):
            raise MalformedFrame(path, f"must be a list, not {_named(value)}")
        if not least <= len(value) <= most:
            raise MalformedFrame(path, f"must have {least} to {most} entries, not {len(value)}")
        read: list[T] = []
        try:
            for item in value:
                read.append(inner(item, ""))  # noqa: PERF401 - its length tells the error which item it was
        except MalformedFrame as error:
            raise MalformedFrame(f"{path}[{len(read)}]{error.field}", error.problem) from error
        return tuple(read)

    return check


def plain_map(value: object, path: str) -> Mapping[str, object]:
    """A map from text to anything."""
    if not isinstance(value, Mapping):
        raise MalformedFrame(path, f"must be a map, not {_named(value)}")
    for key in value:
        if type(key) is not str:
            raise MalformedFrame(path, f"must have text as keys, not {_named(key)}")
    return value


class Fields:
    """A map from a stranger, read by name. Fields that nobody asks for are ignored: a newer side may send them."""

    __slots__ = ("_path", "_values")

    def __init__(self, values: object, path: str) -> None:
        self._values = plain_map(values, path)
        self._path = path

    def at(self, path: str) -> Fields:
        """The same map under another path."""
        return Fields(self._values, path)

    def take(self, name: str, check: Check[T]) -> T:
        """The field `name`.

        Raises:
            MalformedFrame: it is missing, or `check` refuses it.
        """
        if name not in self._values:
            raise MalformedFrame(f"{self._path}.{name}", "is missing")
        try:
            return check(self._values[name], "")
        except MalformedFrame as error:
            raise MalformedFrame(f"{self._path}.{name}{error.field}", error.problem) from error

    def take_or(self, name: str, check: Check[T], default: T) -> T:
        """The field `name`, or `default` where an older side did not send it.

        Raises:
            MalformedFrame: it is there and `check` refuses it.
        """
        return self.take(name, check) if name in self._values else default


def _named(value: object) -> str:
    return "nothing" if value is None else type(value).__name__


_MICROSECONDS = integer(0, LAST_US)
_WORD = text(64)
