"""The kiosk's booking pages: which space, when, how long, the price, the terminal, the ticket. All state of a choice is in the address.

Story "booking at the kiosk": the next file is edge/api/booking_desk.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from edge.api.booking_desk import BookingDesk, BookingOffer
from edge.api.desk import Desk, LaneView
from edge.api.devices import Devices, Role
from edge.api.kiosk_pages import form_of, signed_in
from edge.api.pages.booking_renderer import BookingRenderer, Choice, Page
from edge.api.pages.renderer import TYPE_ICONS
from edge.api.problems import Problem
from parking.decision import Reason, Refusal
from parking.interval import Interval
from parking.lot import SpotType

STARTS_H = (1, 2, 4, 8)
LENGTHS_H = (1, 2, 4, 8, 12, 24)
MORNING_H = 8
TYPES = {spot_type.value: spot_type for spot_type in SpotType}
CHOSEN = ("type", "start", "hours")


def booking_pages(
    desk: Desk, bookings: BookingDesk, devices: Devices, renderer: BookingRenderer
) -> APIRouter:
    """The routes under /kiosk/{lane}/book."""
    router = APIRouter(include_in_schema=False)

    def asked(lane: str, request: Request) -> Page:
        devices.asking(request, Role.KIOSK, lane)
        if not bookings.books_at(lane):
            fix = "Set a terminal for it in lot.toml."
            raise Problem(404, "no_terminal", "This lane sells no bookings.", fix=fix)
        return _page(desk.lane_view(lane), renderer, request)

    @router.get("/kiosk/{lane}/book")
    async def choose(lane: str, request: Request, token: str | None = None) -> Response:
        """The next thing to choose, or the price of what was chosen. ?token= signs a booking screen in, once."""
        if token is not None:
            return signed_in(request, devices, token, f"/kiosk/{quote(lane, safe='')}/book")
        page = asked(lane, request)
        return HTMLResponse(_step(page, bookings, renderer))

    @router.post("/kiosk/{lane}/book")
    async def book(lane: str, request: Request) -> Response:
        """The person pays what the page shows; where the price is another one by now, the page shows that first."""
        page = asked(lane, request)
        form = await form_of(request)
        chosen = {name: form[name] for name in CHOSEN if name in form}
        window, spot_type = _window(chosen), TYPES.get(chosen.get("type", ""))
        if window is None or spot_type is None:
            return RedirectResponse(page.link(), 303)
        offer = bookings.offer(lane, spot_type, window)
        if isinstance(offer, Refusal):
            return HTMLResponse(renderer.refused(page, offer.reason), 409)
        if str(offer.price.total_minor) != form.get("amount"):
            return RedirectResponse(page.link(**chosen), 303)
        begun = bookings.book(lane, spot_type, window)
        if isinstance(begun, Refusal):
            return HTMLResponse(renderer.refused(page, begun.reason), 409)
        contrast = "&contrast=1" if page.contrast else ""
        address = f"/kiosk/{quote(lane, safe='')}/book/{begun.id}"
        return RedirectResponse(f"{address}?lang={page.language.code}{contrast}", 303)

    @router.get("/kiosk/{lane}/book/{booking}")
    async def follow(lane: str, booking: str, request: Request) -> Response:
        """How far the booking is; one that is not known any more begins anew."""
        page = asked(lane, request)
        view = bookings.booking(lane, booking)
        if view is None:
            return RedirectResponse(f"{page.home}/book", 303)
        return HTMLResponse(renderer.booking(page, view))

    return router


def _page(view: LaneView, renderer: BookingRenderer, request: Request) -> Page:
    query = request.query_params
    return Page(
        view=view,
        path=quote(request.url.path),
        language=renderer.language(query.get("lang")),
        chosen={name: query[name][:32] for name in CHOSEN if name in query},
        contrast=query.get("contrast") == "1",
        languages="languages" in query,
    )


def _step(page: Page, bookings: BookingDesk, renderer: BookingRenderer) -> str:
    """The first thing that is not chosen yet. What an address says wrongly counts as not chosen."""
    types = [count.type for count in page.view.counts if count.total]
    wanted = TYPES.get(page.chosen.get("type", "")) or (types[0] if len(types) == 1 else None)
    if wanted is None:
        return renderer.choose(page, "book.type", list(_types(page, types)))
    start = _start(page.chosen)
    if start is None:
        return renderer.choose(page, "book.start", list(_starts(page)))
    window = _window(page.chosen)
    if window is None:
        return _lengths(page, bookings, renderer, wanted, start)
    offer = bookings.offer(page.view.lane, wanted, window)
    return renderer.refused(page, offer.reason) if isinstance(offer, Refusal) else renderer.offer(page, offer)


def _types(page: Page, types: list[SpotType]) -> Iterator[Choice]:
    for spot_type, icon in TYPE_ICONS.items():
        if spot_type in types:
            words = page.language.say(f"type.{spot_type.value}")
            yield Choice(words=words, icon=icon, chosen={"type": spot_type.value})


def _starts(page: Page) -> Iterator[Choice]:
    """Now, some full hours of the next, and the next morning."""
    view, zone = page.view, ZoneInfo(page.view.timezone)
    now = view.at.replace(second=0, microsecond=0)
    hour = view.at.replace(minute=0, second=0, microsecond=0)
    yield Choice(words=page.language.say("book.now"), chosen={"start": _stamp(now)})
    hours = [hour + timedelta(hours=ahead) for ahead in STARTS_H]
    for at in [*hours, *(at for at in [_morning(view, zone)] if at not in hours)]:
        words = page.language.moment(at, view.at, zone)
        yield Choice(words=words[:1].upper() + words[1:], chosen={"start": _stamp(at)})


def _morning(view: LaneView, zone: ZoneInfo) -> datetime:
    civil = view.at.astimezone(zone)
    morning = civil.replace(hour=MORNING_H, minute=0, second=0, microsecond=0, fold=0)
    return morning if morning > civil else morning + timedelta(days=1)


def _lengths(
    page: Page, bookings: BookingDesk, renderer: BookingRenderer, wanted: SpotType, start: datetime
) -> str:
    """The lengths that can be had from then on, each with its price."""
    reason, choices = Reason.FULL, []
    for hours in LENGTHS_H:
        length = timedelta(hours=hours)
        offer = bookings.offer(page.view.lane, wanted, Interval(start, start + length))
        if isinstance(offer, BookingOffer):
            price = page.language.money(offer.price.total_minor, offer.price.currency)
            words = page.language.say("time.h", n=hours)
            chosen = {"type": wanted.value, "hours": str(hours)}
            choices.append(Choice(words=words, small=price, chosen=chosen))
        elif hours == LENGTHS_H[0]:
            reason = offer.reason
    return renderer.choose(page, "book.length", choices) if choices else renderer.refused(page, reason)


def _stamp(at: datetime) -> str:
    return str(int(at.timestamp()) // 60)


def _start(chosen: Mapping[str, str]) -> datetime | None:
    """Minutes since 1970, as the address has them."""
    text = chosen.get("start", "")
    if not text.isdecimal() or len(text) > 9:
        return None
    return datetime.fromtimestamp(int(text) * 60, tz=UTC)


def _window(chosen: Mapping[str, str]) -> Interval | None:
    start, hours = _start(chosen), chosen.get("hours", "")
    if start is None or hours not in {str(each) for each in LENGTHS_H}:
        return None
    return Interval(start, start + timedelta(hours=int(hours)))
