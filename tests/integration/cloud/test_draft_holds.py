"""A place of the cloud's own kept for a draft while its driver pays: his alone for ten minutes, given back once, never sold twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from cloud.database import connect
from parking.ids import spot_id
from parking.interval import Interval
from tests.integration.cloud import test_booking as booking
from tests.integration.cloud.booking_lot import Driver, VotingLot, give_to_the_cloud
from tests.integration.cloud.cloud_process import CloudHere
from tests.integration.cloud.conftest import LOT, claim
from tests.integration.cloud.test_booking import hang_up, one, until

here, lot, driver = booking.here, booking.lot, booking.driver

HELD = "SELECT count(*) FROM claims WHERE state = 'held'"
FIRM = "SELECT count(*) FROM claims WHERE state = 'firm' AND kind = 'booking'"
SELLABLE = "SELECT sellable FROM lot_counts WHERE type = 'regular' AND owner = 'cloud'"


def eleven_minutes_pass(here: CloudHere, reservation: str) -> None:
    with connect(here.database_url) as connection:
        connection.execute(
            b"UPDATE reservations SET created_at = created_at - interval '11 min' WHERE id = %s",
            [reservation],
        )


async def look(here: CloudHere) -> None:
    """What each process does every second."""
    assert here.cloud is not None
    await here.cloud.coordination.look_at_due()


async def ask_until_told(driver: Driver, reservation: str) -> Any:
    """As a driver does who hears that nothing is decided."""
    answer = await driver.confirm(reservation)
    while answer.status_code == 202:
        answer = await driver.confirm(reservation)
    return answer


async def test_a_held_place_is_its_drafts_alone_and_is_booked_without_asking_the_lot(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    give_to_the_cloud(here.database_url, "R-001")
    mine = await driver.draft("a-key-of-mine", hold=True)
    again = await driver.draft("another-key", hold=True)
    until_at, made_at = (datetime.fromisoformat(mine[name]) for name in ("held_until", "created_at"))
    assert until_at - made_at == timedelta(minutes=10)
    assert (again["held_until"], again["status"]) == (None, "draft"), "there is one place of the cloud's own"
    assert one(here, HELD) == 1
    assert one(here, "SELECT spot_id::text FROM claims") == spot_id(LOT, "R-001")
    booked = await driver.confirm(mine["id"])
    assert (booked.status_code, booked.json()["held_until"], lot.prepares) == (200, None, [])
    assert (one(here, HELD), one(here, FIRM)) == (0, 1)


async def test_with_the_line_down_nobody_else_gets_a_held_place_and_its_driver_does(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    await hang_up(here, lot)
    give_to_the_cloud(here.database_url, "R-001")
    mine = await driver.draft(hold=True)
    other = await driver.book()
    assert (other.status_code, other.json()["reason"]) == (409, "full")
    assert (await driver.confirm(mine["id"])).status_code == 200


async def test_after_ten_minutes_a_hold_is_given_back_and_the_draft_is_one_like_any_other(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    give_to_the_cloud(here.database_url, "R-001")
    mine = await driver.draft("a-key-of-mine", hold=True)
    eleven_minutes_pass(here, mine["id"])
    await look(here)
    assert one(here, HELD) == 0
    assert one(here, SELLABLE) == 1
    assert one(here, "SELECT own_claims::text FROM reservations") == "[]"
    shown = (await driver.get(mine["id"])).json()
    assert (shown["status"], shown["held_until"]) == ("draft", None)
    assert (await driver.confirm(mine["id"])).status_code == 200
    assert len(lot.prepares) == 1, "the lot is asked, as for any"


@pytest.mark.parametrize("head_start_s", [0.0, 0.004, 0.015])
async def test_expiry_and_confirmation_at_one_instant_book_the_place_once_or_give_it_back(
    here: CloudHere, lot: VotingLot, driver: Driver, head_start_s: float
) -> None:
    await hang_up(here, lot)
    give_to_the_cloud(here.database_url, "R-001")
    for round_ in range(4):
        driver.starts_at += timedelta(hours=4)
        mine = await driver.draft(hold=True)
        assert mine["held_until"] is not None, round_
        eleven_minutes_pass(here, mine["id"])

        async def expire() -> None:
            await asyncio.sleep(head_start_s)
            await look(here)

        answer, _ = await asyncio.gather(ask_until_told(driver, mine["id"]), expire())
        assert answer.status_code == 200, "nobody else wants it: held or not, it is there"
        assert (one(here, HELD), one(here, FIRM)) == (0, round_ + 1)
    assert one(here, "SELECT count(*) FROM conflicts") == 0


async def test_expiry_leaves_a_draft_alone_that_is_being_begun(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    give_to_the_cloud(here.database_url, "R-001")
    mine = await driver.draft(hold=True)
    eleven_minutes_pass(here, mine["id"])
    with connect(here.database_url) as begins, begins.transaction():
        begins.execute(b"SELECT id FROM reservations FOR UPDATE")
        await asyncio.wait_for(look(here), 10)
    assert one(here, HELD) == 1, "it looked and waited for nobody"
    await look(here)
    assert one(here, HELD) == 0


async def test_a_driver_who_walks_away_gives_the_place_back_at_once(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    give_to_the_cloud(here.database_url, "R-001")
    mine = await driver.draft(hold=True)
    assert one(here, HELD) == 1
    cancelled = await driver.cancel(mine["id"])
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert one(here, HELD) == 0


async def test_a_fact_that_meets_a_hold_takes_the_place_and_the_draft_goes_on_without(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    give_to_the_cloud(here.database_url, "R-001")
    driver.starts_at = driver.starts_at.replace(microsecond=0)
    mine = await driver.draft(hold=True)
    window = Interval(driver.starts_at, driver.starts_at + timedelta(hours=1))
    lot.gateway.log.claim(replace(claim("R-001"), window=window))
    await lot.upload()
    await until(here, "SELECT count(*) FROM claims WHERE kind = 'walk_in' AND NOT clashing", 1)
    assert (one(here, HELD), one(here, "SELECT count(*) FROM conflicts")) == (0, 0)
    assert (await driver.get(mine["id"])).json()["held_until"] is None
    assert (await driver.confirm(mine["id"])).status_code == 200
    assert len(lot.prepares) == 1


async def test_a_hold_on_a_place_that_is_the_clouds_no_more_is_none(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    """A new epoch begins with every place the lot's."""
    give_to_the_cloud(here.database_url, "R-001")
    mine = await driver.draft(hold=True)
    with connect(here.database_url) as connection:
        connection.execute(b"UPDATE parking_spots SET owner = 'edge'")
    assert (await driver.confirm(mine["id"])).status_code == 200
    assert len(lot.prepares) == 1
    assert (one(here, HELD), one(here, FIRM)) == (0, 1)
