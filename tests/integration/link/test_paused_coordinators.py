"""Complaint row 16: coordinators die, stand still and wake up, as real processes: one decision, and a stale lease writes nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cloud.bootstrap import build_cloud
from cloud.database import connect
from cloud.settings import CloudSettings
from tests.integration.cloud.booking_lot import Driver, VotingLot, at_port, give_to_the_cloud, tariff_of
from tests.integration.cloud.cloud_process import CloudProcess, Gateway
from tests.integration.cloud.conftest import LOT, NOON

WITHIN_S = 60.0


@dataclass
class Two:
    """Two processes of the centre: the driver asks the first, the lot's line is with the second."""

    asked: CloudProcess
    other: CloudProcess
    lot: VotingLot
    driver: Driver

    def send(self, process: CloudProcess, how: signal.Signals) -> None:
        assert process.process is not None
        process.process.send_signal(how)

    def one(self, sql: str) -> Any:
        with connect(self.asked.database_url) as connection:
            row = connection.execute(sql.encode()).fetchone()
        assert row is not None
        (value,) = row.values()
        return value

    async def until(self, sql: str, wanted: object) -> None:
        async with asyncio.timeout(WITHIN_S):
            while self.one(sql) != wanted:  # noqa: ASYNC110 - the database tells nobody of these
                await asyncio.sleep(0.02)


@pytest.fixture
async def two(database_url: str, tmp_path: Path) -> AsyncIterator[Two]:
    asked = CloudProcess(database_url=database_url, folder=tmp_path)
    other = CloudProcess(database_url=database_url, folder=tmp_path)
    await asked.start()
    await other.start()
    gateway = Gateway()
    await gateway.enrol(other)
    here = build_cloud(CloudSettings(database_url=database_url, pool_min=1, pool_max=1), {})
    async with here.database:
        await here.gateways.put_tariff(UUID(LOT), tariff_of("0"), NOON - timedelta(days=1))
    await gateway.open(other)
    lot = VotingLot(gateway=gateway)
    lot.start()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(at_port(asked))
        client.timeout = WITHIN_S
        yield Two(asked=asked, other=other, lot=lot, driver=Driver(client=client))
    await lot.stop()
    await gateway.hang_up()
    for process in (asked, other):
        if process.process is not None and process.process.returncode is None:
            process.process.send_signal(signal.SIGCONT)
        await process.end()


async def test_a_coordinator_that_stands_still_is_taken_over_and_writes_nothing_when_it_wakes(
    two: Two,
) -> None:
    two.lot.mute = True
    drafted = await two.driver.draft()
    asking = asyncio.create_task(two.driver.confirm(drafted["id"]))
    await two.until("SELECT count(*) FROM reservations WHERE state = 'preparing'", 1)
    two.send(two.asked, signal.SIGSTOP)
    first = two.one("SELECT lease_holder FROM reservations")
    await two.until("SELECT lease_token FROM reservations", 2)
    assert two.one("SELECT lease_holder FROM reservations") != first
    two.lot.mute = False
    if two.one("SELECT state FROM reservations") == "preparing":
        await two.lot.vote(two.lot.prepares[-1])
    await two.until(
        "SELECT count(*) FROM reservations WHERE state IN ('committed', 'aborted') AND NOT untold", 1
    )
    row = "SELECT (state, lease_token, lease_holder, ballots, updated_at)::text FROM reservations"
    decided = two.one(row)
    two.send(two.asked, signal.SIGCONT)
    answer = await asking
    committed = two.one("SELECT state FROM reservations") == "committed"
    assert answer.status_code == (200 if committed else 409)
    again = await two.driver.confirm(drafted["id"])
    assert again.status_code == answer.status_code
    assert two.one(row) == decided
    assert two.one("SELECT count(*) FROM claims WHERE state = 'firm'") == int(committed)
    assert len({(told.outcome, told.revision) for told in two.lot.decisions}) == 1


async def test_a_coordinator_that_is_killed_in_the_middle_is_taken_over_in_time(two: Two) -> None:
    two.lot.mute = True
    drafted = await two.driver.draft()
    asking = asyncio.create_task(two.driver.confirm(drafted["id"]))
    await two.until("SELECT count(*) FROM reservations WHERE state = 'preparing'", 1)
    assert await two.asked.end(signal.SIGKILL) == -signal.SIGKILL
    await asyncio.gather(asking, return_exceptions=True)
    two.lot.mute = False
    await two.until(
        "SELECT count(*) FROM reservations WHERE state IN ('committed', 'aborted') AND NOT untold", 1
    )
    committed = two.one("SELECT state FROM reservations") == "committed"
    assert two.one("SELECT count(*) FROM claims WHERE state = 'firm'") == int(committed)
    async with at_port(two.other) as client:
        answer = await Driver(client=client).confirm(drafted["id"])
    assert answer.status_code == (200 if committed else 409)


async def test_a_line_whose_process_was_killed_is_asked_for_nothing_and_nobody_waits_for_it(two: Two) -> None:
    drafts = [await two.driver.draft() for _ in range(2)]
    assert await two.other.end(signal.SIGKILL) == -signal.SIGKILL
    await two.until("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", 1)
    assert two.one("SELECT count(*) FROM gateways WHERE disconnected_at IS NULL") == 1
    lost = await two.driver.confirm(drafts[0]["id"])
    assert (lost.status_code, lost.json()["reason"]) == (409, "link_down")
    assert (
        two.one("SELECT count(*) FROM reservations WHERE deadline_at IS NOT NULL AND state <> 'draft'") == 0
    )
    give_to_the_cloud(two.asked.database_url, "R-001")
    booked = await two.driver.confirm(drafts[1]["id"])
    assert (booked.status_code, booked.json()["revision"]) == (200, 1), booked.text
    assert two.one("SELECT sold_by FROM claims") == "cloud"
