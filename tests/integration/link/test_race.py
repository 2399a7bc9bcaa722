"""Complaint row 1 in small: 64 racers at two real processes of the centre for one place that the cloud owns, round after round."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from cloud.bootstrap import build_cloud
from cloud.database import connect
from cloud.settings import CloudSettings
from tests.integration.cloud.booking_lot import Driver, at_port, give_to_the_cloud, tariff_of
from tests.integration.cloud.cloud_process import CloudProcess, Gateway
from tests.integration.cloud.conftest import LOT, NOON

RACERS = 64
ROUNDS = 3


@pytest.fixture
async def centre(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[CloudProcess, CloudProcess]]:
    first = CloudProcess(database_url=database_url, folder=tmp_path)
    second = CloudProcess(database_url=database_url, folder=tmp_path)
    await first.start()
    await second.start()
    built = build_cloud(CloudSettings(database_url=database_url, pool_min=1, pool_max=1), {})
    gateway = Gateway()
    await gateway.enrol(first)
    async with built.database:
        await built.gateways.put_tariff(UUID(LOT), tariff_of("0"), NOON - timedelta(days=1))
    await gateway.open(first)
    await gateway.hang_up()
    give_to_the_cloud(database_url, "R-001")
    async with asyncio.timeout(20):
        while one(database_url, "SELECT count(*) FROM gateways WHERE disconnected_at IS NULL"):  # noqa: ASYNC110 - told nowhere
            await asyncio.sleep(0.02)
    yield first, second
    await first.end()
    await second.end()


def one(database_url: str, sql: str) -> Any:
    with connect(database_url) as connection:
        row = connection.execute(sql.encode()).fetchone()
    assert row is not None
    (value,) = row.values()
    return value


async def test_one_place_is_sold_once_to_64_racers_at_two_processes_and_every_loser_hears_alternatives(
    centre: tuple[CloudProcess, CloudProcess],
) -> None:
    loop = asyncio.get_running_loop()
    slowest_s = 0.0
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(at_port(process)) for process in centre]

        async def raced(driver: Driver, reservation: str) -> httpx.Response:
            nonlocal slowest_s
            began_s = loop.time()
            answer = await driver.confirm(reservation)
            slowest_s = max(slowest_s, loop.time() - began_s)
            return answer

        for n in range(ROUNDS):
            drivers = [Driver(client=clients[racer % 2]) for racer in range(RACERS)]
            for driver in drivers:
                driver.starts_at = driver.starts_at.replace(minute=0) + timedelta(hours=4 * n)
            drafts = [(driver, await driver.draft()) for driver in drivers]
            answers = await asyncio.gather(*(raced(driver, drafted["id"]) for driver, drafted in drafts))
            assert Counter(answer.status_code for answer in answers) == {200: 1, 409: RACERS - 1}
            losers = [answer.json() for answer in answers if answer.status_code == 409]
            assert all(told["reason"] == "full" and "alternatives" in told for told in losers)
    database_url = centre[0].database_url
    assert one(database_url, "SELECT count(*) FROM claims WHERE state = 'firm'") == ROUNDS
    assert one(database_url, "SELECT count(*) FROM claims WHERE state = 'held'") == 0
    assert slowest_s < 5, f"{slowest_s:.3f} s, on a machine that others use too"
