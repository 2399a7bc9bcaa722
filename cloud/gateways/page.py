"""A page of a gateway's log goes into the database. Next in its story: cloud/reservations/service.

Theory. Everything happens in the caller's one transaction, which holds the gateway's row and has checked its epoch and session.

1. A row that is held under its number with another hash is a fork: nothing of the page is applied.
2. Every row goes into the inbox. The rows that were new there are applied, the others are not: that insert is the only de-duplication.
3. What can be read goes to the services that keep its kind, page by page in few statements. Where a service's batch is refused by the
   database, its rows go one by one, each under a savepoint, and those that are refused are quarantined.
4. A kind that no service keeps is stored. A row that cannot be read is stored, quarantined with field and problem, and counted.
5. Claims or stays changed: the lot's counts are computed anew.
6. The acknowledged sequence moves on. Nothing of a page can keep it from doing so: a fact always applies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.facts import Fact, FactKeeper, Origin, Read
from cloud.named_sql import named_sql
from sync.errors import MalformedFrame
from sync.inbox import InboxRow, Poison
from sync.instants import LAST_US, from_us

QUERIES = named_sql("cloud.gateways")
LOG = structlog.get_logger(__name__)

Keeper = FactKeeper[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a page: how many rows were new, and the numbers of those quarantined."""

    new: int
    quarantined: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """A row of the log with what is to become of it."""

    row: InboxRow
    fact: Fact | None
    reading: Read[Any] | None
    poison: Poison | None

    @property
    def outcome(self) -> str:
        """applied, stored or quarantined."""
        if self.poison is not None:
            return "quarantined"
        return "stored" if self.reading is None else "applied"


class PageTaker:
    """Takes pages into the inbox and hands their facts to the services that keep them."""

    def __init__(self, keepers: Sequence[Keeper]) -> None:
        self._keepers: Mapping[str, Keeper] = {kind: keeper for keeper in keepers for kind in keeper.kinds}

    async def forked_at(
        self, connection: AsyncConnection[DictRow], origin: Origin, rows: Sequence[InboxRow]
    ) -> int | None:
        """The first row that is held under its number with another hash; None where there is none."""
        scope = {**_scope(origin), "first": rows[0].seq, "last": rows[-1].seq}
        held = await (await connection.execute(QUERIES["inbox_hashes"], scope)).fetchall()
        hashes = {row["seq"]: bytes(row["hash"]) for row in held}
        return next((row.seq for row in rows if hashes.get(row.seq, row.hash) != row.hash), None)

    async def take(
        self, connection: AsyncConnection[DictRow], origin: Origin, rows: Sequence[InboxRow]
    ) -> Taken:
        """Store and apply what is new of `rows`."""
        sorted_rows = [self._sort(row) for row in rows]
        cursor = await connection.execute(
            QUERIES["inbox_insert"], {**_scope(origin), **_inbox_columns(sorted_rows)}
        )
        new_seqs = {row["seq"] for row in await cursor.fetchall()}
        new = [row for row in sorted_rows if row.row.seq in new_seqs]
        poison = {row.row.seq: row.poison for row in new if row.poison is not None}
        refused = await self._apply(
            connection, origin, [row.reading for row in new if row.reading is not None]
        )
        if refused:
            await connection.execute(QUERIES["inbox_quarantined"], {**_scope(origin), "seq": list(refused)})
        poison |= refused
        if poison:
            await self._quarantine(connection, origin, poison)
        return Taken(new=len(new), quarantined=tuple(sorted(poison)))

    def _sort(self, row: InboxRow) -> Sorted:
        if isinstance(row.reading, Poison):
            return Sorted(row=row, fact=None, reading=None, poison=row.reading)
        envelope = row.reading
        fact = Fact(
            seq=row.seq, kind=envelope.kind, occurred_at=_occurred_at(envelope.body), body=envelope.body
        )
        keeper = self._keepers.get(fact.kind)
        if keeper is None:
            return Sorted(row=row, fact=fact, reading=None, poison=None)
        try:
            return Sorted(row=row, fact=fact, reading=Read(fact=fact, row=keeper.read(fact)), poison=None)
        except MalformedFrame as error:
            poison = Poison(field=error.field, problem=error.problem)
            return Sorted(row=row, fact=fact, reading=None, poison=poison)

    async def _apply(
        self, connection: AsyncConnection[DictRow], origin: Origin, readings: Sequence[Read[Any]]
    ) -> dict[int, Poison]:
        by_keeper: dict[int, tuple[Keeper, list[Read[Any]]]] = {}
        for read in readings:
            keeper = self._keepers[read.fact.kind]
            by_keeper.setdefault(id(keeper), (keeper, []))[1].append(read)
        refused: dict[int, Poison] = {}
        for keeper, reads in by_keeper.values():
            if await _apply_under_savepoint(connection, origin, keeper, reads) is not None:
                for read in reads:
                    problem = await _apply_under_savepoint(connection, origin, keeper, [read])
                    if problem is not None:
                        refused[read.fact.seq] = problem
        return refused

    async def _quarantine(
        self, connection: AsyncConnection[DictRow], origin: Origin, poison: Mapping[int, Poison]
    ) -> None:
        columns: dict[str, list[object]] = defaultdict(list)
        for seq, why in poison.items():
            columns["seq"].append(seq)
            columns["field"].append(why.field.replace("\x00", "?"))
            columns["problem"].append(why.problem.replace("\x00", "?"))
            LOG.error(
                "log row quarantined", gateway=origin.gateway, seq=seq, field=why.field, problem=why.problem
            )
        await connection.execute(QUERIES["quarantine_insert"], {**_scope(origin), **columns})


async def _apply_under_savepoint(
    connection: AsyncConnection[DictRow], origin: Origin, keeper: Keeper, reads: Sequence[Read[Any]]
) -> Poison | None:
    """None where it was applied; else what the database says against it, with nothing changed."""
    try:
        async with connection.transaction():
            await keeper.apply(connection, origin, reads)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        return Poison(
            field=error.diag.constraint_name or error.diag.column_name or "body",
            problem=error.diag.message_primary or str(error),
        )
    return None


def _occurred_at(body: Mapping[str, object]) -> datetime | None:
    at_us = body.get("at_us")
    return from_us(at_us) if type(at_us) is int and 0 <= at_us <= LAST_US else None


def _scope(origin: Origin) -> dict[str, object]:
    return {"gateway": origin.gateway, "epoch": origin.epoch}


def _inbox_columns(rows: Sequence[Sorted]) -> dict[str, list[object]]:
    return {
        "seq": [row.row.seq for row in rows],
        "hash": [row.row.hash for row in rows],
        "body": [row.row.body for row in rows],
        "kind": ["" if row.fact is None else row.fact.kind for row in rows],
        "occurred_at": [None if row.fact is None else row.fact.occurred_at for row in rows],
        "outcome": [row.outcome for row in rows],
    }
