"""Bookings that a lot's kiosk sold, told by its log: reservations of the centre from then on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

from parking.claims import ClaimKind
from sync.instants import to_us
from tests.integration.cloud.conftest import LOT, NOON, Lane1, claim


def tell_sold(gateway: Lane1, reservation: str, **changed: object) -> str:
    """A claim of the lot's own, and the sale that it stands for."""
    sold = replace(
        claim("R-001", starts=1, ends=3, version=2),
        kind=ClaimKind.BOOKING,
        holder_kind="reservation",
        holder_id=reservation,
    )
    gateway.log.claim(sold)
    body: dict[str, object] = {
        "at_us": to_us(NOON),
        "reservation": reservation,
        "revision": 1,
        "claim": sold.id,
        "type": "regular",
        "starts_us": to_us(NOON + timedelta(hours=1)),
        "ends_us": to_us(NOON + timedelta(hours=3)),
        "amount_minor": 600,
        "currency": "EUR",
        "demand": None,
    }
    gateway.log.add("booking_sold", {**body, **changed})
    return sold.id


async def test_a_booking_sold_at_the_kiosk_is_a_reservation_that_is_active(gateway: Lane1) -> None:
    reservation = str(uuid4())
    tell_sold(gateway, reservation)
    await gateway.send(1, 2)
    (row,) = await gateway.rows(
        "SELECT id, lot_id, state, status, user_name, amount_minor, untold, starts_at FROM reservations"
    )
    assert row == {
        "id": UUID(reservation),
        "lot_id": UUID(LOT),
        "state": "committed",
        "status": "active",
        "user_name": "kiosk",
        "amount_minor": 600,
        "untold": False,
        "starts_at": NOON + timedelta(hours=1),
    }
    (event,) = await gateway.rows("SELECT body FROM event_outbox WHERE kind = 'ParkingSpotBooked'")
    assert event["body"]["reservation"] == reservation


async def test_a_sale_told_badly_is_kept_aside_and_the_log_goes_on(gateway: Lane1) -> None:
    tell_sold(gateway, str(uuid4()), ends_us=to_us(NOON))
    tell_sold(gateway, "nobody")
    await gateway.send(1, 4)
    assert await gateway.rows("SELECT id FROM reservations") == []
    aside = await gateway.rows("SELECT field FROM gateway_quarantine ORDER BY seq")
    assert [row["field"] for row in aside] == ["body.ends_us", "body.reservation"]
