"""Values from a stranger as JSON text that PostgreSQL takes."""

from __future__ import annotations

import json

from sync.errors import MalformedFrame


def json_text(value: object, path: str) -> str:
    """`value` as JSON.

    Raises:
        MalformedFrame: it holds what JSON cannot carry (bytes, NaN) or a NUL character; `path` names where it stood.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=True)
    except (TypeError, ValueError) as error:
        raise MalformedFrame(path, f"cannot be kept as JSON: {error}") from error
    if "\\u0000" in text:
        raise MalformedFrame(path, "must not hold a NUL character")
    return text
