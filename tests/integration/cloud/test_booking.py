"""A booking over the whole seam: HTTP, the coordinator on PostgreSQL, a real link, a lot that votes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from psycopg.errors import CheckViolation

from cloud.database import connect
from cloud.reservations.booking_rows import Booking, add, protocol_now
from parking.claims import ClaimState
from parking.ids import spot_id
from sync.booking import CoordinatorState, Transaction
from sync.messages import Answer, Inquiry
from sync.transaction import TransactionId
from tests.integration.cloud.booking_lot import (
    BEARER,
    Driver,
    VotingLot,
    at_port,
    give_to_the_cloud,
    tariff_of,
)
from tests.integration.cloud.cloud_process import CloudHere, Gateway
from tests.integration.cloud.conftest import LOT, NOON, Lane1, claim


@pytest.fixture
async def here(database_url: str, tmp_path: Path) -> AsyncIterator[CloudHere]:
    served = CloudHere(database_url=database_url, folder=tmp_path)
    await served.start()
    yield served
    await served.end()


@pytest.fixture
async def lot(here: CloudHere) -> AsyncIterator[VotingLot]:
    gateway = Gateway()
    await gateway.enrol(here)
    assert here.cloud is not None
    await here.cloud.gateways.put_tariff(UUID(LOT), tariff_of("0"), NOON - timedelta(days=1))
    await gateway.open(here)
    voting = VotingLot(gateway=gateway)
    voting.start()
    yield voting
    await voting.stop()
    await gateway.hang_up()


@pytest.fixture
async def driver(here: CloudHere) -> AsyncIterator[Driver]:
    async with at_port(here) as client:
        yield Driver(client=client)


def one(here: CloudHere, sql: str) -> Any:
    with connect(here.database_url) as connection:
        row = connection.execute(sql.encode()).fetchone()
    assert row is not None
    (value,) = row.values()
    return value


async def until(here: CloudHere, sql: str, wanted: object) -> None:
    async with asyncio.timeout(15):
        while one(here, sql) != wanted:  # noqa: ASYNC110 - the database tells nobody of these
            await asyncio.sleep(0.02)


DEAFEN = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory'"
"""A process that listens holds a lock as long (cloud/reservations/commit_words)."""


async def hang_up(here: CloudHere, lot: VotingLot) -> None:
    await lot.stop()
    await lot.gateway.hang_up()
    await until(here, "SELECT count(*) FROM gateways WHERE disconnected_at IS NULL", 0)


async def test_what_was_decided_while_nobody_listened_reaches_the_lot_once_somebody_does(
    here: CloudHere, lot: VotingLot
) -> None:
    """A commit's word is lost where the listener's connection is: here none is said, and the session goes on."""
    added = "INSERT INTO gateway_documents (gateway_id, n, kind, body) SELECT gateway_id, max(n) + 1, 'unheard', '' FROM gateway_documents GROUP BY 1"
    with connect(here.database_url) as connection:
        assert connection.execute(added.encode()).rowcount == 1
    assert one(here, DEAFEN) == 1
    async with asyncio.timeout(15):
        while "unheard" not in {told.kind for told in lot.documents}:  # noqa: ASYNC110 - the lot tells nobody
            await asyncio.sleep(0.02)


async def test_a_place_of_the_lot_is_booked_by_its_vote_and_the_lot_is_told(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    answer = await driver.book()
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["state"]) == ("active", "committed")
    (claim,) = lot.held.values()
    assert one(here, "SELECT id::text FROM claims WHERE state = 'firm'") == claim.id
    await until(here, "SELECT count(*) FROM reservations WHERE untold", 0)
    assert [(told.outcome, (told.claim or {})["id"]) for told in lot.decisions] == [("committed", claim.id)]
    assert "decision" in {document.kind for document in lot.documents}
    await lot.upload()
    await until(here, "SELECT acknowledged_seq FROM gateways", 2)
    assert one(here, "SELECT state || version FROM claims") == "firm2"


async def test_a_vote_counts_only_when_the_log_before_it_is_applied(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    lot.before_voting, lot.uploads = 3, False
    drafted = await driver.draft()
    asking = asyncio.create_task(driver.confirm(drafted["id"]))
    await until(here, "SELECT count(*) FROM reservations WHERE ballots @? '$[*].yes.claim'", 1)
    assert one(here, "SELECT state FROM reservations") == "preparing"
    await lot.upload()
    assert (await asking).json()["status"] == "active"


async def test_a_lot_that_says_no_is_followed_by_a_place_of_the_clouds_own(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    for number in ("R-001", "R-002", "R-003", "R-004"):
        assert (await driver.book()).status_code == 200, number
    lost = await driver.book()
    assert (lost.status_code, lost.json()["reason"]) == (409, "full")
    give_to_the_cloud(here.database_url, "E-001")
    with connect(here.database_url) as connection:
        connection.execute(b"UPDATE parking_spots SET type = 'regular' WHERE owner = 'cloud'")
    answer = await driver.book()
    assert (answer.status_code, answer.json()["revision"]) == (200, 2), answer.text


async def test_a_lot_that_is_silent_is_given_up_at_the_deadline_and_a_late_vote_changes_nothing(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    lot.mute = True
    drafted = await driver.draft()
    began_s = asyncio.get_running_loop().time()
    lost = await driver.confirm(drafted["id"])
    assert (lost.status_code, lost.json()["reason"]) == (409, "deadline")
    assert asyncio.get_running_loop().time() - began_s < 12
    lot.uploads = False
    await lot.vote(await lot.prepare())
    await until(here, "SELECT count(*) FROM reservations WHERE untold", 0)
    assert one(here, "SELECT state FROM reservations") == "aborted"
    assert one(here, "SELECT count(*) FROM claims") == 0
    again = await driver.confirm(drafted["id"])
    assert (again.status_code, again.json()["reason"]) == (409, "deadline")


async def test_with_the_line_down_it_is_answered_at_once_and_nothing_waits_for_the_reconnect(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    await hang_up(here, lot)
    drafted = await driver.draft()
    began_s = asyncio.get_running_loop().time()
    lost = await driver.confirm(drafted["id"])
    assert (lost.status_code, lost.json()["reason"]) == (409, "link_down")
    assert asyncio.get_running_loop().time() - began_s < 2
    await lot.gateway.open(here)
    lot.start()
    await asyncio.sleep(0.3)
    assert lot.prepares == []
    assert (await driver.confirm(drafted["id"])).status_code == 200


async def test_an_inquiry_about_an_unknown_transaction_writes_aborted_before_it_is_answered(
    here: CloudHere, lot: VotingLot
) -> None:
    await lot.stop()
    unknown = str(uuid4())
    welcome = lot.gateway.welcome
    assert welcome is not None
    await lot.gateway.say(
        Inquiry(epoch=lot.gateway.epoch, session=welcome.session, reservation=unknown, revision=1)
    )
    while not isinstance(answer := await lot.gateway.any(), Answer):
        pass
    assert (answer.reservation, answer.outcome) == (unknown, "aborted")
    assert one(here, "SELECT state || coalesce(user_name, '-') FROM reservations") == "aborted-"


async def test_what_was_decided_cannot_be_undone_by_any_statement(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    assert (await driver.book()).status_code == 200
    with connect(here.database_url) as connection, pytest.raises(CheckViolation):
        connection.execute(b"UPDATE reservations SET state = 'aborted'")


async def test_the_same_key_is_the_same_reservation_and_another_request_under_it_is_refused(
    lot: VotingLot, driver: Driver
) -> None:
    quote = await driver.quote()
    first, again = await driver.draft("key-of-mine", quote), await driver.draft("key-of-mine", quote)
    assert first["id"] == again["id"]
    other = await driver.client.post(
        "/api/v1/reservations",
        json={"quote": (await driver.quote())["quote"]},
        headers={**BEARER, "Idempotency-Key": "key-of-mine"},
    )
    assert other.status_code == 409
    without = await driver.client.post("/api/v1/reservations", json={"quote": quote["quote"]}, headers=BEARER)
    assert without.status_code == 422


async def test_a_quote_that_was_altered_is_refused(lot: VotingLot, driver: Driver) -> None:
    quote = await driver.quote()
    told = quote["quote"]
    altered = told[:-3] + ("AAA" if told[-3:] != "AAA" else "BBB")
    answer = await driver.client.post(
        "/api/v1/reservations", json={"quote": altered}, headers={**BEARER, "Idempotency-Key": str(uuid4())}
    )
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "quote")


async def test_a_pass_exists_only_for_what_is_booked(lot: VotingLot, driver: Driver) -> None:
    drafted = await driver.draft()
    assert (await driver.get(f"{drafted['id']}/pass")).status_code == 409
    assert (await driver.confirm(drafted["id"])).status_code == 200
    answer = await driver.get(f"{drafted['id']}/pass")
    assert answer.status_code == 200
    assert answer.json()["token"].startswith("LG1:")


async def test_a_cancellation_waits_until_the_lot_has_let_the_place_go(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    booked = (await driver.book()).json()
    answer = await driver.cancel(booked["id"])
    assert (answer.status_code, answer.json()["status"]) == (202, "cancel_pending")
    await until(here, "SELECT count(*) FROM gateway_documents WHERE kind = 'cancellation'", 1)
    await lot.release(booked["id"])
    await until(here, "SELECT status FROM reservations", "cancelled")


async def test_of_64_racers_for_one_place_one_gets_it_and_the_others_hear_so_at_once(
    here: CloudHere, lot: VotingLot, driver: Driver
) -> None:
    await hang_up(here, lot)
    give_to_the_cloud(here.database_url, "R-001")
    drafts = [await driver.draft() for _ in range(64)]
    loop = asyncio.get_running_loop()

    async def raced(drafted: dict[str, Any], client: httpx.AsyncClient) -> tuple[httpx.Response, float]:
        began_s = loop.time()
        answer = await Driver(client=client).confirm(drafted["id"])
        return answer, loop.time() - began_s

    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{here.port}", timeout=30, limits=limits
    ) as client:
        answers = await asyncio.gather(*(raced(drafted, client) for drafted in drafts))
    codes = Counter(answer.status_code for answer, _ in answers)
    slowest_s = max(took for _, took in answers)
    assert codes == {200: 1, 409: 63}, codes
    assert all("alternatives" in answer.json() for answer, _ in answers if answer.status_code == 409)
    assert one(here, "SELECT count(*) FROM claims WHERE state = 'firm'") == 1
    assert one(here, "SELECT count(*) FROM claims WHERE state = 'held'") == 0
    assert slowest_s < 5, f"{slowest_s:.3f} s, on a machine that others use too"


async def test_a_spot_of_a_free_choice_zone_is_booked_as_a_place_of_its_type(
    lot: VotingLot, driver: Driver
) -> None:
    path = f"/api/v1/parking-lots/{LOT}/spots/{spot_id(LOT, 'E-002')}/reserve"
    headers = {**BEARER, "Idempotency-Key": str(uuid4())}
    answers = [await driver.client.post(path, json=driver.window, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201], answers[0].text
    first, again = (answer.json() for answer in answers)
    assert (first["id"], first["type"], first["guarantee"]) == (again["id"], "ev", "type")
    assert (await driver.confirm(first["id"])).json()["status"] == "active"
    unknown = await driver.client.post(
        f"/api/v1/parking-lots/{LOT}/spots/{uuid4()}/reserve", json=driver.window, headers=headers
    )
    assert unknown.status_code == 409
    listed = (await driver.client.get("/api/v1/reservations", headers=BEARER)).json()
    assert (listed["total"], listed["items"][0]["id"]) == (1, first["id"])


async def test_a_vote_that_names_no_reservation_is_answered_and_disturbs_nothing(
    lot: VotingLot, driver: Driver
) -> None:
    lot.mute = True
    drafted = await driver.draft()
    asking = asyncio.create_task(driver.confirm(drafted["id"]))
    prepare = await lot.prepare()
    await lot.vote(replace(prepare, reservation="not-a-uuid"))
    lot.held.clear()
    await lot.vote(prepare)
    assert (await asking).json()["status"] == "active"
    assert [(told.code, told.about) for told in lot.complaints] == [("malformed", "commit")]


async def test_a_fact_that_meets_an_undecided_hold_aborts_it_in_the_transaction_that_applies_it(
    gateway: Lane1,
) -> None:
    reservation = uuid4()
    held = replace(
        claim("R-001", state=ClaimState.HELD), holder_kind="reservation", holder_id=str(reservation)
    )
    async with gateway.cloud.database.connection() as connection, connection.transaction():
        transaction = Transaction(
            id=TransactionId(reservation=str(reservation), revision=1),
            state=CoordinatorState.PREPARING,
            type=held.type,
            window=held.window,
            own_claims=(held,),
            deadline_at=await protocol_now(connection) + timedelta(seconds=8),
        )
        await add(connection, Booking(transaction=transaction, lot=UUID(LOT), user="somebody"))
    async with gateway.cloud.database.connection() as connection:
        await connection.execute(
            b"INSERT INTO claims (id, lot_id, spot_id, type, during, kind, holder_kind, holder_id, state, sold_by, epoch, revision,"
            b" version) VALUES (%s, %s, %s, 'regular', '[2026-11-24 12:00+0,2026-11-24 16:00+0)', 'booking', 'reservation', %s,"
            b" 'held', 'cloud', 1, 1, 1)",
            [held.id, LOT, held.spot, str(reservation)],
        )
    fact = claim("R-001")
    gateway.log.claim(fact)
    await gateway.send()
    (row,) = await gateway.rows("SELECT state, reason, status FROM reservations")
    assert tuple(row.values()) == ("aborted", "met_by_fact", "refused")
    rows = await gateway.rows("SELECT id::text, state, clashing FROM claims")
    assert {tuple(row.values()) for row in rows} == {
        (held.id, "released", False),
        (fact.id, "firm", False),
    }
    assert await gateway.rows("SELECT * FROM conflicts") == []


async def test_a_word_of_nobody_s_ends_no_process(here: CloudHere, lot: VotingLot, driver: Driver) -> None:
    with connect(here.database_url) as connection:
        connection.execute(b"SELECT pg_notify('lotgate_commit', 'nonsense')")
    assert (await driver.book()).status_code == 200
