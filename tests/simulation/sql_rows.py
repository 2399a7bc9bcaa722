"""How the rows of PostgreSQL's tables read beside those that the stand-ins keep."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.sql import SQL, Identifier

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A table of the stand-ins: the statement that reads it, and the key of a row; None: rows are known by what they say."""

    sql: bytes
    key: Callable[[Row], Any] | None


def _by(*columns: str) -> Callable[[Row], Any]:
    if len(columns) == 1:
        return lambda row: row[columns[0]]
    return lambda row: tuple(row[column] for column in columns)


def _table(name: str, *key: str) -> Kept:
    sql = SQL("SELECT * FROM {}").format(Identifier(name)).as_bytes(None)
    return Kept(sql=sql, key=_by(*key) if key else None)


KEPT: Mapping[str, Kept] = {
    "claims": Kept(
        sql=b"""
            SELECT id, lot_id, spot_id, type, lower(during) AS starts_at, nullif(upper(during), 'infinity') AS ends_at, kind, holder_kind,
                   holder_id, state, sold_by, epoch, revision, version, clashing, created_at
              FROM claims""",
        key=_by("id"),
    ),
    "stays": _table("stays", "id"),
    "conflicts": Kept(  # how the windows of an overlap are written is for people to read
        sql=b"SELECT *, CASE WHEN kind = 'claims_overlap' THEN '{}' ELSE detail END AS detail FROM conflicts",
        key=None,
    ),
    "demands": _table("demands", "id"),
    "payments": _table("payments", "id"),
    "refunds": _table("refunds", "id"),
    "receivables": _table("receivables", "payment_id"),
    "reservations": _table("reservations", "id", "revision"),
    "transfers": _table("transfers", "id"),
    "parking_lots": _table("parking_lots", "id"),
    "zones": _table("zones", "lot_id", "id"),
    "parking_spots": _table("parking_spots", "id"),
    "gateways": _table("gateways", "id"),
    "gateway_inbox": _table("gateway_inbox", "gateway_id", "epoch", "seq"),
    "gateway_documents": _table("gateway_documents", "gateway_id", "n"),
    "enrolment_codes": _table("enrolment_codes", "code_hash"),
    "tariffs": _table("tariffs", "lot_id", "version"),
}


def as_said(values: Sequence[Any]) -> list[str]:
    """By which rows that have no order are put in one: jsonb keeps none of its keys either."""
    return [
        json.dumps(value, sort_keys=True, default=str) if isinstance(value, dict | list) else repr(value)
        for value in values
    ]


def differences(kept: Kept, memory: Mapping[Any, Row], stored: Iterable[Row]) -> list[str]:
    """What is not the same on both sides, in words; nothing: all is. Columns that the stand-ins do not keep are not compared."""
    if kept.key is None:
        return _unkeyed(list(memory.values()), list(stored))
    real = {kept.key(row): row for row in stored}
    found = [f"{key} only in memory" for key in memory if key not in real]
    found += [f"{key} only in SQL" for key in real if key not in memory]
    for key, row in memory.items():
        other = real.get(key, row)
        found += [
            f"{key}: {column} is {value!r} in memory, {other.get(column, 'no column')!r} in SQL"
            for column, value in row.items()
            if column not in other or other[column] != value
        ]
    return found


def _unkeyed(memory: list[Row], stored: list[Row]) -> list[str]:
    if not memory:
        return [f"only in SQL {stored}"] if stored else []
    columns = list(memory[0])
    ours = sorted(as_said([row[column] for column in columns]) for row in memory)
    theirs = sorted(as_said([row[column] for column in columns]) for row in stored)
    if ours == theirs:
        return []
    return [f"in memory {ours}, in SQL {theirs}"]
