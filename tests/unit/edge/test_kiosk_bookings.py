"""A person books at a kiosk's screen: the choices, the price, the terminal, the ticket; in pages and in JSON, on the real ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest_asyncio
from httpx import ASGITransport, AsyncClient
from prometheus_client import CollectorRegistry

from edge.api.app import make_app
from edge.api.booking_desk import BookingState, BookingView
from edge.api.desk import TypeCount
from edge.kiosk_bookings import KioskBookings
from parking.clock import CivilScale, ScaledClock
from parking.decision import Reason, Refusal
from parking.interval import Interval
from parking.lot import SpotType
from tests.unit.edge.api.scenes import DEVICES, ENTRY, EXIT, SITE, STATUS, TOKENS
from tests.unit.edge.api.staged_desk import StagedDesk
from tests.unit.edge.lot_at_work import LotAtWork, until

LANE = "lane-3"
KIOSK = {"Authorization": f"Bearer {TOKENS['kiosk-3']}"}


def bookings_of(lot: LotAtWork) -> KioskBookings:
    lot.terminals.names = {LANE: "terminal-1", "exit-2": "terminal-2"}
    return KioskBookings(
        sales=lot.sales,
        clock=lot.premises.clock,
        new_id=lot.new_id,
        is_paying=lambda _: False,
        failed=lot.failed,
    )


def window(lot: LotAtWork, hours: int = 2) -> Interval:
    now = lot.premises.clock.now()
    return Interval(now + timedelta(hours=1), now + timedelta(hours=1 + hours))


def begun(bookings: KioskBookings, lot: LotAtWork) -> BookingView:
    view = bookings.book(LANE, SpotType.REGULAR, window(lot))
    assert isinstance(view, BookingView)
    return view


def state(bookings: KioskBookings, view: BookingView) -> BookingState:
    now = bookings.booking(LANE, view.id)
    assert now is not None
    return now.state


async def test_a_second_touch_meets_the_booking_that_began_and_another_person_waits(lot: LotAtWork) -> None:
    bookings = bookings_of(lot)
    lot.terminal.thinks = asyncio.Event()
    view = begun(bookings, lot)
    assert begun(bookings, lot) == view
    other = bookings.book(LANE, SpotType.EV, window(lot))
    assert other == Refusal(reason=Reason.TERMINAL_BUSY)
    lot.terminal.thinks.set()
    await until(lambda: state(bookings, view) is BookingState.SOLD)
    assert lot.terminal.charges == 1
    assert bookings.booking("exit-2", view.id) is None


async def test_while_a_car_pays_at_the_lane_its_terminal_sells_no_booking(lot: LotAtWork) -> None:
    bookings = bookings_of(lot)
    bookings.is_paying = lambda _: True
    assert bookings.book(LANE, SpotType.REGULAR, window(lot)) == Refusal(reason=Reason.TERMINAL_BUSY)


async def test_a_bank_that_answers_late_is_told_on_the_screen_once_it_does(lot: LotAtWork) -> None:
    bookings = bookings_of(lot)
    lot.terminal.mute = True
    view = begun(bookings, lot)
    await until(lambda: state(bookings, view) is BookingState.UNKNOWN)
    lot.terminal.mute = False
    await lot.sales.resolve_pending()
    shown = bookings.booking(LANE, view.id)
    assert shown is not None
    assert (shown.state, shown.ticket is not None) == (BookingState.SOLD, True)


@pytest_asyncio.fixture
async def kiosk(lot: LotAtWork) -> AsyncIterator[AsyncClient]:
    counts = (
        TypeCount(type=SpotType.REGULAR, sellable=2, total=2),
        TypeCount(type=SpotType.EV, sellable=1, total=1),
    )
    at = lot.premises.clock.now()
    desk = StagedDesk({"lane-1": ENTRY, LANE: replace(EXIT, counts=counts, at=at)}, STATUS)
    scale = CivilScale(anchor_at=at, anchor_monotonic=0.0, speed=1)
    clock = ScaledClock(source=lambda: 0.0, scale=scale)
    app = make_app(desk, DEVICES, clock, SITE, CollectorRegistry(), bookings=bookings_of(lot))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://lot", headers=KIOSK) as client:
        yield client


def links(html: str) -> list[str]:
    """Where the choices of a page lead."""
    parts = html.split('id="choice-')[1:]
    return [part.split('href="')[1].split('"')[0].replace("&amp;", "&") for part in parts]


def field(html: str, name: str) -> str:
    return html.split(f'name="{name}" value="')[1].split('"', maxsplit=1)[0]


async def test_a_person_chooses_pays_and_photographs_the_code(lot: LotAtWork, kiosk: AsyncClient) -> None:
    html = (await kiosk.get(f"/kiosk/{LANE}/book?lang=en")).text
    assert "Which space do you need?" in html
    html = (await kiosk.get(links(html)[0])).text
    assert "When do you come?" in html
    html = (await kiosk.get(links(html)[2])).text
    assert "How long do you stay?" in html
    assert "£6.00" in html
    offer = await kiosk.get(links(html)[1])
    assert "Pay £6.00" in offer.text
    form = {name: field(offer.text, name) for name in ("type", "start", "hours", "amount")}
    paying = await kiosk.post(f"/kiosk/{LANE}/book?lang=en", data=form)
    assert paying.status_code == 303
    await until(lambda: lot.sales.outcomes["sold"] == 1)
    sold = await kiosk.get(paying.headers["Location"])
    assert 'data-step="sold"' in sold.text
    assert "Photograph this code" in sold.text


async def test_a_price_that_changed_meanwhile_is_shown_before_it_is_paid(
    lot: LotAtWork, kiosk: AsyncClient
) -> None:
    start = str(int(window(lot).starts_at.timestamp()) // 60)
    form = {"type": "regular", "start": start, "hours": "2", "amount": "1"}
    answer = await kiosk.post(f"/kiosk/{LANE}/book?lang=en", data=form)
    assert answer.status_code == 303
    assert "Pay £6.00" in (await kiosk.get(answer.headers["Location"])).text
    assert lot.terminal.asked == []


async def test_where_nothing_is_free_the_page_says_so_and_leads_back(
    lot: LotAtWork, kiosk: AsyncClient
) -> None:
    for _ in range(2):
        await lot.come_in()
    start = int(lot.premises.clock.now().timestamp()) // 60
    html = (await kiosk.get(f"/kiosk/{LANE}/book?lang=en&type=regular&start={start}")).text
    assert "The car park is full" in html
    assert 'id="again"' in html


async def test_what_an_address_says_wrongly_counts_as_not_chosen(kiosk: AsyncClient) -> None:
    for wrong in (
        "type=boat",
        "type=ev&start=tomorrow",
        "type=ev&start=99999999999",
        "type=ev&start=1&hours=x",
    ):
        answer = await kiosk.get(f"/kiosk/{LANE}/book?{wrong}")
        assert answer.status_code == 200, wrong


async def test_a_lane_without_a_terminal_books_nothing(kiosk: AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {TOKENS['kiosk-1']}"}
    assert (await kiosk.get("/kiosk/lane-1/book", headers=headers)).status_code == 404


async def test_a_booking_over_json_is_quoted_begun_and_followed(lot: LotAtWork, kiosk: AsyncClient) -> None:
    wanted = window(lot)
    assert wanted.ends_at is not None
    body = {
        "type": "regular",
        "starts_at": wanted.starts_at.isoformat(),
        "ends_at": wanted.ends_at.isoformat(),
    }
    address = f"/api/v1/lanes/{LANE}/bookings"
    assert (await kiosk.post(f"{address}/quote", json=body)).json()["price"]["total_minor"] == 600
    begun = await kiosk.post(address, json=body)
    assert (begun.status_code, begun.json()["state"]) == (202, "paying")
    await until(lambda: lot.sales.outcomes["sold"] == 1)
    told = (await kiosk.get(f"{address}/{begun.json()['id']}")).json()
    assert told["state"] == "sold"
    assert told["ticket"]["text"].startswith("LG1:")
    assert (await kiosk.get(f"{address}/nobody")).status_code == 404
    backwards = await kiosk.post(address, json={**body, "ends_at": body["starts_at"]})
    assert (backwards.status_code, backwards.json()["field"]) == (422, "ends_at")
    no_offset = await kiosk.post(address, json={**body, "ends_at": "2026-11-24T14:00:00"})
    assert (no_offset.status_code, "offset" in no_offset.json()["fix"]) == (422, True)
