"""Statements by name, read from `queries.sql`: there is no SQL in our Python."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources

NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def parse_queries(text: str) -> Mapping[str, str]:
    """The statements of a file of named queries, by name.

    Raises:
        ValueError: a name stands twice.
    """
    parts = NAME.split(text)
    names = parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"a query's name stands twice among {sorted(names)}")
    return {name: _statement(part) for name, part in zip(names, parts[2::2], strict=True)}


def _statement(part: str) -> str:
    return "\n".join(line for line in part.strip().splitlines() if not line.startswith("--")).strip()


QUERIES = parse_queries(resources.files("edge.store").joinpath("queries.sql").read_text(encoding="utf-8"))
