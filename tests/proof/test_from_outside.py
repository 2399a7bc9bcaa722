"""Crash points of the commit reached from outside, on real processes: a lock that another connection holds, a line that swallows, a stopped process.

A failpoint tests that the program dies where it says; these test the same corners without a word of ours in the program.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import psycopg
import pytest

from simulators.network import Direction, Flow
from tests.proof.rivals import Buyer, soon
from tests.proof.town import WITHIN_S, Town, town_at
from tests.proof.town_books import come_to_rest, doubts_of, rows_of, wrongs

LOCK = b"SELECT id FROM reservations WHERE state = 'preparing' FOR UPDATE"
Connection = psycopg.Connection[tuple[object, ...]]
VOTE_TAKES_S = 0.7
UNDECIDED = b"SELECT 1 FROM reservations WHERE state = 'preparing'"
LEASE = b"SELECT state, reason, lease_token, lease_holder, deadline_at, own_claims FROM reservations"
PAST_S = 1.0
"""The row's deadline is 8 s after its begin, by the database's clock; a lock that is held until then and a little longer decides late."""


@pytest.fixture
async def town(database_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with town_at(tmp_path, database_url) as town:
        await until(lambda: bool(rows_of(database_url, b"SELECT 1 FROM gateways WHERE session > 0")))
        yield town


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110 - files and tables of other processes tell nobody
            await asyncio.sleep(0.02)


@asynccontextmanager
async def decision_held_up(
    town: Town, confirms_at: str = "b"
) -> AsyncIterator[tuple[Buyer, asyncio.Task[None], Connection]]:
    """A buyer confirms at the process without the line, or with it; the lot has voted, and the row that is to be decided is locked."""
    buyer = Buyer(town=town, draw=Random(1), starts_at=soon(), confirms_at=confirms_at)
    # What comes up waits on the line a little, so that the lock is there before the vote.
    town.line.delay(Direction.UP, VOTE_TAKES_S)
    buying = asyncio.create_task(buyer.buy())
    with psycopg.connect(town.database_url) as connection:
        await until(lambda: lock(connection))
        await until(lambda: doubts_of(town) == 1)
        town.line.delay(Direction.UP, 0.0)
        await asyncio.sleep(2 * VOTE_TAKES_S)
        try:
            yield buyer, buying, connection
        finally:
            town.line.restore()
    await buying


def lock(connection: Connection) -> bool:
    """Hold the row, once it is preparing."""
    found = connection.execute(LOCK).fetchone()
    if found is None:
        connection.rollback()
    return found is not None


async def test_a_decision_that_waits_for_a_lock_is_made_when_it_is_free(town: Town) -> None:
    async with decision_held_up(town) as (buyer, buying, connection):
        assert rows_of(town.database_url, UNDECIDED), buyer
        connection.rollback()
        await asyncio.wait_for(asyncio.shield(buying), WITHIN_S)
    assert buyer.told == 200 or buyer.reason == "deadline", "on a machine that others use, 8 s may pass"
    await come_to_rest(town)
    assert wrongs(town, [buyer]) == []


@pytest.mark.proof
async def test_a_decision_whose_deadline_passed_behind_a_lock_is_no_commit(town: Town) -> None:
    async with decision_held_up(town) as (buyer, buying, connection):
        passed = b"SELECT 1 FROM reservations WHERE protocol_now() > deadline_at AND state = 'preparing'"
        await until(lambda: bool(rows_of(town.database_url, passed)))
        await asyncio.sleep(PAST_S)
        connection.rollback()
        await asyncio.wait_for(asyncio.shield(buying), WITHIN_S)
    assert (buyer.told, buyer.reason) == (409, "deadline")
    await come_to_rest(town)
    assert wrongs(town, [buyer]) == []


async def test_a_decision_that_the_line_swallows_is_known_at_the_lot_once_the_line_is_back(
    town: Town,
) -> None:
    async with decision_held_up(town) as (buyer, buying, connection):
        town.line.flow(Direction.DOWN, Flow.SWALLOW)
        connection.rollback()
        await asyncio.wait_for(asyncio.shield(buying), WITHIN_S)
        assert doubts_of(town) == 1, "whatever was decided, the lot has not heard it"
    await come_to_rest(town)
    assert doubts_of(town) == 0
    assert wrongs(town, [buyer]) == []


async def test_a_process_that_stands_still_between_vote_and_decision_is_taken_over_and_wakes_to_write_nothing(
    town: Town,
) -> None:
    """It has the line and the lease, and stands still with the vote in hand and the row locked; the database ends its transaction, the other process decides."""
    async with decision_held_up(town, confirms_at="a") as (buyer, buying, connection):
        stopped = town.centres["a"].pid
        assert stopped is not None
        (before,) = rows_of(town.database_url, LEASE)
        os.kill(stopped, signal.SIGSTOP)
        try:
            connection.rollback()
            await until(lambda: not rows_of(town.database_url, UNDECIDED))
            (decided,) = rows_of(town.database_url, LEASE)
        finally:
            os.kill(stopped, signal.SIGCONT)
        await asyncio.wait_for(asyncio.shield(buying), WITHIN_S)
    assert (before["lease_token"], decided["lease_token"]) == (1, 2)
    assert before["lease_holder"] != decided["lease_holder"]
    assert (decided["state"], decided["reason"]) == ("aborted", "deadline")
    assert (buyer.told, buyer.reason) == (409, "deadline")
    await come_to_rest(town)
    assert rows_of(town.database_url, LEASE) == [decided]
    assert wrongs(town, [buyer]) == []
