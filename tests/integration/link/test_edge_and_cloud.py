"""The two tiers on the real things: the edge's ledger on SQLite and its link, the cloud as a process on PostgreSQL."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud.database import connect
from edge.enrolment import Enrolment, ask
from sync.keys import SigningKey
from tests.integration.cloud.cloud_process import CloudProcess
from tests.integration.cloud.conftest import LOT
from tests.integration.edge.linked_unit import Unit, eventually, linked_unit

KEY = SigningKey.from_seed(b"u" * 32)


@dataclass
class Both:
    """A cloud process and a unit enrolled with it."""

    cloud: CloudProcess
    unit: Unit
    enrolment: Enrolment

    def one(self, sql: str) -> object:
        with connect(self.cloud.database_url) as connection:
            row = connection.execute(sql.encode()).fetchone()
        assert row is not None
        (value,) = row.values()
        return value

    async def drain(self) -> None:
        ledger = self.unit.ledger
        await eventually(
            lambda: ledger.acknowledged_seq == ledger.last_seq and not ledger.dirty_spot_states(1),
            within_s=60,
        )

    def assert_one_system(self) -> None:
        rows = self.unit.ledger.log_page(0, 1_000_000)
        with connect(self.cloud.database_url) as connection:
            held = connection.execute(b"SELECT seq, hash, body FROM gateway_inbox ORDER BY seq").fetchall()
        assert [(row["seq"], bytes(row["hash"]), bytes(row["body"])) for row in held] == [
            (row.seq, row.hash, row.body) for row in rows
        ]
        assert self.one("SELECT acknowledged_seq FROM gateways") == rows[-1].seq


@pytest.fixture
async def both(database_url: str, tmp_path: Path) -> AsyncIterator[Both]:
    cloud = CloudProcess(database_url=database_url, folder=tmp_path)
    await cloud.start()
    _, code = await cloud.run("gateways", "invite", "--lot", LOT)
    url = f"ws://127.0.0.1:{cloud.port}/api/v1/link"
    enrolment = ask(url, code=code.strip(), public_key=KEY.public)
    async with linked_unit(
        tmp_path / "ledger.sqlite",
        url,
        gateway=enrolment.gateway,
        key=KEY,
        epoch=enrolment.epoch,
        lot=enrolment.lot,
    ) as unit:
        yield Both(cloud=cloud, unit=unit, enrolment=enrolment)
    await cloud.end()


async def test_an_enrolled_unit_gets_its_keys_and_its_log_arrives(both: Both) -> None:
    both.unit.log(30)
    both.unit.sense(1)
    await both.drain()
    await eventually(lambda: len(both.unit.keys) == 1)
    assert {key.public for key in both.unit.keys[0]} == {KEY.public, both.enrolment.cloud_public_key}
    both.assert_one_system()


async def test_a_cloud_killed_while_a_backlog_drains_applies_every_row_once(both: Both) -> None:
    ledger = both.unit.ledger
    both.unit.log(2_000)
    for _ in range(3):
        before = ledger.acknowledged_seq
        await eventually(lambda before=before: ledger.acknowledged_seq > before)  # type: ignore[misc]  # bound now
        await both.cloud.end(signal.SIGKILL)
        both.unit.log(500)
        await both.cloud.start(port=both.cloud.port)
    await both.drain()
    both.assert_one_system()
    assert both.unit.link.status.connections >= 4
