"""A booking gets another window: only what is added is asked for and paid, what is given up comes back when the lot has let it go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from cloud.database import connect
from sync.commit_documents import CHANGE, change_from
from sync.instants import from_us
from sync.tokens import PREFIX
from tests.integration.cloud import test_booking_with_money as paid
from tests.integration.cloud.booking_lot import BEARER
from tests.integration.cloud.test_booking import hang_up, one, until
from tests.integration.cloud.test_booking_with_money import Market

market = paid.market


async def booked(market: Market) -> dict[str, Any]:
    drafted = await market.paid_draft()
    answer = await market.driver.confirm(drafted["id"])
    assert answer.status_code == 200, answer.text
    await until(market.here, "SELECT count(*) FROM payments WHERE standing = 'captured'", 1)
    told: dict[str, Any] = answer.json()
    return told


def window(booking: Mapping[str, Any], *, later_h: float = 0, longer_h: float = 0) -> dict[str, str]:
    starts_at = datetime.fromisoformat(booking["starts_at"]) + timedelta(hours=later_h)
    ends_at = datetime.fromisoformat(booking["ends_at"]) + timedelta(hours=later_h + longer_h)
    return {"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()}


async def change(market: Market, booking: Mapping[str, Any], **asked: Any) -> httpx.Response:
    return await market.driver.client.put(f"/api/v1/reservations/{booking['id']}", json=asked, headers=BEARER)


def intent_of(market: Market, payment: str) -> str:
    with connect(market.here.database_url) as connection:
        cursor = connection.execute(
            b"SELECT stripe_payment_intent_id AS id FROM payments WHERE id = %s", [payment]
        )
        (row,) = cursor.fetchall()
    return str(row["id"])


async def pay(market: Market, changed: Mapping[str, Any]) -> None:
    payment = changed["change"]["payment"]
    assert await market.provider.pay(intent_of(market, payment["id"]), payment["client_secret"])


async def test_a_longer_booking_asks_for_the_added_hour_alone_and_stands_as_it_was_until_it_is_paid(
    market: Market,
) -> None:
    booking = await booked(market)
    answer = await change(market, booking, **window(booking, longer_h=1))
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["revision"], told["ends_at"], told["status"]) == (1, booking["ends_at"], "active")
    assert (told["change"]["revision"], told["change"]["amount_minor"]) == (2, 750)
    assert (await market.driver.confirm(booking["id"])).status_code == 402
    seen = (await market.driver.get(booking["id"])).json()
    assert (seen["revision"], seen["change"]["state"]) == (1, "draft")
    again = (await change(market, booking, **window(booking, longer_h=1))).json()
    assert again["change"]["payment"]["id"] == told["change"]["payment"]["id"]

    await pay(market, told)
    decided = await market.driver.confirm(booking["id"])
    assert decided.status_code == 200, decided.text
    wanted = datetime.fromisoformat(booking["ends_at"]) + timedelta(hours=1)
    assert datetime.fromisoformat(decided.json()["ends_at"]) == wanted
    assert (decided.json()["revision"], decided.json()["amount_minor"]) == (2, 750)
    asked = market.lot.prepares[1]
    assert (from_us(asked.starts_us), from_us(asked.ends_us)) == (wanted - timedelta(hours=1), wanted)
    await until(market.here, "SELECT count(*) FROM payments WHERE standing = 'captured'", 2)
    assert one(market.here, "SELECT sum(captured_minor) FROM payments") == 750
    assert one(market.here, "SELECT count(*) FROM claims WHERE state = 'firm'") == 2
    assert (
        one(market.here, "SELECT string_agg(coalesce(status, '-'), ' ' ORDER BY revision) FROM reservations")
        == "- active"
    )
    shown = (await market.driver.get(f"{booking['id']}/pass")).json()
    assert (shown["revision"], shown["starts_at"]) == (2, booking["starts_at"])
    assert shown["token"].startswith(PREFIX)
    listed = (await market.driver.client.get("/api/v1/reservations", headers=BEARER)).json()
    assert [(row["id"], row["revision"]) for row in listed["items"]] == [(booking["id"], 2)]


async def test_a_shorter_booking_is_so_at_once_and_its_money_comes_back_when_the_lot_has_let_go(
    market: Market,
) -> None:
    booking = await booked(market)
    await hang_up(market.here, market.lot)
    answer = await change(market, booking, **window(booking, longer_h=-1))
    assert (answer.status_code, answer.json()["revision"], answer.json()["amount_minor"]) == (200, 2, 250)
    assert one(market.here, "SELECT give_back_minor FROM reservations WHERE revision = 2") == 250
    assert one(market.here, "SELECT count(*) FROM refunds") == 0
    market.lot.gateway.document_n = len(market.lot.documents)
    await market.lot.gateway.open(market.here)
    market.lot.start()
    await until(market.here, "SELECT sum(amount_minor) FROM refunds WHERE state = 'succeeded'", 250)
    assert market.truth()["refunded"] == 250
    assert len(market.lot.prepares) == 1
    (document,) = [document for document in market.lot.documents if document.kind == CHANGE]
    told = change_from(document.body)
    assert told.window.ends_at == datetime.fromisoformat(booking["ends_at"]) - timedelta(hours=1)
    await until(market.here, "SELECT sum(give_back_minor) FROM reservations", 0)


async def test_a_change_that_is_lost_leaves_the_booking_as_it_was_and_its_money_free(market: Market) -> None:
    booking = await booked(market)
    told = (await change(market, booking, **window(booking, later_h=5, longer_h=1))).json()
    await pay(market, told)
    market.lot.full = True
    lost = await market.driver.confirm(booking["id"])
    assert (lost.status_code, lost.json()["reason"]) == (409, "full")
    assert [one["type"] for one in lost.json()["alternatives"]] == ["ev"]
    seen = (await market.driver.get(booking["id"])).json()
    assert (seen["revision"], seen["status"], seen["change"]) == (1, "active", None)
    await until(market.here, "SELECT count(*) FROM payments WHERE standing = 'void'", 1)
    assert (await market.driver.get(f"{booking['id']}/pass")).json()["revision"] == 1
    assert one(market.here, "SELECT count(*) FROM claims WHERE state = 'firm'") == 1


async def test_another_wish_takes_the_place_of_an_open_change_and_a_cancellation_ends_both(
    market: Market,
) -> None:
    booking = await booked(market)
    first = (await change(market, booking, **window(booking, longer_h=1))).json()
    second = (await change(market, booking, **window(booking, longer_h=2))).json()
    assert (first["change"]["revision"], second["change"]["revision"]) == (2, 3)
    assert (second["change"]["amount_minor"], (await market.driver.cancel(booking["id"])).status_code) == (
        1000,
        202,
    )
    assert (
        one(market.here, "SELECT string_agg(state, ' ' ORDER BY revision) FROM reservations")
        == "committed aborted aborted"
    )
    await market.lot.release(booking["id"])
    await until(market.here, "SELECT status FROM reservations WHERE revision = 1", "cancelled")
    assert one(market.here, "SELECT sum(amount_minor) FROM refunds") == 500


async def test_a_change_that_cannot_be_is_refused_by_name_and_changes_nothing(market: Market) -> None:
    booking = await booked(market)
    longer = window(booking, longer_h=1)
    refusals = [
        (await change(market, booking, **longer, revision=7), 409, "revision"),
        (await change(market, booking, **longer, revision=0), 422, "body.revision"),
        (await change(market, booking, **longer, colour="red"), 422, "body.colour"),
        (await change(market, {"id": str(uuid4())}, **longer), 404, "reservation"),
        (await change(market, booking, **window(booking, later_h=-1, longer_h=2)), 400, "starts_at"),
        (await change(market, booking, **window(booking, longer_h=-3)), 400, "ends_at"),
        (await change(market, booking, **window(booking, longer_h=24 * 40)), 400, "ends_at"),
    ]
    for answer, status, field in refusals:
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field), answer.text
    assert one(market.here, "SELECT count(*) FROM reservations") == 1
    same = await change(market, booking, **window(booking))
    assert (same.status_code, same.json()["revision"]) == (200, 1)
    drafted = await market.driver.draft()
    undecided = await change(market, drafted, **window(drafted, longer_h=1))
    assert (undecided.status_code, undecided.json()["errors"][0]["field"]) == (409, "status")


@pytest.mark.parametrize("is_line_up", [True, False], ids=["by the lot's vote", "on the cloud's own place"])
async def test_a_booking_moves_to_another_time_and_lets_its_first_place_go(
    market: Market,
    is_line_up: bool,
) -> None:
    booking = await booked(market)
    if not is_line_up:
        await hang_up(market.here, market.lot)
        with connect(market.here.database_url) as connection:
            connection.execute(b"UPDATE parking_spots SET owner = 'cloud' WHERE number = 'R-004'")
    answer = await change(market, booking, **window(booking, later_h=5))
    assert (answer.status_code, answer.json()["revision"]) == (200, 2), answer.text
    firm = "SELECT count(*) FROM claims WHERE state = 'firm'"
    assert one(market.here, firm) == 2
    kinds = (
        "SELECT string_agg(kind, ' ' ORDER BY n) FROM gateway_documents WHERE kind IN ('decision', 'change')"
    )
    assert one(market.here, kinds) == "decision change decision"
