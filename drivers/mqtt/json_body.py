"""A JSON message body read with suspicion: bounded, typed, and every complaint names the path of the field.

What is read here ends as a key in a database and as a frame on a link, so texts are printable (PostgreSQL refuses NUL,
no UTF-8 encoder takes half a surrogate pair) and numbers are finite and fit 64 bits. A null is a field that is
missing: protobuf's JSON writes both for the same thing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from drivers.errors import MalformedInput

LARGEST_BODY_BYTES = 256 * 1024
LONGEST_TEXT = 256
LARGEST_INTEGER = 2**63 - 1


def read_json(body: bytes, *, most_bytes: int = LARGEST_BODY_BYTES) -> object:
    """The body as JSON.

    Raises:
        MalformedInput: it is larger than `most_bytes` (256 KiB) or not JSON in UTF-8.
    """
    if len(body) > most_bytes:
        raise MalformedInput("body", f"{len(body)} bytes, {most_bytes} are allowed")
    try:
        parsed: object = json.loads(body.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError as wrong:
        raise MalformedInput("body", f"not UTF-8 at byte {wrong.start}") from wrong
    except json.JSONDecodeError as wrong:
        raise MalformedInput(
            "body", f"not JSON: {wrong.msg} at line {wrong.lineno} column {wrong.colno}"
        ) from wrong
    except ValueError as wrong:  # a number of thousands of digits
        raise MalformedInput("body", "not JSON: a number is too long") from wrong
    except RecursionError as wrong:
        raise MalformedInput("body", "nested too deeply") from wrong
    return parsed


def _refuse_constant(name: str) -> object:
    raise MalformedInput("body", f"{name} is not JSON")


def read_object(body: bytes, *, most_bytes: int = LARGEST_BODY_BYTES) -> JsonObject:
    """The body as a JSON object."""
    parsed = read_json(body, most_bytes=most_bytes)
    if not isinstance(parsed, dict):
        raise MalformedInput("body", f"an object is expected, not {kind_of(parsed)}")
    return JsonObject(parsed)


def kind_of(value: object) -> str:
    """What JSON calls a value, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "an array"
        case _:
            return "an object"


def checked_text(value: object, path: str) -> str:
    """`value` as a short printable text."""
    if not isinstance(value, str):
        raise MalformedInput(path, f"a text is expected, not {kind_of(value)}")
    if not 1 <= len(value) <= LONGEST_TEXT or not value.isprintable():
        raise MalformedInput(path, f"1 to {LONGEST_TEXT} printable characters are expected")
    return value


def checked_number(value: object, path: str) -> int | float:
    """`value` as a finite number that fits 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedInput(path, f"a number is expected, not {kind_of(value)}")
    if not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:  # nor is anything that is not a number
        raise MalformedInput(path, "the number is out of range")
    return value


def checked_instant(value: object, path: str) -> datetime:
    """`value`, RFC 3339 with an offset, in UTC; digits below a microsecond are cut off."""
    text = checked_text(value, path)
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError) as wrong:
        raise MalformedInput(path, f"{text!r} is no instant of RFC 3339") from wrong
    raise MalformedInput(path, f"{text!r} has no offset from UTC")


class JsonObject:
    """One object of a body and the path by which it was reached."""

    __slots__ = ("_path", "_values")

    def __init__(self, values: Mapping[str, object], path: str = "") -> None:
        self._values = values
        self._path = path

    def has(self, *keys: str) -> bool:
        """Whether one of `keys` is there, null or not."""
        return any(key in self._values for key in keys)

    def path(self, key: str) -> str:
        """The full path of `key`, for messages."""
        return f"{self._path}.{key}" if self._path else key

    def values(self) -> Iterator[object]:
        """All values as they are."""
        yield from self._values.values()

    def items(self) -> Iterator[tuple[str, object]]:
        """All keys with their values as they are."""
        yield from self._values.items()

    def get(self, key: str) -> object:
        """The value of `key` as it is, None where it is missing."""
        return self._values.get(key)

    def text(self, key: str) -> str | None:
        """A short printable text; None where missing, null or empty."""
        value = self._values.get(key)
        return None if value in (None, "") else checked_text(value, self.path(key))

    def label(self, key: str) -> str | None:
        """A name that people gave: None where it is not short and printable, for no reading may be lost to a name."""
        value = self._values.get(key)
        fit = isinstance(value, str) and 1 <= len(value) <= LONGEST_TEXT and value.isprintable()
        return str(value) if fit else None

    def integer(self, key: str, *, largest: int) -> int | None:
        """A whole number from 0 to `largest`; None where missing or null."""
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest:
            raise MalformedInput(self.path(key), f"a whole number from 0 to {largest} is expected")
        return value

    def number(self, key: str) -> int | float | None:
        """A finite number; None where missing or null."""
        value = self._values.get(key)
        return None if value is None else checked_number(value, self.path(key))

    def base64(self, key: str, *, most_bytes: int) -> bytes:
        """Bytes in standard base64; empty where missing, null or empty."""
        value = self._values.get(key)
        if value in (None, ""):
            return b""
        if not isinstance(value, str):
            raise MalformedInput(self.path(key), f"a text is expected, not {kind_of(value)}")
        try:
            decoded = base64.b64decode(value.encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError) as wrong:
            raise MalformedInput(self.path(key), "not base64") from wrong
        if len(decoded) > most_bytes:
            raise MalformedInput(self.path(key), f"{len(decoded)} bytes, {most_bytes} are allowed")
        return decoded

    def object(self, key: str) -> JsonObject:
        """An object; an empty one where missing or null, so that its fields are missing by their own names."""
        value = self._values.get(key)
        if value is None:
            return JsonObject({}, self.path(key))
        if not isinstance(value, dict):
            raise MalformedInput(self.path(key), f"an object is expected, not {kind_of(value)}")
        return JsonObject(value, self.path(key))

    def objects(self, key: str) -> Iterator[JsonObject]:
        """The objects of an array; none where missing or null."""
        values = self._values.get(key)
        if values is None:
            return
        if not isinstance(values, list):
            raise MalformedInput(self.path(key), f"an array is expected, not {kind_of(values)}")
        for index, value in enumerate(values):
            path = f"{self.path(key)}[{index}]"
            if not isinstance(value, dict):
                raise MalformedInput(path, f"an object is expected, not {kind_of(value)}")
            yield JsonObject(value, path)
