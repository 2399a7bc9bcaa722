"""What each side has on record about bookings: the drivers' own record, the lot's file, the centre's tables, the provider's books.

Nothing is asked of the product's programs themselves. Next: simulators/booking_differences.py compares.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from simulators.evidence import question

Line = Mapping[str, object]
Transaction = tuple[str, int]
"""A reservation's id and a revision of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A booking as the centre has it."""

    reservation: str
    revision: int
    state: str
    status: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Paying:
    """The money of a booking as the centre has it; `intent` is the provider's id, "" where it has none yet."""

    payment: str
    reservation: str
    intent: str
    standing: str
    receivable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What the provider itself took and gave back; `payment` is what we called it."""

    id: str
    payment: str
    received_minor: int
    refunded_minor: int

    @property
    def kept_minor(self) -> int:
        """What stayed with us."""
        return self.received_minor - self.refunded_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingEvidence:
    """All of it. `told` is the web drivers' own record, `at_lot` the state of each transaction in the lot's file."""

    told: Sequence[Line] = ()
    at_lot: Mapping[Transaction, str] = field(default_factory=dict)
    decided: Sequence[Decided] = ()
    paying: Sequence[Paying] = ()
    intents: Sequence[Intent] = ()

    @property
    def settled(self) -> bool:
        """Nothing is undecided, and no money is on its way."""
        committed = {one.reservation for one in self.decided if one.state == "committed"}
        on_its_way = {"capturing", "voiding", "refunding"}
        return (
            "prep" not in self.at_lot.values()
            and all(one.state != "preparing" for one in self.decided)
            and all(
                one.standing not in on_its_way
                and not (one.standing == "authorised" and one.reservation in committed)
                for one in self.paying
            )
        )


def read_bookings(
    *, told: Sequence[Line], ledger: Path, database_url: str, lot: str, intents: Sequence[Mapping[str, Any]]
) -> BookingEvidence:
    """Read file and tables; `intents` is what the provider answers at /control/intents.

    Raises:
        sqlite3.Error, psycopg.Error: one of them cannot be read.
    """
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as file:
        at_lot = {(row[0], row[1]): str(row[2]) for row in file.execute(question("edge_transactions"))}
    with psycopg.connect(database_url, row_factory=dict_row) as tables:
        decided = tables.execute(question("cloud_reservations").encode(), {"lot": lot}).fetchall()
        paying = tables.execute(question("cloud_payments").encode(), {"lot": lot}).fetchall()
    return BookingEvidence(
        told=told,
        at_lot=at_lot,
        decided=[
            Decided(
                reservation=row["reservation"],
                revision=row["revision"],
                state=row["state"],
                status=row["status"],
                amount_minor=row["amount_minor"],
            )
            for row in decided
        ],
        paying=[
            Paying(
                payment=row["payment"],
                reservation=row["reservation"],
                intent=row["intent"] or "",
                standing=row["standing"] or "",
                receivable=row["receivable"],
            )
            for row in paying
        ],
        intents=[
            Intent(
                id=one["id"],
                payment=one["metadata"].get("payment", ""),
                received_minor=one["amount_received"],
                refunded_minor=sum(
                    part["amount"] for part in one["refunds"] if part["status"] == "succeeded"
                ),
            )
            for one in intents
        ],
    )
