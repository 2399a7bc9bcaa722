"""Bookings at a kiosk as JSON, for devices that have no screen of ours: what a space costs, book it, what became of it.

Story "booking at the kiosk": the next file is edge/api/booking_desk.py.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from edge.api.bodies import BookingBody
from edge.api.booking_desk import BookingDesk, BookingView
from edge.api.devices import Devices, Role
from edge.api.lane_json import plain
from edge.api.problems import Problem
from parking.decision import Refusal
from parking.interval import Interval


def booking_endpoints(bookings: BookingDesk, devices: Devices) -> APIRouter:
    """The routes under /api/v1/lanes/{lane}/bookings."""
    router = APIRouter(prefix="/api/v1/lanes/{lane}/bookings")

    @router.post("/quote")
    async def quote(lane: str, request: Request, body: BookingBody) -> JSONResponse:
        """What a space would cost now; changes nothing."""
        devices.asking(request, Role.KIOSK, lane)
        offer = bookings.offer(lane, body.type, _window(body))
        if isinstance(offer, Refusal):
            raise _refused(offer)
        return JSONResponse(
            {"type": offer.type.value, "window": _plain_window(offer.window), "price": plain(offer.price)}
        )

    @router.post("")
    async def book(lane: str, request: Request, body: BookingBody) -> JSONResponse:
        """Hold a space and ask the lane's terminal for the money; the answer says under which id to look."""
        devices.asking(request, Role.KIOSK, lane)
        if not bookings.books_at(lane):
            raise Problem(
                409, "no_terminal", "This lane has no terminal.", fix="Book at a lane that has a terminal."
            )
        begun = bookings.book(lane, body.type, _window(body))
        if isinstance(begun, Refusal):
            raise _refused(begun)
        return JSONResponse(booking_json(begun), 202)

    @router.get("/{booking}")
    async def look(lane: str, booking: str, request: Request) -> JSONResponse:
        """What became of it; its ticket once it is sold."""
        devices.asking(request, Role.KIOSK, lane)
        view = bookings.booking(lane, booking)
        if view is None:
            raise Problem(
                404, "booking_unknown", "No booking of this name began at this lane lately.", field="booking"
            )
        return JSONResponse(booking_json(view))

    return router


def booking_json(view: BookingView) -> dict[str, object]:
    """A booking as JSON."""
    return {
        "id": view.id,
        "state": view.state.value,
        "type": view.type.value,
        **_plain_window(view.window),
        "amount_minor": view.amount_minor,
        "currency": view.currency,
        "ticket": None if view.ticket is None else plain(view.ticket),
        "reason": None if view.reason is None else view.reason.value,
    }


def _plain_window(window: Interval) -> dict[str, object]:
    return {"starts_at": plain(window.starts_at), "ends_at": plain(window.ends_at)}


def _window(body: BookingBody) -> Interval:
    try:
        return Interval(body.starts_at, body.ends_at)
    except ValueError as error:
        raise Problem(
            422, "window_wrong", str(error), field="ends_at", fix="Choose an end after the start."
        ) from error


def _refused(refusal: Refusal) -> Problem:
    return Problem(
        409,
        "not_sold",
        refusal.reason.sentence,
        fix="Choose another time, type or car park.",
        reason=refusal.reason.value,
    )
