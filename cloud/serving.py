"""Serving over HTTP: one process, ended in order by SIGTERM or SIGINT.

At the signal the gateways are sent away first, with the delay after which to come back; then the listener closes and requests that
are under way may finish.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import structlog
import uvicorn

from cloud.app import build_app
from cloud.bootstrap import Cloud, running
from sync.messages import MAX_FRAME_BYTES

DRAIN_DELAY_MS = (500, 3_000)
DRAIN_WITHIN_S = 2.0
FINISH_WITHIN_S = 5
PING_S = 20.0


class Server(uvicorn.Server):
    """Uvicorn without its signal handlers, which would close the gateways' sockets before they are sent away."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.listening.set()


def configure_logging() -> None:
    """One JSON object a line on stderr, with the request's or gateway's ids."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


async def serve_until_signal(cloud: Cloud, *, host: str, port: int, port_file: Path | None) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        OSError: the address cannot be listened on.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(cloud, host=host, port=port, port_file=port_file, stop=stop)


async def serve(cloud: Cloud, *, host: str, port: int, port_file: Path | None, stop: asyncio.Event) -> None:
    """Serve until `stop`. Port 0 takes a free one; the one taken is written to `port_file` once it is served.

    Raises:
        OSError: the address cannot be listened on.
    """
    with socket.create_server((host, port), backlog=2048) as listener:
        # asyncio leaves this out for sockets made so, and each answer then waits 40 ms for the client's delayed acknowledgement
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with running(cloud):
            server = Server(_configuration(cloud))
            serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
            await _first_of(server.listening, serving)
            await cloud.events.listening.wait()
            _tell_port(listener.getsockname()[1], port_file)
            await _first_of(stop, serving)
            delay_ms = random.randint(*DRAIN_DELAY_MS)
            await cloud.links.drain(delay_ms=delay_ms, within_s=DRAIN_WITHIN_S)
            server.should_exit = True
            await serving


def _configuration(cloud: Cloud) -> uvicorn.Config:
    return uvicorn.Config(
        build_app(cloud),
        ws="websockets-sansio",
        ws_max_size=MAX_FRAME_BYTES,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=FINISH_WITHIN_S,
    )


async def _first_of(event: asyncio.Event, serving: asyncio.Task[None]) -> None:
    """Wait for `event`, or for the server's end."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _tell_port(port: int, port_file: Path | None) -> None:
    structlog.get_logger(__name__).info("serving", port=port)
    if port_file is None:
        return
    written = port_file.with_suffix(port_file.suffix + ".part")
    written.write_text(f"{port}\n", encoding="ascii")
    written.replace(port_file)
