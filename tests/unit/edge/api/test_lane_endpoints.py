from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest
from fastapi import FastAPI
from starlette.requests import Request

from edge.api.desk import Screen, StayQuote
from edge.api.devices import Devices
from edge.api.lane_endpoints import lane_endpoints
from edge.api.pages.renderer import Renderer
from edge.api.pages.wording import load_languages
from edge.api.streams import Streams, with_beats
from parking.decision import Reason, Refusal
from parking.lot import SpotType
from tests.unit.edge.api.conftest import Caller
from tests.unit.edge.api.scenes import DEVICES, ENTRY, PRICE, SCREENS, SITE, STAY, TICKET, TOKENS
from tests.unit.edge.api.staged_desk import StagedDesk


async def test_every_deed_reaches_the_desk_as_it_was_meant(caller: Caller, desk: StagedDesk) -> None:
    async with caller("staff") as client:
        await client.post("/api/v1/lanes/lane-1/button")
        await client.post("/api/v1/lanes/lane-1/button", json={"spot_type": "ev"})
        await client.post("/api/v1/lanes/lane-1/code", json={"text": " LG1 A B "})
        await client.post("/api/v1/lanes/lane-1/plate", json={"plate": "BX71 KLM", "confidence": 0.5})
        await client.post("/api/v1/lanes/lane-3/pay")
        await client.post("/api/v1/lanes/lane-3/help")
        await client.delete("/api/v1/lanes/lane-3/help")
        await client.post("/api/v1/lanes/lane-1/admit", json={"by": "Amina", "reason": "a doctor"})
        await client.post("/api/v1/lanes/lane-3/open", json={"by": " Amina ", "reason": "stuck card"})
    assert desk.done == [
        ("button", "lane-1", None),
        ("button", "lane-1", SpotType.EV),
        ("code", "lane-1", " LG1 A B "),
        ("plate", "lane-1", "BX71 KLM", 0.5),
        ("pay", "lane-3"),
        ("help", "lane-3"),
        ("end_help", "lane-3"),
        ("admit", "lane-1", "Amina", "a doctor"),
        ("open", "lane-3", "Amina", "stuck card"),
    ]


async def test_the_view_tells_what_the_simulated_driver_reads_off_the_screen(
    caller: Caller, desk: StagedDesk
) -> None:
    desk.show(SCREENS["entry-ticket"])
    async with caller("kiosk-1") as client:
        view = (await client.get("/api/v1/lanes/lane-1")).json()
    assert view["screen"] == "ticket"
    assert view["ticket"]["text"] == TICKET.text
    assert view["ticket"]["qr_svg"].startswith("<svg")
    assert (view["now"], view["timezone"], view["link"]) == (
        "2026-11-24T14:05:00.000Z",
        "Europe/London",
        "up",
    )
    assert view["sellable_total"] == 214
    assert view["counts"][1] == {"type": "ev", "sellable": 6, "total": 24}
    assert view["refusal"] is None


async def test_a_refusal_carries_its_sentence(caller: Caller, desk: StagedDesk) -> None:
    desk.show(SCREENS["entry-full"])
    async with caller("kiosk-1") as client:
        view = (await client.get("/api/v1/lanes/lane-1")).json()
    assert view["refusal"] == {"reason": "full", "sentence": "The car park is full."}


async def test_any_kiosk_may_ask_what_a_ticket_costs(caller: Caller, desk: StagedDesk) -> None:
    desk.quoted = StayQuote(stay=STAY, price=PRICE)
    async with caller("kiosk-1") as client:
        quote = (await client.post("/api/v1/stays/quote", json={"text": "LG1:AB"})).json()
    assert (
        quote["price"]["total_minor"] == sum(line["amount_minor"] for line in quote["price"]["lines"]) == 1200
    )


@pytest.mark.parametrize(
    ("reason", "status"), [(Reason.NO_SUCH_STAY, 404), (Reason.UNREADABLE, 422), (Reason.ALREADY_LEFT, 409)]
)
async def test_a_ticket_without_a_price_says_why(
    caller: Caller, desk: StagedDesk, reason: Reason, status: int
) -> None:
    desk.quoted = Refusal(reason=reason)
    async with caller("kiosk-3") as client:
        answer = await client.post("/api/v1/stays/quote", json={"text": "LG1:AB"})
    assert (answer.status_code, answer.json()["reason"]) == (status, reason.value)


def streaming(desk: StagedDesk, streams: Streams, beat_s: float) -> object:
    renderer = Renderer(load_languages(), SITE)
    router = lane_endpoints(desk, Devices(DEVICES), renderer, streams, beat_s=beat_s)
    return next(route for route in router.routes if getattr(route, "path", "").endswith("/stream"))


def events_of(frame: str) -> tuple[str, object]:
    event, data = frame.strip().split("\n", 1)
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_a_screen_hears_the_view_at_once_each_change_after_it_and_a_beat_in_silence(
    desk: StagedDesk,
) -> None:
    streams = Streams()
    endpoint = streaming(desk, streams, beat_s=0.01).endpoint  # type: ignore[attr-defined]  # a route of fastapi
    request = Request(
        {
            "type": "http",
            "headers": [(b"authorization", f"Bearer {TOKENS['kiosk-1']}".encode())],
            "query_string": b"",
        }
    )
    events = (await endpoint("lane-1", request, screen="de")).body_iterator
    first, screen = events_of(await anext(events)), events_of(await anext(events))
    assert first[0] == "view"
    assert screen[0] == "screen"
    assert "Willkommen" in str(screen[1])
    assert streams.open == 1
    beat = events_of(await anext(events))
    assert beat == ("beat", {"clock": "14:05", "theme": "light"})
    desk.show(replace(ENTRY, screen=Screen.DETECTED))
    heard = [events_of(await anext(events)) for _ in range(2)]
    while heard[0][0] == "beat":
        heard = [heard[1], events_of(await anext(events))]
    assert heard[0][1]["screen"] == "detected"  # type: ignore[index]  # the view's JSON
    await events.aclose()
    assert streams.open == 0


async def test_the_source_of_a_stream_is_let_go_with_its_listener() -> None:
    let_go = asyncio.Event()

    async def endless() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            let_go.set()

    async with aclosing(with_beats(endless(), 0.01)) as listening:
        assert await anext(listening) == 1
        assert await anext(listening) is None
    await asyncio.wait_for(let_go.wait(), 1)


async def test_more_pages_than_the_box_can_bear_are_told_to_come_back(app: FastAPI, caller: Caller) -> None:
    streams = Streams(limit=1)
    with streams.one(), pytest.raises(Exception, match="1 pages listen already"):
        streams.refuse_when_full()
    streams.refuse_when_full()
