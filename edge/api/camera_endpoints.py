"""Where plate cameras push to. The body goes to the camera's driver (drivers/camera/driver.py); the answer comes after durability.

A camera is a device of the lot with a token of its own, and the token alone says which camera it is: [[devices]] with role "camera" and the
name of its driver. Cameras can be told an address and sometimes a user and a password, seldom a header; so the token is also taken as
the password of HTTP Basic, or as ?token= of the address.
"""

from __future__ import annotations

import base64
import binascii
from typing import Protocol

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from drivers.errors import CommandRefused, DeviceUnreachable, MalformedInput
from drivers.ports import Push
from edge.api.devices import Devices, Role
from edge.api.problems import Problem
from edge.errors import LedgerFull

PATH = "/api/v1/cameras"
ITSAPI_PATH = "/NotificationInfo"
MOST_BODY_BYTES = 4 * 1024 * 1024
LARGER = {f"{PATH}/": MOST_BODY_BYTES, f"{ITSAPI_PATH}/": MOST_BODY_BYTES}
MOST_AT_ONCE = 4
RETRY_S = 2


class Cameras(Protocol):
    """Whoever has the cameras' drivers."""

    async def push(self, device: str, push: Push) -> None:
        """Hand a body to the driver `device`; returns once what it says is durable.

        Raises:
            DriverError: as `drivers.ports.PushedDriver.push`.
        """
        ...


def camera_endpoints(cameras: Cameras, devices: Devices) -> APIRouter:
    """The cameras' addresses: one each, and the fixed ones of Dahua's ITSAPI."""
    router = APIRouter()
    in_hand: set[object] = set()

    async def take(request: Request, named: str | None) -> JSONResponse:
        camera = _camera_asking(request, devices, named)
        if len(in_hand) >= MOST_AT_ONCE:
            raise _later("too_many", f"{MOST_AT_ONCE} cameras are being listened to.")
        turn = object()
        in_hand.add(turn)
        try:
            await _handed(cameras, camera, await _pushed(request))
        finally:
            in_hand.discard(turn)
        return JSONResponse({"accepted": True})

    @router.post(PATH + "/{camera}")
    async def push(camera: str, request: Request) -> JSONResponse:
        return await take(request, camera)

    @router.post(ITSAPI_PATH + "/{word}", include_in_schema=False)
    async def itsapi(word: str, request: Request) -> JSONResponse:  # noqa: ARG001 - the body says what it is
        return await take(request, None)

    return router


async def _pushed(request: Request) -> Push:
    try:
        return Push(content_type=request.headers.get("content-type", ""), body=await request.body())
    except ClientDisconnect as gone:
        raise Problem(400, "hung_up", "The camera hung up before its body had ended.", field="body") from gone


async def _handed(cameras: Cameras, camera: str, push: Push) -> None:
    try:
        await cameras.push(camera, push)
    except MalformedInput as wrong:
        raise Problem(
            400,
            "malformed",
            str(wrong),
            field=wrong.field,
            fix="Compare the camera's format with the driver's in lot.toml; lotgate decode --format anpr reads a body.",
        ) from wrong
    except CommandRefused as refused:
        raise Problem(
            404,
            "not_a_camera",
            str(refused),
            field="camera",
            fix="Name the driver of a camera, see lot.toml.",
        ) from refused
    except (DeviceUnreachable, LedgerFull) as not_now:
        raise _later("not_now", str(not_now)) from not_now


def _later(kind: str, why: str) -> Problem:
    return Problem(503, kind, why, fix="Send it again later.", headers={"Retry-After": str(RETRY_S)})


def _camera_asking(request: Request, devices: Devices, named: str | None) -> str:
    """The name of the camera whose token came along.

    Raises:
        Problem: 401 where it is no camera's, or that of another camera than the address names.
    """
    for token in _tokens_of(request):
        device = devices.with_token(token)
        if device is not None and device.role is Role.CAMERA and named in {None, device.name}:
            return device.name
    raise Problem(
        401,
        "device_unknown",
        "No camera of this lot sent this.",
        field="Authorization",
        fix="Send the camera's own token: Authorization: Bearer TOKEN, as the password, or as ?token=TOKEN in the address.",
        headers={"WWW-Authenticate": 'Basic realm="lotgate"'},
    )


def _tokens_of(request: Request) -> list[str]:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    tokens = [request.query_params.get("token", "")]
    if scheme.lower() == "bearer":
        tokens.append(credentials.strip())
    elif scheme.lower() == "basic":
        tokens.append(_password(credentials))
    return [token for token in tokens if token]


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
