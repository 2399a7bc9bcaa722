"""A plate camera in front of the agent's own listener, as the agent serves it: requests over TCP, the camera's token, the body's limit."""

from __future__ import annotations

import asyncio
import itertools
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import uvicorn
from fastapi import FastAPI

from drivers.ports import Command, PlateReading, Push, PushedDriver, Reading
from drivers.registry import make_driver
from edge.api.body_limit import BodyLimit
from edge.api.camera_endpoints import LARGER, PATH, camera_endpoints
from edge.api.devices import Device, Devices, Role
from edge.api.problems import answer_with_problems
from simulators.wire.camera import CAMERAS, CameraWire, Request, Seen

NAME, TOKEN = "camera-in", "token-of-camera-in"
BEGAN_AT = datetime(2026, 11, 24, 8, 15, tzinfo=UTC)
KNOWN = Device(name=NAME, role=Role.CAMERA, token_sha256=sha256(TOKEN.encode()).hexdigest(), lane="in")
_events = itertools.count(1)


class CameraRig:
    """A camera of Dahua, which says every 50 ms that it lives. What it says that nobody reads may hold a plate, and is not kept."""

    command: Command | None = None
    rubbish = b"\xff\xfeneither a plate nor a sign of life"
    keeps_rubbish = False

    def __init__(self, *, format_: str = "dahua", heartbeat_s: float | None = 1.0) -> None:
        table = {"format": format_} | ({} if heartbeat_s is None else {"heartbeat_s": heartbeat_s})
        self.driver = make_driver("plate_camera", NAME, table)
        self.format = format_
        self._socket = socket.create_server(("127.0.0.1", 0))
        port = self._socket.getsockname()[1]
        config = uvicorn.Config(
            _app(self), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._serving = asyncio.get_running_loop().create_task(self._server._serve([self._socket]))
        self.wire = CameraWire(url=f"http://127.0.0.1:{port}{PATH}/{NAME}", token=TOKEN)

    async def push(self, device: str, push: Push) -> None:
        assert device == NAME
        assert isinstance(self.driver, PushedDriver)
        await self.driver.push(push)

    def lose(self) -> None:
        self.wire.stop()

    def bring_back(self) -> None:
        if self.format == "dahua":
            self.wire.start()

    async def close(self) -> None:
        self.lose()
        self._server.should_exit = True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._serving, 5)
        self._socket.close()

    async def speak(self, word: int) -> None:
        await self.wire.push(self.request(word))

    async def talk_rubbish(self) -> None:
        await self.wire.push(Request(content_type="text/plain", body=self.rubbish))

    def request(self, word: int) -> Request:
        """A vehicle, each time another event."""
        event = next(_events)
        at = BEGAN_AT + timedelta(seconds=event)
        return CAMERAS[self.format](Seen(plate=f"AB{word:02d} CDE", number=event, at=at))

    def said(self, reading: Reading, word: int) -> bool:
        return isinstance(reading, PlateReading) and reading.plate.upper() == f"AB{word:02d} CDE"


def _app(rig: CameraRig) -> FastAPI:
    app = FastAPI()
    answer_with_problems(app, lambda _kind: None)
    app.include_router(camera_endpoints(rig, Devices([KNOWN])))
    app.add_middleware(BodyLimit, larger=LARGER)
    return app
