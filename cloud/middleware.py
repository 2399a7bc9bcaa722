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


class _BoundedBody:
    """A request's body, which ends with `_BodyTooLong` where it passes its bound."""

    def __init__(self, receive: Receive, most_bytes: int, *, announced: int) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._seen = 0
        self.is_too_long = announced > most_bytes

    async def receive(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._most_bytes:
            self.is_too_long = True
            raise _BodyTooLong
        return message


class _GuardedAnswer:
    """An answer with its id and security headers. The framework's own answer to a body that was cut off is not sent."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self._begun = False
        self.status = 500

    async def send(self, message: Message, body: _BoundedBody) -> None:
        if body.is_too_long and not self._begun:
            return
        if message["type"] == "http.response.start":
            await self._start(message)
        else:
            await self._send(message)

    async def _start(self, message: Message) -> None:
        self.status, self._begun = message["status"], True
        present = {name for name, _ in message["headers"]}
        added = [header for header in SECURITY_HEADERS if header[0] not in present]
        headers = [*message["headers"], *added, (b"x-request-id", self._request_id.encode())]
        await self._send({**message, "headers": headers})

    async def refuse(self, most_bytes: int) -> None:
        """Say that the body is too long, where nothing was said yet."""
        if self._begun:
            return
        detail = f"a request body has at most {most_bytes} bytes"
        told = problem(
            status=TooLarge.status, title=TooLarge.title, detail=detail, request_id=self._request_id
        )
        body = json.dumps(told).encode()
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await self._start({"type": "http.response.start", "status": TooLarge.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _announced(scope: Scope) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


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
        body = _BoundedBody(receive, self._body_max_bytes, announced=_announced(scope))
        answer = _GuardedAnswer(send, request_id)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                if not body.is_too_long:
                    await self._app(scope, body.receive, lambda message: answer.send(message, body))
            except _BodyTooLong:
                LOG.info("body too long", most=self._body_max_bytes)
            finally:
                if body.is_too_long:
                    await answer.refuse(self._body_max_bytes)
                self._count(scope, answer.status, time.perf_counter() - started_s)

    def _request_id(self, scope: Scope) -> str:
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        return given.decode() if GIVEN_ID.match(given) else self._new_id()

    def _count(self, scope: Scope, status: int, duration_s: float) -> None:
        route = scope.get("route")
        endpoint = str(getattr(route, "path", "unmatched"))
        method = scope["method"] if route is not None else "any"
        self._metrics.requests.labels(method, endpoint, str(status)).inc()
        self._metrics.durations_s.labels(method, endpoint).observe(duration_s)
        LOG.debug("request", method=method, endpoint=endpoint, status=status, duration_s=round(duration_s, 6))
