"""`lotgate cloud lots import FILE`: car parks that we know of but do not run, from a published list (CSV, or CSV.gz).

Good rows are taken, bad ones told, never one for the other's sake. Importing the same list again changes nothing; importing a newer one
changes what differs. A lot with a gateway is described by its own lot.toml and never overwritten. Imported lots have counts by type
and no spots, and nothing is known of how full they are: the API says so.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TextIO

from psycopg import Connection
from psycopg.rows import DictRow

from cloud.errors import CloudError
from cloud.named_sql import named_sql
from cloud.parking_lots.published import COLUMNS, PublishedLot, RowProblem, operator_id, read_row

QUERIES = named_sql("cloud.parking_lots")
ROWS_AT_ONCE = 1_000


class ListNotReadable(CloudError):
    """The file is no list of car parks: it cannot be opened, is no CSV in UTF-8, or lacks a column."""


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """What became of a list."""

    rows: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    kept_for_gateway: int = 0
    problems: list[RowProblem] = field(default_factory=list)

    @property
    def refused(self) -> int:
        """Rows that were left out whole."""
        return sum(problem.refused for problem in self.problems)

    def as_json(self) -> dict[str, object]:
        """The same as plain JSON."""
        return {
            "rows": self.rows,
            "added": self.added,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "kept_for_gateway": self.kept_for_gateway,
            "refused": self.refused,
            "problems": [
                {
                    "row": found.row,
                    "lot": found.lot,
                    "field": found.field,
                    "problem": found.problem,
                    "fix": found.fix,
                    "refused": found.refused,
                }
                for found in self.problems
            ],
        }


def import_file(connection: Connection[DictRow], path: Path) -> ImportReport:
    """Import the list in `path` in one transaction.

    Raises:
        ListNotReadable: it cannot be read as such a list; nothing was imported.
    """
    with _opened(path) as lines, connection.transaction():
        return import_lots(connection, lines)


def import_lots(connection: Connection[DictRow], lines: Iterable[str]) -> ImportReport:
    """Import a list given as lines of CSV, inside the caller's transaction.

    Raises:
        ListNotReadable: a column is missing, or the CSV is broken.
    """
    report = ImportReport()
    lots = _believed(lines, report)
    while batch := tuple(islice(lots, ROWS_AT_ONCE)):
        _write(connection, batch, report)
    return report


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as lines:
            yield lines
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ListNotReadable(
            f"{path}: {error}; give a CSV in UTF-8, or the same compressed as .gz"
        ) from error


def _believed(lines: Iterable[str], report: ImportReport) -> Iterator[PublishedLot]:
    """The lots of the list, each once; `report` gets the problems."""
    reader = csv.DictReader(lines, restkey="", restval="")
    seen: dict[str, int] = {}
    try:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ListNotReadable(
                f"columns missing: {', '.join(missing)}; the first line names {', '.join(COLUMNS)}"
            )
        for number, cells in enumerate(reader, start=1):
            report.rows = number
            lot, problems = read_row(number, cells)
            report.problems.extend(problems)
            if lot is None:
                continue
            first = seen.setdefault(lot.reference, number)
            if first != number:
                report.problems.append(_repeated(number, lot, first))
                continue
            yield lot
    except csv.Error as error:
        raise ListNotReadable(f"line {reader.line_num}: {error}; mend the CSV there") from error


def _repeated(row: int, lot: PublishedLot, first: int) -> RowProblem:
    return RowProblem(
        row=row,
        lot=lot.reference,
        field="lot_id",
        problem=f"row {first} has the same id",
        fix="keep one of the two",
        refused=True,
    )


def _write(connection: Connection[DictRow], lots: tuple[PublishedLot, ...], report: ImportReport) -> None:
    operators = sorted({lot.operator for lot in lots if lot.operator})
    connection.execute(
        QUERIES["operators_import"], {"id": [operator_id(name) for name in operators], "name": operators}
    )
    written = connection.execute(QUERIES["lots_import"], _columns(lots)).fetchall()
    known = connection.execute(QUERIES["lots_of_gateways"], {"id": [lot.id for lot in lots]}).fetchall()
    ours = {row["id"] for row in known}
    counted = [
        (lot.id, str(type_), total)
        for lot in lots
        if lot.id not in ours
        for type_, total in lot.spots.items()
    ]
    recounted = connection.execute(
        QUERIES["counts_import"],
        {
            "lots": [lot.id for lot in lots if lot.id not in ours],
            "lot": [lot for lot, _, _ in counted],
            "type": [type_ for _, type_, _ in counted],
            "total": [total for _, _, total in counted],
        },
    ).fetchall()
    added = {row["id"] for row in written if row["is_new"]}
    changed = ({row["id"] for row in written} | {row["lot_id"] for row in recounted}) - added
    report.added += len(added)
    report.changed += len(changed)
    report.kept_for_gateway += len(ours)
    report.unchanged += len(lots) - len(added) - len(changed) - len(ours)


def _columns(lots: tuple[PublishedLot, ...]) -> dict[str, object]:
    return {
        "id": [lot.id for lot in lots],
        "operator_id": [None if lot.operator is None else operator_id(lot.operator) for lot in lots],
        "name": [lot.name for lot in lots],
        "address": [lot.address for lot in lots],
        "latitude": [lot.point.latitude for lot in lots],
        "longitude": [lot.point.longitude for lot in lots],
        "timezone": [lot.timezone for lot in lots],
        "currency": [lot.currency for lot in lots],
        "total_spots": [sum(lot.spots.values()) for lot in lots],
        "amenities": [json.dumps(lot.facts, sort_keys=True, ensure_ascii=False) for lot in lots],
        "reference": [lot.reference for lot in lots],
    }
