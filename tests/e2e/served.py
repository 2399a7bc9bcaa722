"""The local API on a free port in a thread of the test's own process, so that a real browser can open it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI


class Served:
    """A running server: `url`, and `call` to do something on its loop."""

    def __init__(self, app: FastAPI) -> None:
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                host="127.0.0.1",
                port=0,
                log_level="warning",
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )
        self.loop = asyncio.new_event_loop()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._serve())
        self.loop.close()

    async def _serve(self) -> None:
        await self._server.serve([self._socket])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def start(self) -> None:
        self._thread.start()  # the socket listens already: a browser that comes early waits in its queue

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@contextmanager
def served(app: FastAPI) -> Iterator[Served]:
    server = Served(app)
    server.start()
    try:
        yield server
    finally:
        server.stop()
