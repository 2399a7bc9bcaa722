"""What every request passes: an id, a bound on its body, security headers, and the two metrics that the alerts stand on."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.errors import TooLarge, problem
from cloud.observability import Metrics

LOG = structlog.get_logger(__name__)
GIVEN_ID = re.compile(rb"^[A-Za-z0-9._-]{8,64}$")

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"permissions-policy", b"geolocation=(self), camera=(), microphone=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class _BodyTooLong(Exception):
    """The body is longer than its bound."""


class RequestGuard:
    """An ASGI middleware around the whole application."""

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, body_max_bytes: int, new_id: Callable[[], str]
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._body_max_bytes = body_max_bytes
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard HTTP requests; WebSockets have their own bounds."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started_s = time.perf_counter()
        status = 500
        begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                present = {name for name, _ in message["headers"]}
                added = [header for header in SECURITY_HEADERS if header[0] not in present]
                message["headers"] = [*message["headers"], *added, (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                if self._announced(scope) > self._body_max_bytes:
                    await self._refuse(send_guarded, request_id)
                else:
                    await self._app(scope, self._bounded(receive), send_guarded)
            except _BodyTooLong:
                if not begun:
                    await self._refuse(send_guarded, request_id)
            finally:
                self._count(scope, status, time.perf_counter() - started_s)

    def _request_id(self, scope: Scope) -> str:
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        return given.decode() if GIVEN_ID.match(given) else self._new_id()

    @staticmethod
    def _announced(scope: Scope) -> int:
        length = dict(scope["headers"]).get(b"content-length", b"0")
        return int(length) if length.isdigit() else 0

    def _bounded(self, receive: Receive) -> Receive:
        seen = 0

        async def receive_bounded() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._body_max_bytes:
                raise _BodyTooLong
            return message

        return receive_bounded

    async def _refuse(self, send: Send, request_id: str) -> None:
        detail = f"a request body has at most {self._body_max_bytes} bytes"
        body = json.dumps(
            problem(status=TooLarge.status, title=TooLarge.title, detail=detail, request_id=request_id)
        ).encode()
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": TooLarge.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _count(self, scope: Scope, status: int, duration_s: float) -> None:
        route = scope.get("route")
        endpoint = str(getattr(route, "path", "unmatched"))
        method = scope["method"] if route is not None else "any"
        self._metrics.requests.labels(method, endpoint, str(status)).inc()
        self._metrics.durations_s.labels(method, endpoint).observe(duration_s)
        LOG.debug("request", method=method, endpoint=endpoint, status=status, duration_s=round(duration_s, 6))
