"""The staff console: pages, their streams of changes, and the way in. Every page works without script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Annotated
from urllib.parse import parse_qs, urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from cloud.console.gates import order_of
from cloud.console.reading import ConsoleReader
from cloud.console.renderer import THEMES, Renderer
from cloud.errors import NotAuthenticated, NotFound, NotReady, Refused
from cloud.events import EventBus, Lagging
from cloud.staff import COOKIE, StaffTokens, staff

router = APIRouter(include_in_schema=False)

THEME_COOKIE = "lotgate_theme"
SESSION_S = 12 * 3600
STATIC_AGE_S = 31_536_000
BEAT_S = 5.0
SETTLE_S = 0.3
MOST_STREAMS = 64
LONGEST_FORM = 4_096
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

View = Callable[[], Awaitable[object]]


class Console:
    """The console's parts, and how many streams are open."""

    def __init__(
        self, *, reader: ConsoleReader, renderer: Renderer, bus: EventBus, tokens: StaffTokens
    ) -> None:
        self.reader = reader
        self.renderer = renderer
        self.bus = bus
        self.tokens = tokens
        self.streams = 0

    async def changes(self, name: str, view: View, lots: frozenset[UUID] | None) -> AsyncIterator[str]:
        """The main part of a page, now, soon after each change and at every beat; ends where the reader lags."""
        self.streams += 1
        subscription = self.bus.subscribe(lots=lots, depth=5_000)
        try:
            while True:
                html = self.renderer.part(name, await view())
                yield f"event: main\ndata: {json.dumps(html)}\n\n"
                try:
                    async with asyncio.timeout(BEAT_S):
                        await subscription.next()
                except TimeoutError:
                    continue
                except Lagging:
                    return  # the browser comes again by itself
                await asyncio.sleep(SETTLE_S)  # one picture for all that a commit brings
                subscription.drop_queued()
        finally:
            self.streams -= 1
            subscription.close()


@router.get("/")
async def root() -> Response:
    """Whoever comes by browser wants the console."""
    return RedirectResponse("/console", 307)


@router.get("/console")
async def overview(request: Request, token: str | None = None) -> Response:
    """The first page; with `?token=` it signs in."""
    if token is not None:
        return _signed_in(request, token)
    return await _page(request, "overview", "/console/stream", _console(request).reader.overview)


@router.get("/console/stream")
async def overview_stream(request: Request) -> Response:
    """Its changes."""
    return _stream(request, "overview", _console(request).reader.overview, None)


@router.get("/console/gateways")
async def gateways(request: Request) -> Response:
    """The fleet."""
    return await _page(request, "gateways", "/console/gateways/stream", _console(request).reader.gateways)


@router.get("/console/gateways/stream")
async def gateways_stream(request: Request) -> Response:
    """Its changes."""
    return _stream(request, "gateways", _console(request).reader.gateways, None)


@router.get("/console/lots")
async def lots(
    request: Request,
    q: Annotated[str, Query(max_length=100)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    """All lots that we know."""
    read = partial(_console(request).reader.lots, text=q.strip().replace("\0", ""), page=page)
    return await _page(request, "lots", "", read)


@router.get("/console/lots/{lot}")
async def lot_page(
    request: Request,
    lot: UUID,
    level: Annotated[str | None, Query(max_length=64)] = None,
    view: Annotated[str, Query(pattern="^(plan|table)$")] = "plan",
) -> Response:
    """A lot's page: a level as a plan or as a table."""
    chosen = {"view": view, **({} if level is None else {"level": level})}
    stream = f"/console/lots/{lot}/stream?{urlencode(chosen)}"
    read = partial(_console(request).reader.lot, lot, level=level, as_table=view == "table")
    return await _page(request, "lot", stream, read)


@router.post("/console/lots/{lot}")
async def open_lane(request: Request, lot: UUID) -> Response:
    """Open a lane of the lot from afar; back to its page, where it stands what became of it."""
    commands, reader = request.app.state.cloud.commands, _console(request).reader
    read = partial(reader.lot, lot, level=None, as_table=False)
    stream = f"/console/lots/{lot}/stream"
    try:
        who, form = staff(request), await _form(request)
        order = order_of(form, (await read(who)).gateway_id)
        await commands.outcome(await commands.send(who, form.get("key", "")[:200], order))
    except NotAuthenticated:
        return await _page(request, "lot", stream, read)
    except Refused as refused:
        page = await _page(request, "lot", stream, partial(read, problem=refused.detail))
        page.status_code = refused.status
        return page
    return RedirectResponse(f"/console/lots/{lot}#commands", 303)


@router.get("/console/lots/{lot}/stream")
async def lot_stream(
    request: Request,
    lot: UUID,
    level: Annotated[str | None, Query(max_length=64)] = None,
    view: Annotated[str, Query(pattern="^(plan|table)$")] = "plan",
) -> Response:
    """Its changes."""
    read = partial(_console(request).reader.lot, lot, level=level, as_table=view == "table")
    return _stream(request, "lot", read, frozenset({lot}))


@router.post("/console/sign-in")
async def sign_in(request: Request) -> Response:
    """Take a token from the form."""
    return _signed_in(request, (await _form(request)).get("token", ""))


@router.post("/console/sign-out")
async def sign_out(request: Request) -> Response:
    """Forget the token."""
    answer = HTMLResponse(_console(request).renderer.plain("sign_in", theme=_theme(request), problem=None))
    answer.headers.update(PAGE_HEADERS)
    answer.delete_cookie(COOKIE, path="/")
    return answer


@router.post("/console/theme")
async def theme(request: Request) -> Response:
    """Keep how the pages look; back to where the form stood."""
    form = await _form(request)
    chosen = form.get("theme", "")
    back = form.get("back", "")
    answer = RedirectResponse(back if back.startswith("/console") else "/console", 303)
    if chosen in THEMES:
        answer.set_cookie(THEME_COOKIE, chosen, max_age=STATIC_AGE_S, httponly=True, samesite="strict")
    return answer


@router.get("/console/static/{name}")
async def static(request: Request, name: str) -> Response:
    """A file that pages load; its address carries the content's fingerprint."""
    file = _console(request).renderer.files.get(name)
    if file is None:
        raise NotFound(f"there is no file {name}", "name", "reload the page")
    headers = {"Cache-Control": f"public, max-age={STATIC_AGE_S}, immutable"}
    return Response(file.content, media_type=file.media_type, headers=headers)


def _console(request: Request) -> Console:
    console: Console = request.app.state.cloud.console
    return console


async def _page(
    request: Request, name: str, stream: str, read: Callable[[str], Awaitable[object]]
) -> Response:
    renderer = _console(request).renderer
    try:
        view = await read(staff(request))
    except NotAuthenticated as refused:
        problem = refused.detail if COOKIE in request.cookies else None
        html = renderer.plain("sign_in", theme=_theme(request), problem=problem)
        return HTMLResponse(html, refused.status, headers=PAGE_HEADERS)
    except NotFound as missing:
        html = renderer.plain("missing", theme=_theme(request), problem=missing.detail)
        return HTMLResponse(html, missing.status, headers=PAGE_HEADERS)
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    html = renderer.page(name, view, theme=_theme(request), path=path, stream=stream)
    return HTMLResponse(html, headers=PAGE_HEADERS)


def _stream(
    request: Request, name: str, read: Callable[[str], Awaitable[object]], lots: frozenset[UUID] | None
) -> Response:
    console = _console(request)
    who = staff(request)
    if console.streams >= MOST_STREAMS:
        raise NotReady(f"{console.streams} pages listen already; close some")
    changes = console.changes(name, lambda: read(who), lots)
    return StreamingResponse(changes, media_type="text/event-stream", headers=STREAM_HEADERS)


def _signed_in(request: Request, token: str) -> Response:
    console = _console(request)
    try:
        console.tokens.name_of(token)
    except NotAuthenticated as refused:
        html = console.renderer.plain("sign_in", theme=_theme(request), problem=refused.detail)
        return HTMLResponse(html, refused.status, headers=PAGE_HEADERS)
    answer = RedirectResponse("/console", 303, headers=PAGE_HEADERS)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=SESSION_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _theme(request: Request) -> str:
    chosen = request.cookies.get(THEME_COOKIE, "auto")
    return chosen if chosen in THEMES else "auto"


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form. Only a browser sends one here, so a strange body is an empty form."""
    body = await request.body()
    if len(body) > LONGEST_FORM:
        return {}
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
