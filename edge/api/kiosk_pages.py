"""The kiosk's page, and its forms for a browser without script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from edge.api.desk import Answer, Desk
from edge.api.devices import Devices, Role, keep_token
from edge.api.pages.renderer import Renderer
from edge.api.problems import Problem
from parking.lot import SpotType

Deed = Callable[[str, Mapping[str, str]], Awaitable[Answer]]


def kiosk_pages(desk: Desk, devices: Devices, renderer: Renderer) -> APIRouter:
    """The routes under /kiosk."""
    router = APIRouter(include_in_schema=False)
    deeds = _deeds(desk)

    @router.get("/kiosk/{lane}")
    async def page(
        lane: str, request: Request, lang: str | None = None, token: str | None = None
    ) -> Response:
        """The lane's screen. ?token= signs the device in, once, and leaves the address."""
        if token is not None:
            return signed_in(request, devices, token, f"/kiosk/{quote(lane, safe='')}")
        try:
            devices.asking(request, Role.KIOSK, lane)
        except Problem as problem:
            return HTMLResponse(renderer.sign_in(problem, lane), problem.status_code)
        query = request.query_params
        html = renderer.kiosk(
            desk.lane_view(lane),
            renderer.language(lang),
            contrast=query.get("contrast") == "1",
            choosing="languages" in query,
        )
        return HTMLResponse(html)

    @router.post("/kiosk/{lane}/{verb}")
    async def act(lane: str, verb: str, request: Request) -> Response:
        """What a form of the page does; the screen shows what became of it."""
        devices.asking(request, Role.KIOSK, lane)
        deed = deeds.get(verb)
        if deed is None:
            raise Problem(
                404,
                "verb_unknown",
                f"A kiosk cannot {verb}.",
                field="verb",
                fix=f"Use one of {', '.join(deeds)}.",
            )
        await deed(lane, await form_of(request))
        return RedirectResponse(f"/kiosk/{quote(lane, safe='')}", 303)

    return router


def signed_in(request: Request, devices: Devices, token: str, path: str) -> Response:
    """Go on to `path` with the token's cookie.

    Raises:
        Problem: 401, no device has this token.
    """
    device = devices.with_token(token)
    if device is None:
        raise Problem(
            401,
            "device_unknown",
            "No device of this lot has this token.",
            field="token",
            fix="Copy the whole token; `lotgate edge check` lists the devices that lot.toml knows.",
        )
    answer = RedirectResponse(path, 303)
    keep_token(answer, device, token, secure=request.url.scheme == "https")
    return answer


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that a page sent, each once."""
    body = (await request.body()).decode("utf-8", "replace")
    return {name: values[-1] for name, values in parse_qs(body, max_num_fields=8).items()}


def _deeds(desk: Desk) -> dict[str, Deed]:
    async def button(lane: str, form: Mapping[str, str]) -> Answer:
        wanted = form.get("spot_type")
        known = {spot_type.value: spot_type for spot_type in SpotType}
        return await desk.press_button(lane, known.get(wanted or ""))

    async def pay(lane: str, _form: Mapping[str, str]) -> Answer:
        return await desk.pay(lane)

    async def call_help(lane: str, _form: Mapping[str, str]) -> Answer:
        return await desk.call_help(lane)

    async def end_help(lane: str, _form: Mapping[str, str]) -> Answer:
        return await desk.end_help(lane)

    return {"button": button, "pay": pay, "help": call_help, "end_help": end_help}
