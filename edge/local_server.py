"""Serves the local API inside the agent's own event loop, on the address of the settings; the port taken is written down."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

GRACEFUL_S = 1


class _QuietServer(uvicorn.Server):
    """The agent owns the process's signals, so the server leaves them alone."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class LocalServer:
    """One API on one socket, bound at construction so that a port in use is told before anything starts."""

    def __init__(self, app: FastAPI, *, host: str, port: int, port_file: Path) -> None:
        """Bind.

        Raises:
            OSError: the address is not ours, or the port is taken.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family)
        # asyncio leaves this out for sockets made so, and each answer then waits 40 ms for the client's delayed acknowledgement
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        self._port_file = port_file
        self._server = _QuietServer(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=GRACEFUL_S,
            )
        )

    async def run(self) -> None:
        """Serve until cancelled."""
        _write_whole(self._port_file, f"{self.port}\n")
        try:
            await self._server.serve(sockets=[self._socket])
        except asyncio.CancelledError:
            self._server.should_exit = True
            raise
        finally:
            self._socket.close()


def _write_whole(path: Path, text: str) -> None:
    """Write `path` so that a reader finds the old text or the new one, and never half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)
