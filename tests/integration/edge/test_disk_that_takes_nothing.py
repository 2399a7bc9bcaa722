"""A full or read-only disk, made from outside by a limit on the size of files: degraded, never down, and whole again by itself."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge.errors import StoreUnwritable
from edge.writer import InlineWriter, ThreadWriter
from sync.chain import genesis, verify
from tests.integration.edge.conftest import Premises


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow beyond a page."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_fills_while_the_lot_runs_stops_the_sale_and_nothing_else(
    premises: Premises,
) -> None:
    store = premises.open_file()
    ledger = premises.start(ThreadWriter(store.commit, retry_s=0.02))
    await ledger.durable()
    with full_disk():
        change, stay, _ = premises.admit(ledger)
        future = ledger.commit(change, urgent=True)
        while ledger.degraded is None:
            await asyncio.wait({future}, timeout=0.02)
        assert not ledger.may_sell
        assert not future.done()
        assert ledger.open_stay(stay.credential) == stay  # what happened at the gate is known all the same
    await future
    assert ledger.degraded is None
    assert verify(genesis("gateway-1", 1), ledger.log_page(0, 10)) == ledger.last_hash


@pytest.mark.parametrize("orderly", [True, False])
async def test_the_agent_starts_on_a_full_disk_with_what_the_card_holds_and_goes_on_when_there_is_room(
    premises: Premises, orderly: bool
) -> None:
    ledger = premises.start()
    change, stay, _ = premises.admit(ledger)
    await ledger.commit(change)
    await ledger.close()
    if not orderly:
        premises.path.with_name("ledger.sqlite-shm").unlink(missing_ok=True)
    with full_disk():
        store = premises.open_file()
        writer = InlineWriter(store.commit)
        again = premises.start(writer)
        assert again.degraded is not None
        assert not again.may_sell
        assert again.open_stay(stay.credential) == stay
        left, _, _ = premises.admit(again)
        waiting = again.commit(left, urgent=True)
        with pytest.raises(StoreUnwritable):
            store.commit([])
    writer.retry()
    await waiting
    assert again.degraded is None
    assert len(again.log_page(0, 100)) == again.last_seq
    await again.close()
    third = premises.start()
    assert len(third.open_stays()) == 2
    assert third.losses == ()


async def test_a_first_start_on_a_full_disk_waits_for_room(premises: Premises) -> None:
    with full_disk():
        store = premises.open_file()
        writer = InlineWriter(store.commit)
        ledger = premises.start(writer)
        assert not ledger.may_sell
    writer.retry()
    await ledger.durable()
    assert ledger.may_sell
    assert len(ledger.log_page(0, 10)) == 1
