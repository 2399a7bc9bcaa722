"""A lane for its devices: the kiosk's buttons, codes, plates and payments, and the stream that its screen lives on.

Story of a walk-in by the screen: the next file is edge/api/desk.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse

from edge.api.bodies import ButtonBody, CodeBody, OpenBody, PlateBody
from edge.api.desk import Answer, Desk, StayQuote
from edge.api.devices import Devices, Role
from edge.api.lane_json import lane_json, plain
from edge.api.pages.renderer import Renderer
from edge.api.problems import Problem
from edge.api.streams import BEAT_S, Streams, sse, with_beats
from parking.decision import Reason

QUOTE_STATUS = {Reason.UNREADABLE: 422, Reason.CREDENTIAL_UNKNOWN: 404, Reason.NO_SUCH_STAY: 404}
EVENT_STREAM = "text/event-stream"
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def lane_endpoints(
    desk: Desk, devices: Devices, renderer: Renderer, streams: Streams, *, beat_s: float = BEAT_S
) -> APIRouter:
    """The routes under /api/v1/lanes and /api/v1/stays."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/lanes/{lane}")
    async def view(lane: str, request: Request) -> JSONResponse:
        devices.asking(request, Role.KIOSK, lane)
        return JSONResponse(lane_json(desk.lane_view(lane)))

    @router.get("/lanes/{lane}/stream")
    async def stream(lane: str, request: Request, screen: str | None = None) -> StreamingResponse:
        """Events `view` (the lane as JSON); with ?screen=LANGUAGE also `screen` (its HTML) and `beat` (clock and theme)."""
        devices.asking(request, Role.KIOSK, lane)
        desk.lane_view(lane)
        streams.refuse_when_full()
        events = _lane_events(desk, renderer, streams, lane, screen=screen, beat_s=beat_s)
        return StreamingResponse(events, media_type=EVENT_STREAM, headers=STREAM_HEADERS)

    @router.post("/lanes/{lane}/button")
    async def button(lane: str, request: Request, body: ButtonBody | None = None) -> JSONResponse:
        devices.asking(request, Role.KIOSK, lane)
        return _answered(await desk.press_button(lane, body.spot_type if body else None))

    @router.post("/lanes/{lane}/code")
    async def code(lane: str, request: Request, body: CodeBody) -> JSONResponse:
        devices.asking(request, Role.KIOSK, lane)
        return _answered(await desk.present_code(lane, body.text))

    @router.post("/lanes/{lane}/plate")
    async def plate(lane: str, request: Request, body: PlateBody) -> JSONResponse:
        devices.asking(request, Role.CAMERA, lane)
        return _answered(await desk.present_plate(lane, body.plate, body.confidence))

    @router.post("/lanes/{lane}/pay")
    async def pay(lane: str, request: Request) -> JSONResponse:
        devices.asking(request, Role.KIOSK, lane)
        return _answered(await desk.pay(lane))

    @router.post("/lanes/{lane}/help")
    async def call_help(lane: str, request: Request) -> JSONResponse:
        devices.asking(request, Role.KIOSK, lane)
        return _answered(await desk.call_help(lane))

    @router.delete("/lanes/{lane}/help")
    async def end_help(lane: str, request: Request) -> JSONResponse:
        devices.asking(request, Role.KIOSK, lane)
        return _answered(await desk.end_help(lane))

    @router.post("/lanes/{lane}/open")
    async def open_lane(lane: str, request: Request, body: OpenBody) -> JSONResponse:
        devices.asking(request, Role.STAFF, lane)
        return _answered(await desk.open_with_reason(lane, body.by, body.reason))

    @router.post("/lanes/{lane}/admit")
    async def admit(lane: str, request: Request, body: OpenBody) -> JSONResponse:
        devices.asking(request, Role.STAFF, lane)
        return _answered(await desk.admit_with_reason(lane, body.by, body.reason))

    @router.post("/stays/quote")
    async def quote(request: Request, body: CodeBody) -> JSONResponse:
        """What a stay would cost now. Any kiosk may ask: who holds the ticket may know its price."""
        devices.asking_any(request, Role.KIOSK)
        quoted = await desk.quote(body.text)
        if not isinstance(quoted, StayQuote):
            raise Problem(
                QUOTE_STATUS.get(quoted.reason, 409),
                "no_quote",
                quoted.reason.sentence,
                field="text",
                fix="Send the whole text of a ticket of this lot.",
                reason=quoted.reason.value,
            )
        return JSONResponse(plain(quoted))

    return router


def _answered(answer: Answer) -> JSONResponse:
    reason = answer.reason.value if answer.reason else None
    if not answer.accepted:
        raise Problem(
            409, "not_now", answer.sentence, fix="Follow what the lane's screen asks for.", reason=reason
        )
    return JSONResponse({"accepted": True, "sentence": answer.sentence, "reason": reason}, 202)


async def _lane_events(
    desk: Desk, renderer: Renderer, streams: Streams, lane: str, *, screen: str | None, beat_s: float
) -> AsyncIterator[str]:
    language = renderer.language(screen)
    with streams.one():
        async for changed in with_beats(desk.watch(lane), beat_s):
            if changed is None:
                yield sse("beat", renderer.beat(desk.lane_view(lane), language))
                continue
            yield sse("view", lane_json(changed))
            if screen is not None:
                yield sse("screen", renderer.parts(changed, language))
