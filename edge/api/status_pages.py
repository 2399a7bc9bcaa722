"""How the box is: for the person with a wet phone, for the watchdog and for Prometheus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import ValidationError

from edge.api.bodies import OpenBody
from edge.api.desk import Desk
from edge.api.devices import Devices, Role
from edge.api.kiosk_pages import form_of, signed_in
from edge.api.lane_endpoints import EVENT_STREAM, STREAM_HEADERS
from edge.api.lane_json import plain
from edge.api.pages.renderer import Renderer
from edge.api.problems import Problem
from edge.api.streams import BEAT_S, Streams, every, sse
from parking.clock import Clock

SAID = {
    "opened": "Opened. Your name and your reason are on record.",
    "refused": "Not opened: the lane did not take it.",
}


def status_pages(
    desk: Desk,
    devices: Devices,
    renderer: Renderer,
    streams: Streams,
    *,
    clock: Clock,
    beat_s: float = BEAT_S,
) -> APIRouter:
    """The status page with its form, its stream and its JSON."""
    router = APIRouter()

    def main(said: str | None = None) -> str:
        return renderer.status_main(desk.status(), clock.monotonic(), said)

    @router.get("/", include_in_schema=False)
    async def page(request: Request, token: str | None = None, said: str | None = None) -> Response:
        if token is not None:
            return signed_in(request, devices, token, "/")
        try:
            devices.asking(request, Role.STAFF)
        except Problem as problem:
            return HTMLResponse(renderer.sign_in(problem), problem.status_code)
        return HTMLResponse(renderer.status(desk.status(), clock.monotonic(), SAID.get(said or "")))

    @router.post("/sign-in", include_in_schema=False)
    async def sign_in(request: Request) -> Response:
        form = await form_of(request)
        lane = form.get("lane")
        try:
            return signed_in(
                request, devices, form.get("token", ""), f"/kiosk/{quote(lane, safe='')}" if lane else "/"
            )
        except Problem as problem:
            return HTMLResponse(renderer.sign_in(problem, lane), problem.status_code)

    @router.post("/lanes/{lane}/open", include_in_schema=False)
    async def open_lane(lane: str, request: Request) -> Response:
        devices.asking(request, Role.STAFF, lane)
        body = _open_body(await form_of(request))
        answer = await desk.open_with_reason(lane, body.by, body.reason)
        return RedirectResponse(f"/?said={'opened' if answer.accepted else 'refused'}", 303)

    @router.get("/api/v1/status")
    async def status(request: Request) -> JSONResponse:
        devices.asking(request, Role.STAFF)
        return JSONResponse(plain(desk.status()))

    @router.get("/api/v1/status/stream")
    async def stream(request: Request) -> StreamingResponse:
        """Events `status`: the HTML of the page's main part, every two seconds."""
        devices.asking(request, Role.STAFF)
        streams.refuse_when_full()
        events = _status_events(main, streams, beat_s)
        return StreamingResponse(events, media_type=EVENT_STREAM, headers=STREAM_HEADERS)

    return router


def watch_points(desk: Desk, registry: CollectorRegistry) -> APIRouter:
    """/health (the loop answers), /ready (the lanes step) and /metrics, for machines of the lot's own network."""
    router = APIRouter()

    @router.get("/health")
    async def health() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @router.get("/ready")
    async def ready() -> JSONResponse:
        status = desk.status()
        waits = [fault.title for fault in status.faults if fault.stops]
        waits += [f"{lane.lane}: {lane.detail}" for lane in status.lanes if lane.state == "unread"]
        answer = {"ready": status.ready, "waits_for": waits, "clock": status.clock.quality}
        return JSONResponse(answer, 200 if status.ready else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _open_body(form: Mapping[str, str]) -> OpenBody:
    try:
        return OpenBody.model_validate(form)
    except ValidationError as wrong:
        raise RequestValidationError(wrong.errors()) from wrong


async def _status_events(main: Callable[[], str], streams: Streams, beat_s: float) -> AsyncIterator[str]:
    with streams.one():
        async for html in every(beat_s, main):
            yield sse("status", html)
