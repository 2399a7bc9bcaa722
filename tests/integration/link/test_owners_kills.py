"""A centre that dies on either side of giving spots away, and a driver at the full lot who waits for them: they arrive once, or never left."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from cloud.database import connect
from cloud.reservations.transfers import AFTER_COMMIT, BEFORE_COMMIT
from edge.change import Change
from edge.enrolment import ask
from parking.book import ClaimRequest, Sale
from parking.claims import ClaimKind
from parking.ids import ClaimId
from parking.interval import Interval
from parking.lot import SpotType, Tier
from sync.keys import SigningKey
from tests.integration.cloud.cloud_process import CloudProcess, invite
from tests.integration.cloud.conftest import LOT
from tests.integration.edge.linked_unit import Unit, eventually, linked_unit

REGULAR = SpotType.REGULAR
KEY = SigningKey.from_seed(b"k" * 32)
SPOTS, SHARE = 20, 2


def owners_at_the_centre(database_url: str) -> dict[str, int]:
    with connect(database_url) as connection:
        rows = connection.execute(
            b"SELECT owner, count(*)::int AS n FROM parking_spots GROUP BY owner"
        ).fetchall()
    return {row["owner"]: row["n"] for row in rows}


def owned(unit: Unit, tier: Tier) -> int:
    return sum(unit.ledger.book.owner(spot.id) is tier for spot in unit.ledger.lot.spots)


def sell_out(unit: Unit) -> int:
    """Walk-ins until none is left; how many there were."""
    for sold in range(SPOTS + 1):
        now = unit.clock.now()
        asked = ClaimRequest(
            id=ClaimId(str(uuid4())),
            type=REGULAR,
            window=Interval(now, now + timedelta(hours=4)),
            kind=ClaimKind.WALK_IN,
            holder_kind="stay",
            holder_id=str(uuid4()),
            epoch=1,
        )
        sale = unit.ledger.book.sell(asked, now=now)
        if not isinstance(sale, Sale):
            return sold
        unit.ledger.commit(Change.record(at=now, claims=sale.claims))
    raise AssertionError("more cars than spots")


async def killed(cloud: CloudProcess, unit: Unit, label: str) -> None:
    """The centre dies at `label` of the transfer that a driver asks for."""
    await cloud.end(signal.SIGKILL)
    cloud.failpoint = f"{label}:1"
    await cloud.start(port=cloud.port)
    await eventually(lambda: unit.link.status.state == "up", within_s=60)
    assert not await unit.owners.borrow(REGULAR), "its answer never came"
    assert await cloud.ended() == -signal.SIGKILL
    cloud.failpoint = ""


async def test_a_centre_that_dies_while_it_gives_spots_gives_them_once_or_not_at_all(
    database_url: str, tmp_path: Path
) -> None:
    cloud = CloudProcess(database_url=database_url, folder=tmp_path)
    await cloud.start()
    url = f"ws://127.0.0.1:{cloud.port}/api/v1/link"
    code = (await invite(database_url)).strip()
    enrolment = await asyncio.to_thread(ask, url, code=code, public_key=KEY.public)
    lot = linked_unit(
        tmp_path / "ledger.sqlite", url, gateway=enrolment.gateway, key=KEY, epoch=enrolment.epoch, lot=LOT, spots=SPOTS
    )  # fmt: skip
    async with lot as unit:
        await eventually(lambda: owned(unit, Tier.CLOUD) == SHARE, within_s=60)
        assert sell_out(unit) == SPOTS - SHARE

        await killed(cloud, unit, BEFORE_COMMIT)
        assert owners_at_the_centre(database_url) == {"edge": SPOTS - SHARE, "cloud": SHARE}

        await killed(cloud, unit, AFTER_COMMIT)
        left = {"edge": SPOTS - SHARE, "cloud": SHARE - 1, "in_flight": 1}
        assert owners_at_the_centre(database_url) == left, "it was committed and never said"

        await cloud.start(port=cloud.port)
        arrived = {"edge": SPOTS - SHARE + 1, "cloud": SHARE - 1}
        await eventually(lambda: owners_at_the_centre(database_url) == arrived, within_s=60)
        assert (owned(unit, Tier.EDGE), owned(unit, Tier.CLOUD)) == (SPOTS - SHARE + 1, SHARE - 1)
        assert sell_out(unit) == 1
        assert not unit.owners.counts["broken"]
    await cloud.end()
