"""SQL by name: a service's `queries.sql` is the index of everything it asks of the database.

-- name: claims_take_off
-- One sentence that says what the statement does.
DELETE …
"""

from __future__ import annotations

import re
from importlib.resources import files

NAME = re.compile(r"^-- name: (\w+)[ \t]*$", re.MULTILINE)


def named_sql(package: str) -> dict[str, bytes]:
    """The statements of `package`'s queries.sql by name, as psycopg takes them.

    Raises:
        ValueError: a name stands there twice.
    """
    text = (files(package) / "queries.sql").read_text(encoding="utf-8")
    _, *parts = NAME.split(text)
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{package}/queries.sql: a name stands there twice")
    return {name: body.strip().rstrip(";").encode() for name, body in zip(names, bodies, strict=True)}
