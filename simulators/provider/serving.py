"""The provider's HTTP server, for its own process and for tests in theirs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn

from simulators.provider.provider import Provider
from simulators.provider.wire import BY_NAME, build_provider_app

FINISH_WITHIN_S = 1


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@contextlib.asynccontextmanager
async def served(provider: Provider, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Serve `provider` while the block lasts, as its books say that it is; gives the port. Port 0 takes a free one.

    Raises:
        OSError: the address cannot be listened on.
    """
    # Cut-off answers are what is ordered; uvicorn calls them errors.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    with socket.create_server((host, port), backlog=512) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            build_provider_app(provider),
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=FINISH_WITHIN_S,
        )
        provider.reopen(BY_NAME)
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="provider http")
        agenda = asyncio.create_task(provider.agenda.run(), name="provider agenda")
        try:
            await server.listening.wait()
            provider.webhooks.resume()
            yield listener.getsockname()[1]
        finally:
            agenda.cancel()
            await provider.webhooks.close()
            server.should_exit = True
            await serving
