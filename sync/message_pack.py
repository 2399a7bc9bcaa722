"""MessagePack with bounds: what we pack is one canonical form, what we unpack can neither exhaust memory nor nest without end."""

from __future__ import annotations

from typing import Any, NoReturn

import msgpack

from sync.errors import MalformedFrame

DEEPEST = 12
LONGEST_ARRAY = 20_000
LONGEST_MAP = 256
_CONTAINERS = (dict, list)


def pack(value: object) -> bytes:
    """The bytes of `value`: maps keep their order, text is text, bytes are binary.

    Raises:
        ValueError, TypeError, OverflowError: a value that MessagePack cannot carry (an instant, an integer past 64 bits).
    """
    packed: bytes = msgpack.packb(value, use_bin_type=True, strict_types=False)
    return packed


def unpack(data: bytes, field: str) -> object:
    """The one value in `data`.

    Raises:
        MalformedFrame: not exactly one value, broken text, an extension type, a key that is no text, or nested past DEEPEST levels;
            `field` names where these bytes came from.
    """
    try:
        value: object = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            max_str_len=len(data),
            max_bin_len=len(data),
            max_array_len=LONGEST_ARRAY,
            max_map_len=LONGEST_MAP,
            max_ext_len=0,
            ext_hook=_refuse_extension,
        )
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise MalformedFrame(
            field, f"is not one MessagePack value ({error or type(error).__name__})"
        ) from error
    _refuse_depth(value, field)
    return value


def _refuse_extension(code: int, data: bytes) -> NoReturn:
    raise ValueError(f"extension type {code} of {len(data)} bytes")


def _refuse_depth(value: object, field: str) -> None:
    level: list[Any] = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _CONTAINERS
        ]
        if not level:
            return
    raise MalformedFrame(field, f"nests deeper than {DEEPEST} levels")
