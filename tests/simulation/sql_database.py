"""PostgreSQL below the centre's services, with the stand-ins beside it: each statement is put to both, and their answers must be the same.

Theory. The services get PostgreSQL's answer; the stand-ins' tables are what the checks read. So a day that is played over this is at once a day on
the real SQL and the contract of every stand-in that it came to. The connection blocks: while PostgreSQL thinks nothing else happens and
no virtual time passes, so the order of the day is the one that it has in memory, and so is the hash of its trace.

PostgreSQL's clock is the day's: functions of the clock's names, found before its own, answer with the setting `lotgate.now`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from typing import Any

import psycopg

from cloud.database import connect
from tests.simulation.memory_database import HANDLERS, Answer, MemoryDatabase, Row, name_of
from tests.simulation.sql_rows import KEPT, as_said, differences

LOOK_AT_ALL_EVERY = 500
"""Commits, between which the tables themselves are compared."""

LEFT_OUT = frozenset(
    {
        "cloud.parking_lots.spots_see",
        "cloud.parking_lots.counts_report",
        "cloud.parking_lots.counts_recompute",
        "cloud.parking_lots.counts_shown",
        "cloud.parking_lots.lots_by_id",
    }
)
"""What the stand-ins do not keep, for it is only shown to people: the services get what PostgreSQL says, and may ask it more for that."""

UNREAD = {"cloud.reservations.ownership_broken": {"id"}, "cloud.reservations.lock_within": {"set_config"}}
"""Columns of answers that nobody reads."""

PATH = "SET search_path = virtual, pg_catalog, public"
PATIENT = "SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0"
"""A busy machine is no failure."""
TELL_TIME = "SELECT set_config('lotgate.now', %s, false)"

_NESTED = re.compile(r"\([^()]*\)")
_COMMENT = re.compile(r"--[^\n]*")


class Differs(AssertionError):
    """A stand-in and the SQL that it stands in for do not say the same."""


class TwinDatabase(MemoryDatabase):
    """Two databases that are asked the same. The one at `url` is migrated, empty and nobody else's, with a clock of ours (sql_server.py)."""

    def __init__(self, now: Callable[[], datetime], url: str) -> None:
        super().__init__(now)
        self._sql = connect(url)
        self._sql.execute(PATH)
        self._sql.execute(PATIENT)
        self._sql.execute("LISTEN lotgate_commit")
        self._sql.add_notify_handler(lambda notice: self._heard.append(notice.payload))
        self._heard: list[str] = []
        self._told_at: datetime | None = None
        self._commits = 0
        self.asked: dict[str, int] = {}

    def close(self) -> None:
        """Let the database go."""
        self._sql.close()

    def execute(self, sql: bytes, parameters: Mapping[str, Any]) -> Answer:
        name = name_of(sql)
        self.asked[name] = self.asked.get(name, 0) + 1
        actual = self._ask(sql, parameters) if name not in HANDLERS else self._ask_both(name, sql, parameters)
        if self._depth == 0:
            self._commit()
        return actual

    def _ask_both(self, name: str, sql: bytes, parameters: Mapping[str, Any]) -> list[Row]:
        expected: Answer | psycopg.Error
        try:
            expected = self.answer(name, parameters)
        except psycopg.Error as error:
            expected = error
        try:
            actual = self._ask(sql, parameters)
        except psycopg.Error as error:
            if type(expected) is type(error):
                raise
            raise Differs(f"{name} of {dict(parameters)}: {expected} in memory, {error!r} in SQL") from error
        if isinstance(expected, psycopg.Error):
            raise Differs(f"{name} of {dict(parameters)}: {expected!r} in memory, {actual} in SQL")
        if name in LEFT_OUT:
            return actual
        try:
            return _in_order(name, _is_ordered(sql), expected, actual)
        except Differs as differs:
            raise Differs(f"{name} of {dict(parameters)}\n{differs}") from differs

    def _ask(self, sql: bytes, parameters: Mapping[str, Any]) -> list[Row]:
        self._tell_time()
        cursor = self._sql.execute(sql, parameters)
        return cursor.fetchall() if cursor.description is not None else []

    def _tell_time(self) -> None:
        now = self.now()
        if now != self._told_at:
            self._sql.execute(TELL_TIME, (now.isoformat(),))
            self._told_at = now

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        try:
            async with super().transaction():
                with self._sql.transaction():
                    yield
        except BaseException:
            self._told_at = None  # what was set in it is rolled back
            raise

    def _commit(self) -> None:
        heard, self._heard = self._heard, []
        said = list(dict.fromkeys(self._words))
        if heard != said:
            self._words.clear()  # or whoever cleans up after this is blamed for it
            raise Differs(f"said in memory: {said}; in SQL: {heard}")
        super()._commit()
        self._commits += 1
        if self._commits % LOOK_AT_ALL_EVERY == 0:
            self.look_at_all()

    def look_at_all(self) -> None:
        """Both keep the same rows.

        Raises:
            Differs: they do not.
        """
        for table, kept in KEPT.items():
            stored = self._sql.execute(kept.sql).fetchall()
            found = differences(kept, self.table(table), stored)
            if found:
                raise Differs(f"{table}: {found[:5]}")


@cache
def _is_ordered(sql: bytes) -> bool:
    """Whether the answer's order is asked for: ORDER BY at the end, in no parentheses, of what only reads."""
    text = _COMMENT.sub("", sql.decode())
    while (flat := _NESTED.sub("", text)) != text:
        text = flat
    return text.lstrip().startswith("SELECT") and "ORDER BY" in text


def _in_order(name: str, ordered: bool, expected: Answer, actual: list[Row]) -> list[Row]:
    """PostgreSQL's rows, which must be the stand-in's; where the SQL asks for no order they come in the stand-in's, so that a day is one day."""
    if not expected and not actual:
        return actual
    columns = [column for column in (actual or expected)[0] if column not in UNREAD.get(name, ())]
    try:
        memory = [tuple(row[column] for column in columns) for row in expected]
    except KeyError as missing:
        raise Differs(f"the stand-in's answer has no column {missing}") from missing
    real = [tuple(row[column] for column in columns) for row in actual]
    if memory == real:
        return actual
    if len(memory) != len(real):
        raise Differs(f"in memory {memory}\nin SQL {real}")
    places = list(range(len(real)))
    ours = places if ordered else sorted(places, key=lambda place: as_said(memory[place]))
    theirs = places if ordered else sorted(places, key=lambda place: as_said(real[place]))
    answer = dict(zip(ours, (actual[place] for place in theirs), strict=True))
    told = [
        f"{column}: {one!r} in memory, {other!r} in SQL"
        for mine, other_s in zip(ours, theirs, strict=True)
        for column, one, other in zip(columns, memory[mine], real[other_s], strict=True)
        if one != other
    ]
    if told:
        raise Differs("\n".join(told))
    return [answer[place] for place in places]
