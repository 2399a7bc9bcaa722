"""The seam on the real things: two cloud processes on PostgreSQL, the edge's ledger on SQLite, a driver who books over HTTP."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from cloud.bootstrap import build_cloud
from cloud.database import connect
from cloud.reservations.beginning import BEGIN_AFTER_COMMIT
from cloud.settings import CloudSettings
from edge.enrolment import ask
from parking.claims import ClaimKind, ClaimState
from sync.keys import SigningKey
from tests.integration.cloud.booking_lot import BEARER, Driver, at_port, tariff_of
from tests.integration.cloud.cloud_process import CloudProcess
from tests.integration.cloud.conftest import LOT, NOON
from tests.integration.edge.linked_unit import Unit, eventually, linked_unit

KEY = SigningKey.from_seed(b"b" * 32)


@dataclass
class Seam:
    """A lot of five places whose link is at `cloud`, and another process of the centre, `other`."""

    cloud: CloudProcess
    other: CloudProcess
    unit: Unit

    def one(self, sql: str) -> Any:
        with connect(self.cloud.database_url) as connection:
            row = connection.execute(sql.encode()).fetchone()
        assert row is not None
        (value,) = row.values()
        return value

    def firm_here(self) -> int:
        return sum(
            claim.state is ClaimState.FIRM and claim.kind is ClaimKind.BOOKING
            for claim in self.unit.ledger.book.claims()
        )

    async def agree(self) -> None:
        """Both tiers have decided everything, alike."""
        await eventually(
            lambda: (
                not self.unit.commitments.doubts()
                and self.unit.ledger.acknowledged_seq == self.unit.ledger.last_seq
                and self.one("SELECT count(*) FROM reservations WHERE untold OR state = 'preparing'") == 0
            ),
            within_s=40,
        )
        with connect(self.cloud.database_url) as connection:
            rows = connection.execute(
                b"SELECT id::text, spot_id::text, state, version FROM claims WHERE state <> 'released' ORDER BY id"
            ).fetchall()
        known = sorted(
            (claim.id, claim.spot, str(claim.state), claim.version)
            for claim in self.unit.ledger.book.claims()
        )
        assert [tuple(row.values()) for row in rows] == known
        assert self.one("SELECT count(*) FROM conflicts") == 0


@pytest.fixture
async def seam(database_url: str, tmp_path: Path) -> AsyncIterator[Seam]:
    cloud = CloudProcess(database_url=database_url, folder=tmp_path)
    await cloud.start()
    other = CloudProcess(database_url=database_url, folder=tmp_path)
    await other.start()
    _, code = await cloud.run("gateways", "invite", "--lot", LOT)
    built = build_cloud(CloudSettings(database_url=database_url, pool_min=1, pool_max=1), {})
    async with built.database:
        await built.gateways.put_tariff(UUID(LOT), tariff_of("0"), NOON - timedelta(days=1))
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
        made = Seam(cloud=cloud, other=other, unit=unit)
        await eventually(lambda: made.one("SELECT count(*) FROM parking_spots") == 5)
        await eventually(
            lambda: (
                made.one("SELECT count(*) FROM gateways WHERE last_heard_at > now() - interval '9 s'") == 1
            )
        )
        yield made
    await cloud.end()
    await other.end()


async def test_a_booking_at_any_process_is_voted_by_the_real_lot_and_firm_on_both_sides(seam: Seam) -> None:
    async with at_port(seam.other) as client:
        answer = await Driver(client=client).book()
    assert answer.status_code == 200, answer.text
    await seam.agree()
    assert seam.firm_here() == 1


async def test_of_twelve_drivers_at_two_processes_five_get_the_five_places(seam: Seam) -> None:
    async with at_port(seam.cloud) as one, at_port(seam.other) as other:
        drivers = [Driver(client=client) for client in (one, other) for _ in range(6)]
        drafts = [(driver, await driver.draft()) for driver in drivers]
        answers = await asyncio.gather(*(driver.confirm(drafted["id"]) for driver, drafted in drafts))
    assert Counter(answer.status_code for answer in answers) == {200: 5, 409: 7}
    await seam.agree()
    assert seam.firm_here() == 5


async def test_a_cancelled_booking_frees_the_place_on_both_sides(seam: Seam) -> None:
    async with at_port(seam.cloud) as client:
        driver = Driver(client=client)
        booked = (await driver.book()).json()
        assert (await driver.cancel(booked["id"])).status_code == 202
        await eventually(lambda: seam.one("SELECT status FROM reservations") == "cancelled")
    await seam.agree()
    assert seam.firm_here() == 0


async def test_the_work_of_a_process_that_died_after_its_begin_is_taken_over(
    seam: Seam, tmp_path: Path
) -> None:
    dying = CloudProcess(
        database_url=seam.cloud.database_url, folder=tmp_path, failpoint=f"{BEGIN_AFTER_COMMIT}:1"
    )
    await dying.start()
    async with at_port(seam.other) as client:
        drafted = await Driver(client=client).draft()
    async with at_port(dying) as client:
        with pytest.raises(Exception):  # noqa: B017, PT011 - however a client sees a server die
            await Driver(client=client).confirm(drafted["id"])
    assert await dying.ended() == -signal.SIGKILL
    async with at_port(seam.other) as client:
        assert (await Driver(client=client).confirm(drafted["id"])).json()["status"] == "active"
    await seam.agree()
    assert seam.firm_here() == 1


async def test_a_booking_grows_and_shrinks_on_both_sides_and_the_lot_frees_what_was_given_up(
    seam: Seam,
) -> None:
    async with at_port(seam.other) as client:
        driver = Driver(client=client)
        booked = (await driver.book()).json()
        starts_at, ends_at = driver.starts_at, driver.starts_at + timedelta(hours=2)

        async def change(until: timedelta) -> httpx.Response:
            window = {"starts_at": starts_at.isoformat(), "ends_at": (ends_at + until).isoformat()}
            return await client.put(f"/api/v1/reservations/{booked['id']}", json=window, headers=BEARER)

        grown = await change(timedelta(hours=1))
        assert (grown.status_code, grown.json()["revision"]) == (200, 2), grown.text
        await seam.agree()
        assert seam.firm_here() == 2
        assert len({claim.spot for claim in seam.unit.ledger.book.claims()}) == 1, (
            "the added hour is beside it"
        )
        shrunk = await change(timedelta(hours=-1))
        assert (shrunk.status_code, shrunk.json()["revision"]) == (200, 3), shrunk.text
        await eventually(lambda: seam.firm_here() == 1)
        await seam.agree()
        (claim,) = seam.unit.ledger.book.claims()
        assert claim.window.ends_at == ends_at - timedelta(hours=1)
        assert seam.one("SELECT upper(during) FROM claims WHERE state = 'firm'") == claim.window.ends_at
        assert seam.unit.commitments.newest_revision(booked["id"]) == 3
        assert (await driver.get(f"{booked['id']}/pass")).json()["revision"] == 3
