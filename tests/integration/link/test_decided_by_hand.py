"""A doubt that a person on site ends while the line is dead, compared when it is back: on the real ledger, the real centre, a line that loses the decision."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cloud.bootstrap import build_cloud
from cloud.database import connect
from cloud.settings import CloudSettings
from edge.enrolment import ask
from simulators.decision_cut import DecisionCut
from simulators.network import Line
from sync.keys import SigningKey
from sync.part import ParticipantState
from sync.transaction import Outcome, TransactionId
from tests.integration.cloud.booking_lot import Driver, at_port, tariff_of
from tests.integration.cloud.cloud_process import CloudProcess
from tests.integration.cloud.conftest import LOT, NOON
from tests.integration.edge.linked_unit import Unit, eventually, linked_unit

KEY = SigningKey.from_seed(b"h" * 32)
REASON = "the driver stands here and the line is dead"


@dataclass
class Site:
    """A lot behind a line that can lose a decision."""

    cloud: CloudProcess
    line: Line
    cut: DecisionCut
    unit: Unit

    def one(self, sql: str) -> Any:
        with connect(self.cloud.database_url) as connection:
            row = connection.execute(sql.encode()).fetchone()
        assert row is not None
        (value,) = row.values()
        return value

    async def doubt(self) -> TransactionId:
        """A booking that the driver has, and whose decision the lot does not hear: the line is dead from then on."""
        self.cut.arm(self.line)
        async with at_port(self.cloud) as client:
            booked = await Driver(client=client).book()
        assert booked.status_code == 200, booked.text
        assert await self.cut.struck(10)
        self.line.cut()
        transaction = TransactionId(reservation=booked.json()["id"], revision=1)
        assert self.state(transaction) is ParticipantState.PREP
        return transaction

    def state(self, transaction: TransactionId) -> ParticipantState:
        return next(part.state for part in self.unit.ledger.parts() if part.id == transaction)

    async def reconnected(self) -> None:
        """The line is back and both sides have heard everything."""
        self.line.restore()
        ledger = self.unit.ledger
        await eventually(
            lambda: (
                not self.unit.commitments.doubts()
                and ledger.acknowledged_seq == ledger.last_seq
                and self.one("SELECT count(*) FROM reservations WHERE untold") == 0
            ),
            within_s=60,
        )


@pytest.fixture
async def site(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    cloud = CloudProcess(database_url=database_url, folder=tmp_path)
    await cloud.start()
    _, code = await cloud.run("gateways", "invite", "--lot", LOT)
    built = build_cloud(CloudSettings(database_url=database_url, pool_min=1, pool_max=1), {})
    async with built.database:
        await built.gateways.put_tariff(UUID(LOT), tariff_of("0"), NOON - timedelta(days=1))
    enrolment = ask(f"ws://127.0.0.1:{cloud.port}/api/v1/link", code=code.strip(), public_key=KEY.public)
    cut = DecisionCut()
    line = Line("127.0.0.1", cloud.port, filters=cut.filters)
    await line.start()
    async with linked_unit(
        tmp_path / "ledger.sqlite",
        f"ws://127.0.0.1:{line.port}/api/v1/link",
        gateway=enrolment.gateway,
        key=KEY,
        epoch=enrolment.epoch,
        lot=enrolment.lot,
    ) as unit:
        made = Site(cloud=cloud, line=line, cut=cut, unit=unit)
        await eventually(lambda: made.one("SELECT count(*) FROM parking_spots") == 5)
        await eventually(lambda: made.one("SELECT count(last_heard_at) FROM gateways") == 1)
        yield made
    await line.stop()
    await cloud.end()


async def test_a_person_who_decides_as_the_centre_did_is_right_and_nobody_is_told(site: Site) -> None:
    transaction = await site.doubt()
    assert site.unit.commitments.decided_by_hand(transaction, Outcome.COMMITTED, by="Ada", reason=REASON)
    assert site.state(transaction) is ParticipantState.COMM_BY_HAND
    await site.reconnected()
    assert site.state(transaction) is ParticipantState.COMM
    assert site.one("SELECT count(*) FROM conflicts") == 0
    assert site.unit.ledger.book.claims()[0].holder_id == transaction.reservation


async def test_a_person_who_decided_otherwise_is_compared_at_reconnection_and_the_centre_is_told_of_it(
    site: Site,
) -> None:
    transaction = await site.doubt()
    assert site.unit.commitments.decided_by_hand(transaction, Outcome.ABORTED, by="Ada", reason=REASON)
    assert site.state(transaction) is ParticipantState.ABRT_BY_HAND
    assert list(site.unit.ledger.book.claims()) == []
    await site.reconnected()
    assert site.state(transaction) is ParticipantState.COMM, "what the centre decided stands"
    (kept,) = site.unit.ledger.book.claims()
    assert kept.holder_id == transaction.reservation
    found = site.one("SELECT detail::text FROM conflicts WHERE kind = 'decided_otherwise_by_hand'")
    assert transaction.reservation in found
    assert "by hand" in found
    told = bytes(site.one("SELECT body FROM gateway_inbox WHERE kind = 'aborted'"))
    assert b"Ada" in told
    assert REASON.encode() in told
