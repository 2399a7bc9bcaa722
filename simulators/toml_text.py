"""Writes what `tomllib` reads back: tables, arrays of tables, and plain values. For files that a program makes; a person's comments are not kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any


def toml_text(document: Mapping[str, Any]) -> str:
    """The document as TOML.

    Raises:
        TypeError: it holds what TOML cannot say.
    """
    return "\n".join(_table((), document)) + "\n"


def _table(name: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    """A table's own values first: what stands below a header belongs to it."""
    later: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, Mapping) or _is_tables(value):
            later.append((key, value))
        else:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in later:
        path = (*name, _key(key))
        for each in value if _is_tables(value) else (value,):
            opening, closing = ("[[", "]]") if _is_tables(value) else ("[", "]")
            yield f"\n{opening}{'.'.join(path)}{closing}"
            yield from _table(path, each)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _key(key: str) -> str:
    plain = key.replace("-", "").replace("_", "")
    return key if plain.isascii() and plain.isalnum() else _text(key)


def _text(text: str) -> str:
    """A basic string: JSON's, but that TOML takes no bare DEL and no halves of a character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, Sequence):
        return f"[{', '.join(_value(each) for each in value)}]"
    raise TypeError(f"TOML has no {type(value).__name__}")
