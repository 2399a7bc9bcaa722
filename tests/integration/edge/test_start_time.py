"""A 14-day log (170,000 rows) does not delay the start (issue section 8: under 3 s with imports and all)."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from edge.change import Change, fact
from edge.ledger import Ledger
from sync.events import EventKind
from sync.instants import to_us
from tests.integration.edge.conftest import Premises

ROWS = 170_000


async def fill(premises: Premises, rows: int) -> Ledger:
    ledger = premises.start()
    for _ in range(3):
        change, _, _ = premises.admit(ledger)
        await ledger.commit(change)
    at_us = to_us(premises.clock.now())
    while ledger.last_seq < rows:
        facts = (
            fact(EventKind.GATE_MOVED, at_us, lane="entry-1", move="open", why="granted " + "x" * 250)
            for _ in range(5_000)
        )
        await ledger.commit(Change(events=tuple(facts)))
    return ledger


@pytest.mark.parametrize("acknowledged", [True, False])
async def test_a_fourteen_day_log_starts_within_seconds(premises: Premises, acknowledged: bool) -> None:
    ledger = await fill(premises, ROWS)
    if acknowledged:
        await ledger.acknowledge(ledger.last_seq, ledger.last_hash)
    await ledger.close()
    began = time.perf_counter()
    again = premises.start()
    took_s = time.perf_counter() - began
    assert len(again.open_stays()) == 3
    assert took_s < 3, f"{took_s:.2f} s with {premises.path.stat().st_size / 1e6:.0f} MB"


async def test_a_start_reads_no_body_of_what_is_acknowledged(premises: Premises) -> None:
    ledger = await fill(premises, 5_000)
    middle = ledger.log_page(2_499, 1)[0]
    await ledger.acknowledge(middle.seq, middle.hash)
    await ledger.close()
    connection = premises.open_file()._database.conn
    connection.execute("UPDATE log SET body = x'00' WHERE seq <= 2500")
    premises.store.close()
    premises.clock.at += timedelta(days=1)
    again = premises.start()
    assert again.losses == ()
    assert again.backlog == again.last_seq - 2_500
