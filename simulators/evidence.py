"""Reads what each side has on record, from outside: the gateway's file, the centre's tables, the simulation's own record.

Nothing is asked of the programs themselves; each question is a file in evidence_sql/. Next: simulators/report.py compares.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

SQL = Path(__file__).parent / "evidence_sql"
EDGE_QUESTIONS = ("log", "spot_states", "claims", "spots", "promised", "stays", "conflicts")
CLOUD_QUESTIONS = ("inbox", "spots", "counts", "claims", "stays", "conflicts")
EPOCH_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


def question(name: str) -> str:
    """The statement of one question."""
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A row of the log on either side."""

    epoch: int
    seq: int
    hash: bytes
    body: bytes
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """An unreleased claim of one spot; `ends_at` None: open."""

    id: str
    spot: str | None
    starts_at: datetime
    ends_at: datetime | None
    clashing: bool

    def overlaps(self, other: Promise) -> bool:
        """Whether both promise the same spot at one instant."""
        return (
            self.spot is not None
            and self.spot == other.spot
            and (other.ends_at is None or self.starts_at < other.ends_at)
            and (self.ends_at is None or other.starts_at < self.ends_at)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeEvidence:
    """What the gateway's file holds. `spot_states` is (state, occurred at) by painted number, `stays` how many are in each state.

    `promised_by_type` counts the places of those who are inside.
    """

    log: Sequence[LogEntry]
    spot_states: Mapping[str, tuple[str, datetime]]
    claims: Sequence[Promise]
    spots_by_type: Mapping[str, int]
    promised_by_type: Mapping[str, int]
    stays: Mapping[str, int]
    conflicts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudEvidence:
    """What the centre's tables hold of one lot. `counts` is (sellable, total) by type."""

    inbox: Sequence[LogEntry]
    outcomes: Mapping[str, int]
    spot_states: Mapping[str, str]
    counts: Mapping[str, tuple[int, int]]
    claims: Sequence[Promise]
    stays: Mapping[str, int]
    conflicts: int


def read_edge(ledger: Path) -> EdgeEvidence:
    """Read the gateway's file, which may be in use.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    connection = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        rows = {name: connection.execute(question(f"edge_{name}")).fetchall() for name in EDGE_QUESTIONS}
    finally:
        connection.close()
    return EdgeEvidence(
        log=[_entry(row) for row in rows["log"]],
        spot_states={
            row["number"]: (row["state"], _instant(row["occurred_us"])) for row in rows["spot_states"]
        },
        claims=[
            Promise(
                id=row["id"],
                spot=row["spot"],
                starts_at=_instant(row["starts_us"]),
                ends_at=None if row["ends_us"] is None else _instant(row["ends_us"]),
                clashing=bool(row["clashing"]),
            )
            for row in rows["claims"]
        ],
        spots_by_type=_by(rows["spots"], "type"),
        promised_by_type=_by(rows["promised"], "type"),
        stays=_by(rows["stays"], "state"),
        conflicts=rows["conflicts"][0]["n"],
    )


def count_log(ledger: Path) -> int:
    """The number of the newest row of the gateway's log.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    return _number(ledger, "edge_last")


def count_acknowledged(ledger: Path) -> int:
    """The newest row of the log that the gateway knows to be applied at the centre.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    return _number(ledger, "edge_acknowledged")


def count_doubts(ledger: Path) -> int:
    """How many bookings the lot holds a place for and does not know the decision of.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    return _number(ledger, "edge_doubts")


def read_cloud(database_url: str, lot: str) -> CloudEvidence:
    """Read the centre's tables.

    Raises:
        psycopg.Error: the database does not answer.
    """
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        rows = {
            name: connection.execute(question(f"cloud_{name}").encode(), {"lot": lot}).fetchall()
            for name in CLOUD_QUESTIONS
        }
    outcomes: dict[str, int] = {}
    for row in rows["inbox"]:
        outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0) + 1
    return CloudEvidence(
        inbox=[_entry(row) for row in rows["inbox"]],
        outcomes=outcomes,
        spot_states={row["number"]: row["state"] for row in rows["spots"]},
        counts={row["type"]: (row["sellable"], row["total"]) for row in rows["counts"]},
        claims=[
            Promise(
                id=row["id"],
                spot=row["spot"],
                starts_at=row["starts_at"],
                ends_at=row["ends_at"],
                clashing=row["clashing"],
            )
            for row in rows["claims"]
        ],
        stays={row["state"]: row["n"] for row in rows["stays"]},
        conflicts=rows["conflicts"][0]["n"],
    )


def _number(ledger: Path, asked: str) -> int:
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        return int(connection.execute(question(asked)).fetchone()[0])


def _by(rows: Iterable[sqlite3.Row], name: str) -> dict[str, int]:
    return {row[name]: row["n"] for row in rows}


def _entry(row: Mapping[str, object] | sqlite3.Row) -> LogEntry:
    return LogEntry(
        epoch=int(str(row["epoch"])),
        seq=int(str(row["seq"])),
        hash=bytes(row["hash"]),  # type: ignore[arg-type]  # a BLOB or bytea, both bytes
        body=bytes(row["body"]),  # type: ignore[arg-type]  # a BLOB or bytea, both bytes
        kind=str(row["kind"]),
    )


def _instant(microseconds: int) -> datetime:
    return EPOCH_ZERO + timedelta(microseconds=microseconds)
