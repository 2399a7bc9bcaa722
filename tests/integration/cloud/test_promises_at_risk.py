"""A promise that may not be kept: marked by the lot's word or half an hour before its start, told once, refunded by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from cloud.named_sql import named_sql
from cloud.reservations.booking_rows import Booking, BookingStatus, add, standing
from parking.claims import Claim, ClaimKind, ClaimState
from parking.ids import spot_id
from parking.interval import Interval
from parking.lot import SpotType
from sync.booking import CoordinatorState, Transaction
from sync.commit_documents import decision_from
from sync.rows import claim_row
from sync.transaction import TransactionId
from tests.integration.cloud.booking_lot import tariff_of
from tests.integration.cloud.conftest import LOT, NOON, Lane1, claim

QUERIES = named_sql("cloud.reservations")


async def booked(gateway: Lane1, *, starts_h: float = 2, spot: str | None = "R-001") -> Booking:
    """A booking of two hours on `spot`, from hours after noon; None: nothing stands for it."""
    reservation = uuid4()
    window = Interval(NOON + timedelta(hours=starts_h), NOON + timedelta(hours=starts_h + 2))
    transaction = Transaction(
        id=TransactionId(reservation=str(reservation), revision=1),
        state=CoordinatorState.COMMITTED,
        type=SpotType.REGULAR,
        window=window,
    )
    booking = Booking(transaction=transaction, lot=UUID(LOT), user="somebody", status=BookingStatus.ACTIVE)
    async with gateway.cloud.database.connection() as connection:
        await add(connection, booking)
    if spot is not None:
        gateway.log.claim(claim_of(booking, spot))
        await gateway.send()
    return booking


def claim_of(booking: Booking, spot: str) -> Claim:
    window = booking.transaction.window
    assert window is not None
    return replace(
        claim(spot, state=ClaimState.FIRM),
        window=window,
        kind=ClaimKind.BOOKING,
        holder_kind="reservation",
        holder_id=str(booking.id),
    )


async def say(gateway: Lane1, kind: str, booking: Booking, **told: object) -> None:
    body = {"reservation": str(booking.id), "revision": booking.revision, **told}
    gateway.log.add(kind, body)
    await gateway.send(len(gateway.log.rows))


async def read(gateway: Lane1, booking: Booking) -> Booking:
    async with gateway.cloud.database.connection() as connection:
        found = await standing(connection, booking.id)
    assert found is not None
    return found


async def told(gateway: Lane1) -> list[dict[str, Any]]:
    await gateway.cloud.promise_keeper.look()
    rows = await gateway.rows("SELECT body FROM event_outbox WHERE kind = 'ReservationAtRisk' ORDER BY n")
    return [row["body"] for row in rows]


async def test_the_lot_s_word_is_told_once_with_alternatives_and_the_refund_rule(gateway: Lane1) -> None:
    await gateway.cloud.gateways.put_tariff(UUID(LOT), tariff_of(), NOON - timedelta(days=1))
    booking = await booked(gateway)
    await say(gateway, "booking_at_risk", booking, reason="overstay", claim=None, stay=None)
    assert (await read(gateway, booking)).at_risk == "overstay"
    (event,) = await told(gateway)
    assert (event["reservation"], event["reason"]) == (str(booking.id), "overstay")
    assert event["refund"].startswith("in full")
    assert [(one["type"], one["sellable"], one["amount_minor"]) for one in event["alternatives"]] == [
        ("ev", 2, 500)
    ]
    assert len(await told(gateway)) == 1
    await say(gateway, "booking_rehomed", booking, claim=None)
    assert (await read(gateway, booking)).at_risk is None
    assert await gateway.one("SELECT count(*) FROM event_outbox WHERE kind = 'ReservationRehomed'") == 1


async def test_half_an_hour_before_its_start_a_booking_without_a_place_is_found(gateway: Lane1) -> None:
    kept = await booked(gateway, starts_h=0.4)
    lost = await booked(gateway, starts_h=0.4, spot=None)
    later = await booked(gateway, starts_h=2, spot=None)
    assert [event["reservation"] for event in await told(gateway)] == [str(lost.id)]
    assert [(await read(gateway, one)).at_risk for one in (kept, lost, later)] == [None, "no_place", None]
    gateway.log.claim(claim_of(lost, "R-003"))
    await gateway.send(len(gateway.log.rows))
    await told(gateway)
    assert (await read(gateway, lost)).at_risk is None


async def test_a_booking_whose_claim_clashes_with_a_fact_is_at_risk(gateway: Lane1) -> None:
    gateway.log.claim(claim("R-001", starts=0, ends=4))
    await gateway.send()
    booking = await booked(gateway, starts_h=0.4, spot=None)
    gateway.log.claim(claim_of(booking, "R-001"))
    await gateway.send(len(gateway.log.rows))
    assert [event["reservation"] for event in await told(gateway)] == [str(booking.id)]


async def test_a_booking_without_a_place_gets_one_of_the_centre_s_own_and_its_lot_is_told(
    gateway: Lane1,
) -> None:
    gateway.log.claim(claim("R-001", starts=0, ends=4))
    await gateway.send()
    await gateway.rows_do("UPDATE parking_spots SET owner = 'cloud' WHERE number = 'R-004'")
    booking = await booked(gateway, starts_h=0.4, spot=None)
    gateway.log.claim(claim_of(booking, "R-001"))
    await gateway.send(len(gateway.log.rows))
    assert await told(gateway) == []
    assert (await read(gateway, booking)).at_risk is None
    (document,) = await gateway.rows("SELECT body FROM gateway_documents WHERE kind = 'decision'")
    decided = decision_from(bytes(document["body"]))
    assert decided.claim is not None
    assert (decided.claim.spot, decided.claim.window) == (spot_id(LOT, "R-004"), booking.booked)
    firm = "SELECT state || version FROM claims WHERE id = %(id)s"
    assert await gateway.one(firm, id=decided.claim.id) == "firm2"
    assert await gateway.one("SELECT count(*) FROM event_outbox WHERE kind = 'ReservationRehomed'") == 1


@pytest.mark.parametrize(("at_risk", "status"), [(True, "displaced"), (False, "completed")])
async def test_a_place_at_risk_that_was_never_used_is_refunded_when_its_window_ends(
    gateway: Lane1,
    at_risk: bool,
    status: str,
) -> None:
    booking = await booked(gateway)
    if at_risk:
        await say(gateway, "booking_at_risk", booking, reason="physically_full")
    first = len(gateway.log.rows) + 1
    gateway.log.add("claim_changed", {"claim": claim_row(claim("R-003"))}, at=NOON + timedelta(hours=5))
    await gateway.send(first)
    assert (await read(gateway, booking)).status == status


async def test_a_word_about_a_booking_of_another_lot_or_in_no_shape_changes_nothing(gateway: Lane1) -> None:
    booking = await booked(gateway)
    unknown = replace(
        booking,
        transaction=replace(booking.transaction, id=TransactionId(reservation=str(uuid4()), revision=1)),
    )
    await say(gateway, "booking_at_risk", unknown, reason="overstay")
    gateway.log.add("booking_at_risk", {"reservation": "nonsense", "revision": 1, "reason": "overstay"})
    gateway.log.add("booking_at_risk", {"reservation": str(booking.id), "revision": 1, "reason": 7})
    await gateway.send(len(gateway.log.rows) - 1)
    assert await gateway.one("SELECT count(*) FROM gateway_quarantine") == 2
    assert (await read(gateway, booking)).at_risk is None


async def test_the_look_at_what_begins_soon_reads_no_table_through(gateway: Lane1) -> None:
    scope = {"now": NOON, "until": NOON + timedelta(minutes=30), "reason": "no_place"}
    async with gateway.cloud.database.connection() as connection, connection.transaction():
        await connection.execute(b"SET LOCAL enable_seqscan = off")
        text = QUERIES["bookings_in_trouble"]
        cursor = await connection.execute(b"EXPLAIN " + text, scope)
        plan = "\n".join(str(row["QUERY PLAN"]) for row in await cursor.fetchall())
    assert "Seq Scan on reservations soon" not in plan, plan
    assert "by_start" in plan, plan
