"""Who has heard a no is never booked, and who cannot be told yet is told so: not decided, ask again.

Forced from outside: locks that another connection holds, and a question that stood still while another one was answered.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import psycopg
import pytest
from httpx import Response

from cloud.database import connect
from cloud.reservations.booking_rows import Booking, latest
from sync.booking import CoordinatorState
from tests.integration.cloud import test_booking as booking
from tests.integration.cloud.booking_lot import Driver, VotingLot, give_to_the_cloud
from tests.integration.cloud.cloud_process import CloudHere
from tests.integration.cloud.conftest import LOT
from tests.integration.cloud.test_booking import hang_up, one, until

here, lot, driver = booking.here, booking.lot, booking.driver

LOT_LOCK = b"SELECT id FROM parking_lots WHERE id = %s FOR UPDATE"
ROW_LOCK = b"SELECT id FROM reservations WHERE id = %s FOR UPDATE"


def assert_not_decided(answer: Response, reservation: str) -> None:
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/v1/reservations/{reservation}"
    assert float(answer.headers["retry-after"]) > 0
    assert answer.json()["state"] in {"draft", "preparing"}


async def row(here: CloudHere, reservation: str) -> Booking:
    """As a process reads it that is about to begin it."""
    assert here.cloud is not None
    async with here.cloud.database.connection() as connection:
        found = await latest(connection, UUID(reservation))
    assert found is not None
    return found


async def told(here: CloudHere, asked: Booking) -> Booking:
    """What a process answers that read the row as `asked` and begins it now."""
    assert here.cloud is not None
    return await here.cloud.bookings.begun(asked)


@pytest.mark.parametrize(("lock", "of"), [(LOT_LOCK, LOT), (ROW_LOCK, "")])
async def test_who_meets_a_lock_that_another_holds_hears_that_nothing_is_decided_and_is_booked_later(
    here: CloudHere, lot: VotingLot, driver: Driver, lock: bytes, of: str
) -> None:
    drafted = await driver.draft()
    with psycopg.connect(here.database_url) as holder:
        holder.execute(lock, [of or drafted["id"]])
        assert_not_decided(await driver.confirm(drafted["id"]), drafted["id"])
    assert (await driver.get(drafted["id"])).json()["state"] == "draft"
    assert lot.prepares == []
    assert (await driver.confirm(drafted["id"])).status_code == 200


async def test_a_lock_that_outlasts_the_deadline_leaves_nobody_waiting_and_the_answer_after_it_is_final(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    lot.mute = True
    drafted = await driver.draft()
    asking = asyncio.create_task(driver.confirm(drafted["id"]))
    await until(here, "SELECT count(*) FROM reservations WHERE state = 'preparing'", 1)
    with connect(here.database_url) as sooner:
        sooner.execute(b"UPDATE reservations SET deadline_at = protocol_now() + interval '1 s'")
    with psycopg.connect(here.database_url) as holder:
        holder.execute(LOT_LOCK, [LOT])
        assert_not_decided(await asking, drafted["id"])
        assert_not_decided(await driver.confirm(drafted["id"]), drafted["id"])
    lost = await driver.confirm(drafted["id"])
    assert (lost.status_code, lost.json()["reason"]) == (409, "deadline")
    lot.uploads = False
    await lot.vote(await lot.prepare())
    await until(here, "SELECT count(*) FROM reservations WHERE untold", 0)
    assert one(here, "SELECT state FROM reservations") == "aborted"


async def test_a_question_that_stood_still_while_its_driver_heard_that_the_line_is_down_books_nothing(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    """It read the row, and stood still; the driver asked another process; then the line came back, and the first one went on."""
    drafted = await driver.draft()
    stood_still = [await row(here, drafted["id"])]
    gateway = lot.gateway
    await hang_up(here, lot)
    for _ in range(2):
        lost = await driver.confirm(drafted["id"])
        assert (lost.status_code, lost.json()["reason"]) == (409, "link_down")
        stood_still.append(await row(here, drafted["id"]))
    await gateway.open(here)
    lot.start()
    for asked in stood_still[:-1]:
        answered = await told(here, asked)
        assert answered.is_refused, "it was refused to the driver since"
    assert lot.prepares == []
    assert (await driver.confirm(drafted["id"])).status_code == 200, "who asks anew is booked"


async def test_a_no_that_a_place_of_the_clouds_own_followed_is_no_no_to_whoever_asks_second(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    """The provider's webhook begins first, the lot says no, the cloud sells its own; the driver's question came in between."""
    lot.full = True
    give_to_the_cloud(here.database_url, "R-001")
    drafted = await driver.draft()
    before = await row(here, drafted["id"])
    first = await told(here, before)
    assert (first.state, first.revision) == (CoordinatorState.COMMITTED, 2)
    second = await told(here, before)
    assert (second.state, second.revision) == (CoordinatorState.COMMITTED, 2)
    assert (await driver.confirm(drafted["id"])).status_code == 200


async def test_a_cancellation_that_comes_after_the_decision_cancels_what_was_decided(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    """The lot's vote is on its way in while the driver cancels: whichever is first, the answer says what is."""
    lot.mute = True
    drafted = await driver.draft()
    asking = asyncio.create_task(driver.confirm(drafted["id"]))
    await until(here, "SELECT count(*) FROM reservations WHERE state = 'preparing'", 1)
    with psycopg.connect(here.database_url) as holder:
        holder.execute(LOT_LOCK, [LOT])
        await lot.vote(await lot.prepare())
        await until(here, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", 1)
        cancelling = asyncio.create_task(driver.cancel(drafted["id"]))
        await until(here, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", 2)
    cancelled = await cancelling
    assert (await asking).status_code in {200, 409}
    assert (cancelled.status_code, cancelled.json()["status"]) in {
        (202, "cancel_pending"),
        (200, "cancelled"),
    }
    now = (await driver.get(drafted["id"])).json()
    assert now["status"] in {"cancel_pending", "cancelled"}, now
