"""The centre dies at random moments under load; nothing acknowledged is lost, nothing is applied twice."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.exceptions import WebSocketException

from cloud.database import connect
from sync.messages import PageAck
from tests.integration.cloud.cloud_process import CloudProcess, Gateway
from tests.integration.cloud.conftest import claim, stay

ROWS = 30


async def drain(gateway: Gateway, process: CloudProcess) -> None:
    """Send what is not acknowledged, a few rows at a time, until all of it is."""
    welcome = await gateway.open(process)
    at = welcome.acknowledged_seq
    while at < len(gateway.log.rows):
        last = min(at + 4, len(gateway.log.rows))
        await gateway.say(gateway.page(at + 1, last))
        gateway.acknowledged = await gateway.next(PageAck)
        at = last


async def killed_while_draining(process: CloudProcess, gateway: Gateway, delay_s: float) -> None:
    draining = asyncio.create_task(drain(gateway, process))
    await asyncio.wait({draining}, timeout=delay_s)
    await process.end(signal.SIGKILL)
    await asyncio.wait({draining}, timeout=20)
    if not draining.cancelled() and draining.exception() is not None:
        assert isinstance(draining.exception(), (OSError, WebSocketException)), draining.exception()


@pytest.fixture
async def process(database_url: str, tmp_path: Path) -> AsyncIterator[CloudProcess]:
    made = CloudProcess(database_url=database_url, folder=tmp_path)
    yield made
    await made.end(signal.SIGKILL)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.proof)])
async def test_a_centre_killed_at_random_moments_loses_and_doubles_nothing(
    database_url: str, process: CloudProcess, kills: int
) -> None:
    seed = 20261124
    moments = random.Random(seed)
    gateway = Gateway()
    for kill in range(kills):
        await process.start()
        if not gateway.id:
            await gateway.enrol(process)
        for number in range(ROWS):
            hour = 8 * (kill * ROWS + number)
            gateway.log.claim(claim("R-001", starts=hour, ends=hour + 4))
            gateway.log.stay("stay_entered", stay())
        before = gateway.acknowledged
        await killed_while_draining(process, gateway, moments.uniform(0.0, 0.3))
        with connect(database_url) as connection:
            row = connection.execute(b"SELECT acknowledged_seq FROM gateways").fetchone()
        assert row is not None
        told = gateway.acknowledged
        assert told is None or row["acknowledged_seq"] >= told.seq >= (before.seq if before else 0), (
            f"seed {seed}"
        )
    await process.start()
    await drain(gateway, process)
    await gateway.hang_up()
    await process.end()
    with connect(database_url) as connection:
        held = connection.execute(b"SELECT seq, hash, body FROM gateway_inbox ORDER BY seq").fetchall()
        counts = connection.execute(
            b"SELECT (SELECT events_applied FROM gateways) AS applied, (SELECT count(*) FROM claims) AS claims,"
            b" (SELECT count(*) FROM stays) AS stays, (SELECT count(*) FROM conflicts) AS conflicts,"
            b" (SELECT count(*) FROM event_outbox WHERE kind = 'StayOpened') AS told"
        ).fetchone()
    assert [(row["seq"], bytes(row["hash"]), bytes(row["body"])) for row in held] == [
        (row.seq, row.hash, row.body) for row in gateway.log.rows
    ]
    rows = kills * ROWS
    assert counts == {"applied": 2 * rows, "claims": rows, "stays": rows, "conflicts": 0, "told": rows}
