"""The writer: order, groups, and a disk that does not take everything."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from edge.change import Change
from edge.errors import StoreError, StoreUnwritable
from edge.store.store import NumberedChange
from edge.writer import GROUP_SIZE, GROUP_WAIT_S, InlineWriter, ThreadWriter

if TYPE_CHECKING:
    from tests.integration.edge.conftest import Premises


class Disk:
    """Takes batches, or refuses them."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.refusing: Exception | None = None
        self.tries = 0
        self.held = threading.Event()
        self.held.set()

    def commit(self, batch: Sequence[NumberedChange]) -> None:
        self.held.wait()
        self.tries += 1
        if self.refusing is not None:
            raise self.refusing
        self.batches.append([numbered.seq for numbered in batch])


def numbered(seq: int) -> NumberedChange:
    return NumberedChange(change=Change(), epoch=1, entries=(), seq=seq)


async def test_an_urgent_change_does_not_wait_for_its_group() -> None:
    disk = Disk()
    writer = ThreadWriter(disk.commit)
    loop = asyncio.get_running_loop()
    started = loop.time()
    waiting = writer.submit(numbered(1), urgent=False)
    await writer.submit(numbered(2), urgent=True)
    assert loop.time() - started < GROUP_WAIT_S
    assert waiting.done()
    assert disk.batches == [[1, 2]]
    await writer.close()


async def test_changes_that_nobody_waits_for_are_written_together_and_in_order() -> None:
    disk = Disk()
    writer = ThreadWriter(disk.commit)
    futures = [writer.submit(numbered(seq), urgent=False) for seq in range(10)]
    await asyncio.gather(*futures)
    assert [seq for batch in disk.batches for seq in batch] == list(range(10))
    assert len(disk.batches) == 1
    await writer.close()


async def test_a_full_group_is_written_at_once() -> None:
    disk = Disk()
    writer = ThreadWriter(disk.commit)
    await asyncio.gather(*(writer.submit(numbered(seq), urgent=False) for seq in range(GROUP_SIZE * 3)))
    assert [seq for batch in disk.batches for seq in batch] == list(range(GROUP_SIZE * 3))
    await writer.close()


async def test_nothing_is_said_to_be_durable_while_the_disk_is_full_and_all_is_once_it_is_not() -> None:
    disk = Disk()
    writer = ThreadWriter(disk.commit, retry_s=0.01)
    disk.refusing = StoreUnwritable("database or disk is full")
    futures = [writer.submit(numbered(seq), urgent=True) for seq in range(3)]
    while disk.tries < 3:
        await asyncio.wait(futures, timeout=0.01)
    assert not any(future.done() for future in futures)
    assert writer.degraded == "database or disk is full"
    assert writer.waiting == 3
    disk.refusing = None
    await asyncio.gather(*futures)
    assert writer.degraded is None
    assert [seq for batch in disk.batches for seq in batch] == [0, 1, 2]
    await writer.close()


@pytest.mark.parametrize("failure", [StoreError("claims overlap"), ZeroDivisionError("a fault of ours")])
async def test_a_commit_that_fails_for_good_fails_everything_that_waits_and_ends_the_writer(
    failure: Exception,
) -> None:
    disk = Disk()
    writer = ThreadWriter(disk.commit)
    disk.refusing = failure
    disk.held.clear()
    futures = [writer.submit(numbered(seq), urgent=True) for seq in range(5)]
    disk.held.set()
    with pytest.raises(type(failure)):
        await writer.failed()
    for future in futures:
        with pytest.raises(type(failure)):
            await future
    with pytest.raises(StoreError):
        await writer.submit(numbered(9), urgent=True)
    await writer.close()


async def test_closing_writes_what_waits() -> None:
    disk = Disk()
    writer = ThreadWriter(disk.commit)
    future = writer.submit(numbered(1), urgent=False)
    await writer.close()
    assert future.done()
    assert disk.batches == [[1]]


async def test_closing_does_not_wait_for_a_full_disk() -> None:
    disk = Disk()
    disk.refusing = StoreUnwritable("read-only")
    writer = ThreadWriter(disk.commit, retry_s=60)
    future = writer.submit(numbered(1), urgent=True)
    await asyncio.wait_for(writer.close(), timeout=5)
    with pytest.raises(StoreUnwritable):
        await future


async def test_the_inline_writer_behaves_alike() -> None:
    disk = Disk()
    writer = InlineWriter(disk.commit)
    disk.refusing = StoreUnwritable("full")
    future = writer.submit(numbered(1), urgent=False)
    assert (future.done(), writer.degraded, writer.waiting) == (False, "full", 1)
    disk.refusing = None
    writer.retry()
    assert (future.done(), writer.degraded, disk.batches) == (True, None, [[1]])
    disk.refusing = StoreError("refused")
    failed = writer.submit(numbered(2), urgent=False)
    with pytest.raises(StoreError):
        await failed
    with pytest.raises(StoreError):
        await writer.failed()


async def test_a_lock_held_by_another_program_is_a_degraded_disk_that_recovers(premises: Premises) -> None:
    store = premises.open_file()
    store._database.conn.execute("PRAGMA busy_timeout = 10")
    writer = ThreadWriter(store.commit, retry_s=0.01)
    ledger = premises.start(writer)
    await ledger.durable()
    other = sqlite3.connect(premises.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    change, stay, _ = premises.admit(ledger)
    future = ledger.commit(change, urgent=True)
    while ledger.degraded is None:
        await asyncio.wait({future}, timeout=0.01)
    assert not ledger.may_sell
    assert not future.done()
    other.execute("ROLLBACK")
    other.close()
    await future
    assert ledger.degraded is None
    assert ledger.open_stay(stay.credential) == stay


async def test_a_disk_without_room_sells_nothing_and_recovers_by_itself(premises: Premises) -> None:
    store = premises.open_file()
    writer = ThreadWriter(store.commit, retry_s=0.01)
    ledger = premises.start(writer)
    await ledger.durable()
    store._database.conn.execute("PRAGMA max_page_count = 1")
    kept: list[asyncio.Future[None]] = []
    while ledger.degraded is None:
        future = ledger.commit(Change(meta={f"k{len(kept)}": "x" * 4_000}), urgent=True)
        kept.append(future)
        await asyncio.wait({future}, timeout=0.2)
    assert "full" in (ledger.degraded or "")
    assert not ledger.may_sell
    store._database.conn.execute("PRAGMA max_page_count = 1000000")
    await asyncio.gather(*kept)
    assert ledger.may_sell
