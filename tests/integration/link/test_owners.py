"""Who may sell which spot, on the real things: a centre on PostgreSQL, a lot of twenty places on SQLite, and the line between them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from cloud.bootstrap import Cloud
from cloud.facts import Origin
from edge.change import Change
from edge.enrolment import ask
from parking.book import ClaimRequest, Sale
from parking.claims import Claim, ClaimKind
from parking.ids import ClaimId
from parking.interval import Interval
from parking.lot import InFlight, SpotType, Tier
from sync.keys import SigningKey
from sync.messages import Transfer
from sync.ownership import TransferState
from tests.integration.cloud.booking_lot import BEARER, Driver, at_port, tariff_of
from tests.integration.cloud.cloud_process import CloudHere, invite
from tests.integration.cloud.conftest import LOT, NOON
from tests.integration.edge.linked_unit import Unit, linked_unit

REGULAR = SpotType.REGULAR
KEY = SigningKey.from_seed(b"o" * 32)
SPOTS, SHARE = 20, 2
WITHIN_S = 60.0


@dataclass
class Seam:
    """A centre here and a lot of twenty regular places whose link can be put up and taken down."""

    cloud: CloudHere
    ledger_file: Path
    gateway: str
    epoch: int
    unit: Unit | None = None
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def built(self) -> Cloud:
        assert self.cloud.cloud is not None
        return self.cloud.cloud

    @property
    def lot(self) -> Unit:
        assert self.unit is not None
        return self.unit

    async def up(self, *, port: int | None = None) -> None:
        """The lot starts; its line goes to the centre, or to a `port` where nobody is."""
        url = f"ws://127.0.0.1:{port or self.cloud.port}/api/v1/link"
        unit = linked_unit(
            self.ledger_file, url, gateway=self.gateway, key=KEY, epoch=self.epoch, lot=LOT, spots=SPOTS
        )
        self.unit = await self.stack.enter_async_context(unit)

    async def down(self) -> None:
        """The lot stops: what is on its disk is all that is left."""
        self.unit = None
        await self.stack.aclose()

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        async with self.built.database.connection() as connection:
            return await (await connection.execute(sql.encode())).fetchall()

    async def one(self, sql: str) -> Any:
        (row,) = await self.rows(sql)
        (value,) = row.values()
        return value

    async def origin(self) -> Origin:
        (row,) = await self.rows("SELECT region, lot_id, id, epoch FROM gateways WHERE state <> 'replaced'")
        return Origin(region=row["region"], lot=row["lot_id"], gateway=row["id"], epoch=row["epoch"])

    def at_the_lot(self) -> Counter[str]:
        """How many spots are whose, by the lot's book."""
        book = self.lot.ledger.book
        owners = [book.owner(spot.id) for spot in self.lot.ledger.lot.spots]
        return Counter("in_flight" if isinstance(owner, InFlight) else str(owner) for owner in owners)

    async def at_the_centre(self) -> Counter[str]:
        rows = await self.rows("SELECT owner, count(*)::int AS n FROM parking_spots GROUP BY owner")
        return Counter({row["owner"]: row["n"] for row in rows})

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not await holds():  # noqa: ASYNC110 - the database's state has no event
                await asyncio.sleep(0.01)

    async def owned(self, *, edge: int) -> None:
        """Wait until both tiers agree: so many spots are the lot's, the others the cloud's, none on its way."""
        want = Counter({"edge": edge, "cloud": SPOTS - edge}) - Counter()
        await self.until(lambda: self._agree(want))
        assert await self.built.audit.look() == 0
        assert await self.one("SELECT count(*) FROM conflicts") == 0
        assert not self.lot.owners.counts["broken"]

    async def _agree(self, want: Counter[str]) -> bool:
        return self.at_the_lot() == want and await self.at_the_centre() == want

    def sell(self, count: int = 1) -> list[Claim]:
        """Walk-ins, each with its claim."""
        sold = []
        for _ in range(count):
            now = self.lot.clock.now()
            asked = ClaimRequest(
                id=ClaimId(str(uuid4())),
                type=REGULAR,
                window=Interval(now, now + timedelta(hours=4)),
                kind=ClaimKind.WALK_IN,
                holder_kind="stay",
                holder_id=str(uuid4()),
                epoch=self.epoch,
            )
            sale = self.lot.ledger.book.sell(asked, now=now)
            if not isinstance(sale, Sale):
                break
            self.lot.ledger.commit(Change.record(at=now, claims=sale.claims))
            sold.append(sale.claim)
        return sold

    def leave(self, *claims: Claim) -> None:
        """Those who had them drive off."""
        gone = [self.lot.ledger.book.release(claim.id) for claim in claims]
        self.lot.ledger.commit(Change.record(at=self.lot.clock.now(), claims=gone))

    async def share(self, share_1e4: int) -> None:
        async with self.built.database.connection() as connection, connection.transaction():
            origin = await self.origin()
            await self.built.lots.lock(connection, origin.region, origin.lot)
            await self.built.transfers.set_share(connection, origin, REGULAR, share_1e4)


@asynccontextmanager
async def a_seam(database_url: str, folder: Path) -> AsyncIterator[Seam]:
    cloud = CloudHere(database_url=database_url, folder=folder)
    await cloud.start()
    code = await invite(database_url)
    url = f"ws://127.0.0.1:{cloud.port}/api/v1/link"
    enrolment = await asyncio.to_thread(ask, url, code=code.strip(), public_key=KEY.public)
    assert cloud.cloud is not None
    await cloud.cloud.gateways.put_tariff(UUID(LOT), tariff_of("0"), NOON - timedelta(days=1))
    made = Seam(
        cloud=cloud,
        ledger_file=folder / "ledger.sqlite",
        gateway=enrolment.gateway,
        epoch=enrolment.epoch,
    )
    try:
        yield made
    finally:
        await made.down()
        await cloud.end()


@pytest.fixture
async def seam(database_url: str, tmp_path: Path) -> AsyncIterator[Seam]:
    async with a_seam(database_url, tmp_path) as made:
        await made.up()
        await made.owned(edge=SPOTS - SHARE)
        yield made


async def test_a_lot_gives_the_cloud_its_share_at_the_first_connection_and_no_more_after_restarts(
    seam: Seam,
) -> None:
    given = seam.lot.owners.counts["given_spots"]
    await seam.down()
    await seam.up()
    await seam.until(lambda: seam_is_open(seam))
    await seam.owned(edge=SPOTS - SHARE)
    assert (given, seam.lot.owners.counts["given_spots"]) == (SHARE, 0)
    assert await seam.one("SELECT count(*) FROM transfers") == 1


async def seam_is_open(seam: Seam) -> bool:
    return seam.lot.link.status.state == "up"


async def test_both_tiers_show_the_same_counts_by_owner(seam: Seam) -> None:
    seam.sell(3)

    async def alike() -> bool:
        rows = await seam.rows("SELECT owner, total, sellable FROM lot_counts_shown")
        shown = {row["owner"]: (row["sellable"], row["total"]) for row in rows}
        ours = seam.lot.ledger.counts()[REGULAR]
        return shown == {"edge": (ours.count, ours.total), "cloud": (SHARE, SHARE)} and ours.count == 15

    await seam.until(alike)


async def test_the_console_shows_what_may_be_sold_in_all_and_how_much_of_it_is_the_centres(
    seam: Seam,
) -> None:
    async with at_port(seam.cloud) as client:
        page = (await client.get(f"/console/lots/{LOT}", headers=BEARER)).text
    assert f'<b>{SPOTS}</b></td><td class="n">{SPOTS}</td><td class="n">{SHARE}</td>' in page


async def test_a_full_lot_borrows_from_the_cloud_until_that_has_none(seam: Seam) -> None:
    assert len(seam.sell(SPOTS)) == SPOTS - SHARE
    for n in range(1, SHARE + 1):
        assert await seam.lot.owners.borrow(REGULAR)
        assert len(seam.sell(2)) == 1
        await seam.owned(edge=SPOTS - SHARE + n)
    assert not await seam.lot.owners.borrow(REGULAR)
    assert seam.lot.owners.counts["unanswered"] == 0


async def test_two_lanes_that_ask_at_once_both_get_a_spot(seam: Seam) -> None:
    seam.sell(SPOTS)
    answers = await asyncio.gather(*(seam.lot.owners.borrow(REGULAR) for _ in range(2)))
    assert answers == [True, True]
    assert len(seam.sell(3)) == 2
    await seam.owned(edge=SPOTS)


async def test_what_was_borrowed_goes_back_when_the_lot_has_more_than_one_to_spare(seam: Seam) -> None:
    sold = seam.sell(SPOTS)
    assert await seam.lot.owners.borrow(REGULAR)
    sold += seam.sell()
    await seam.owned(edge=SPOTS - 1)
    seam.leave(sold[0])
    await seam.until(lambda: all_acknowledged(seam))
    await seam.owned(edge=SPOTS - 1)
    seam.leave(sold[1])
    await seam.owned(edge=SPOTS - SHARE)


async def all_acknowledged(seam: Seam) -> bool:
    return seam.lot.ledger.acknowledged_seq == seam.lot.ledger.last_seq


async def test_nobody_waits_for_the_cloud_where_the_line_is_down(seam: Seam) -> None:
    await seam.down()
    await seam.up(port=9)
    seam.sell(SPOTS)
    assert not await seam.lot.owners.borrow(REGULAR)
    assert seam.lot.owners.counts["asked"] == 0


async def test_with_the_line_up_a_booking_takes_a_spot_of_the_lot_and_the_clouds_own_when_that_is_full(
    seam: Seam,
) -> None:
    async with at_port(seam.cloud) as client:
        assert (await Driver(client=client).book()).status_code == 200
        assert (
            await seam.one("SELECT owner FROM parking_spots JOIN claims ON spot_id = parking_spots.id")
            == "edge"
        )
        for _ in range(SPOTS - 1):
            assert (await Driver(client=client).book()).status_code == 200
        assert (await Driver(client=client).book()).status_code == 409
    own = "SELECT count(*) FROM claims JOIN parking_spots AS s ON s.id = spot_id WHERE owner = 'cloud' AND state = 'firm'"
    assert await seam.one(own) == SHARE
    await seam.until(lambda: claims_agree(seam))
    await seam.owned(edge=SPOTS - SHARE)


async def claims_agree(seam: Seam) -> bool:
    rows = await seam.rows("SELECT id::text, spot_id::text, state FROM claims WHERE state <> 'released'")
    known = {(claim.id, claim.spot, str(claim.state)) for claim in seam.lot.ledger.book.claims()}
    return {tuple(row.values()) for row in rows} == known


async def test_with_the_line_down_the_web_sells_what_the_lot_gave_and_the_lot_sells_the_rest(
    seam: Seam,
) -> None:
    await seam.down()
    await seam.until(lambda: line_is_down(seam))
    async with at_port(seam.cloud) as client:
        answers = [(await Driver(client=client).book()).status_code for _ in range(SHARE + 1)]
    assert answers == [200] * SHARE + [409]
    await seam.up(port=9)
    assert len(seam.sell(SPOTS)) == SPOTS - SHARE
    await seam.down()
    await seam.up()
    await seam.until(lambda: claims_agree(seam))
    await seam.owned(edge=SPOTS - SHARE)
    assert not await seam.lot.owners.borrow(REGULAR), "what is booked does not move"


async def line_is_down(seam: Seam) -> bool:
    return bool(await seam.one("SELECT disconnected_at IS NOT NULL FROM gateways"))


async def test_a_smaller_share_comes_back_unasked_and_a_larger_one_goes(seam: Seam) -> None:
    await seam.share(0)
    await seam.owned(edge=SPOTS)
    await seam.share(5_000)
    await seam.owned(edge=SPOTS // 2)
    await seam.share(10_000)
    await seam.owned(edge=1)


async def test_a_transfer_whose_message_was_lost_is_said_again_on_the_next_session_and_credited_once(
    seam: Seam,
) -> None:
    await seam.down()
    await seam.until(lambda: line_is_down(seam))
    await seam.share(0)
    assert await seam.at_the_centre() == Counter({"edge": SPOTS - SHARE, "in_flight": SHARE})
    assert await seam.built.audit.look() == 0
    await seam.up()
    await seam.owned(edge=SPOTS)
    (transfer,) = await seam.rows("SELECT id::text, spots::text[] FROM transfers WHERE to_tier = 'edge'")
    again = Transfer(
        epoch=seam.epoch, session=0, transfer=transfer["id"], request="", type="regular", spots=tuple(transfer["spots"])
    )  # fmt: skip
    seam.lot.owners.hear(again)
    stale = Transfer(
        epoch=seam.epoch + 1, session=0, transfer=str(uuid4()), request="", type="regular", spots=tuple(transfer["spots"])
    )  # fmt: skip
    seam.lot.owners.hear(stale)
    assert {name: seam.lot.owners.counts[name] for name in ("repeated", "stale_epoch")} == {
        "repeated": 1,
        "stale_epoch": 1,
    }
    await seam.owned(edge=SPOTS)


async def test_what_a_new_epoch_leaves_in_flight_is_stranded_on_both_sides_until_a_recount(
    seam: Seam, tmp_path: Path
) -> None:
    await seam.down()
    await seam.until(lambda: line_is_down(seam))
    await seam.share(0)
    code = await invite(seam.cloud.database_url)
    url = f"ws://127.0.0.1:{seam.cloud.port}/api/v1/link"
    key = SigningKey.from_seed(b"p" * 32)
    enrolment = await asyncio.to_thread(ask, url, code=code.strip(), public_key=key.public)
    new = linked_unit(
        tmp_path / "new.sqlite", url, gateway=enrolment.gateway, key=key, epoch=enrolment.epoch, lot=LOT, spots=SPOTS
    )  # fmt: skip
    seam.unit = await seam.stack.enter_async_context(new)
    want = Counter({"edge": SPOTS - SHARE, "in_flight": SHARE})
    await seam.until(lambda: seam._agree(want))
    assert await seam.built.audit.look() == 0
    assert seam.lot.owners.spots_by_owner()["stranded"] == SHARE
    assert b"rights_stranded 2.0" in seam.built.metrics.text()
    states = {row.state for row in seam.lot.ledger.transfers().values()}
    assert states == {TransferState.STRANDED}
    assert len(seam.sell(SPOTS)) == SPOTS - SHARE, "nobody sells what may be sold by a ghost"
    assert Tier.CLOUD not in seam.at_the_lot()


async def test_the_audit_finds_a_spot_that_both_would_sell_and_closes_the_alarm_when_the_sum_comes_out(
    seam: Seam,
) -> None:
    spot = seam.lot.ledger.lot.spots[0].id
    async with seam.built.database.connection() as connection:
        set_owner = "UPDATE parking_spots SET owner = '{}' WHERE id = '{}'"
        await connection.execute(set_owner.format("cloud", spot).encode())
        assert await seam.built.audit.look() == 1
        assert await seam.built.audit.look() == 1
        (found,) = await seam.rows("SELECT kind, detail, resolved_at FROM conflicts")
        assert (found["kind"], found["detail"]) == (
            "ownership_broken",
            {"problem": f"spot {spot} is doubly owned"},
        )
        await connection.execute(set_owner.format("edge", spot).encode())
    assert await seam.built.audit.look() == 0
    assert await seam.one("SELECT resolved_at IS NOT NULL FROM conflicts")
