"""Complaint rows 2 and 18: what is pending is in nobody's way twice, and a list that was true once books nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime

import pytest

from cloud.database import connect
from tests.integration.cloud import test_booking as booking
from tests.integration.cloud.booking_lot import BEARER, Driver, VotingLot, give_to_the_cloud
from tests.integration.cloud.cloud_process import CloudHere
from tests.integration.cloud.conftest import LOT
from tests.integration.cloud.test_booking import hang_up, one, until

here, lot, driver = booking.here, booking.lot, booking.driver


async def test_of_two_pending_bookings_of_one_place_one_is_confirmed_however_often_they_ask(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    await hang_up(here, lot)
    give_to_the_cloud(here.database_url, "R-001")
    first, second = [await driver.draft() for _ in range(2)]
    asked = [first, second, first, second, first, second]
    answers = await asyncio.gather(*(driver.confirm(drafted["id"]) for drafted in asked))
    by_draft = {
        drafted["id"]: Counter(
            answer.status_code for answer, of in zip(answers, asked, strict=True) if of is drafted
        )
        for drafted in (first, second)
    }
    assert sorted(map(dict, by_draft.values()), key=str) == [{200: 3}, {409: 3}]
    again = [await driver.confirm(drafted["id"]) for drafted in (first, second)]
    assert {answer.status_code for answer in again} == {200, 409}
    assert one(here, "SELECT string_agg(state || version, ' ') FROM claims") == "firm2"


async def test_what_a_lot_holds_undecided_is_counted_as_taken(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    """The claim is on record as held, under the constraint, before anything is decided."""
    sellable = "SELECT sellable FROM lot_counts WHERE type = 'regular' AND owner = 'edge'"
    before = one(here, sellable)
    driver.starts_at = datetime.fromisoformat(driver.window["starts_at"]).replace(microsecond=0)
    lot.before_voting, lot.uploads = 1, False
    drafted = await driver.draft()
    asking = asyncio.create_task(driver.confirm(drafted["id"]))
    await until(here, "SELECT count(*) FROM reservations WHERE ballots @? '$[*].yes.claim'", 1)
    with connect(here.database_url) as connection:
        connection.execute(
            b"UPDATE reservations SET ballots = jsonb_set(ballots, '{0,yes,log_seq_before}', '99')"
        )
    await lot.upload()
    await until(here, "SELECT count(*) FROM claims WHERE state = 'held'", 1)
    assert one(here, "SELECT state FROM reservations") == "preparing"
    assert one(here, sellable) == before - 1
    lost = await asking
    assert (lost.status_code, lost.json()["reason"]) == (409, "deadline")


async def test_a_draft_that_is_confirmed_too_late_is_not_booked(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    drafted = await driver.draft()
    with connect(here.database_url) as connection:
        connection.execute(b"UPDATE reservations SET deadline_at = protocol_now() - interval '1 second'")
    lost = await driver.confirm(drafted["id"])
    assert (lost.status_code, lost.json()["reason"]) == (409, "deadline")
    assert lot.prepares == []
    assert one(here, "SELECT count(*) FROM claims") == 0


async def test_a_booking_from_a_stale_list_is_a_clear_refusal_with_what_there_is_in_that_window(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    await hang_up(here, lot)
    give_to_the_cloud(here.database_url, "R-001", "E-001")
    listed = (await driver.client.get(f"/api/v1/parking-lots/{LOT}")).json()
    assert {"link", "last_heard_at", "age_s"} <= set(listed["freshness"])
    assert all("holds_until" in count for count in listed["counts"])
    assert (await driver.book()).status_code == 200
    stale = await driver.book()
    told = stale.json()
    assert (stale.status_code, told["reason"], stale.headers["content-type"]) == (
        409,
        "full",
        "application/problem+json",
    )
    assert told["detail"].startswith("just taken")
    (other,) = told["alternatives"]
    assert (other["lot"], other["type"], other["sellable"], other["currency"]) == (LOT, "ev", 1, "EUR")
    window = {name: datetime.fromisoformat(other[name]) for name in ("starts_at", "ends_at")}
    assert window == {name: datetime.fromisoformat(at) for name, at in driver.window.items()}
    assert datetime.fromisoformat(other["as_of"]).tzinfo is not None
    driver.type = "ev"
    assert (await driver.book()).status_code == 200
    driver.type = "regular"
    assert (await driver.book()).json()["alternatives"] == []


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("quotes", {"lot": LOT}, 422, "body.starts_at"),
        ("quotes", {"lot": LOT, "starts_at": "soon", "ends_at": "later"}, 422, "body.starts_at"),
        ("reservations", {"quote": "A" * 10_000}, 422, "body.quote"),
        ("reservations", {"quote": "A" * 200}, 400, "quote"),
        ("reservations", {"quote": None}, 422, "body.quote"),
        ("reservations/not-a-uuid/confirm", {}, 422, "path.reservation"),
        ("reservations/5f0c7c1e-3c4f-4a57-9d0e-0a6a5f9b3c99/confirm", {}, 404, "reservation"),
    ],
)
async def test_bad_input_is_refused_by_its_field_and_counted(  # noqa: PLR0917 - the table's columns
    here: CloudHere, lot: VotingLot, driver: Driver, path: str, body: dict[str, str], status: int, field: str
) -> None:
    headers = {**BEARER, "Idempotency-Key": "a-key-of-mine"}
    answer = await driver.client.post(f"/api/v1/{path}", json=body, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field), answer.text
    assert one(here, "SELECT count(*) FROM reservations") == 0
    metrics = (await driver.client.get("/metrics")).text
    assert f'status="{status}"' in metrics
