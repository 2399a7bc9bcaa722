"""What a browser may do with our answers, said on each of them; and a count of them by route."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.api.metrics import ApiCounts

# Everything comes from here, and nothing may be put around it.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
STATIC_AGE_S = 86_400  # the address of a static file carries its content's fingerprint


class PageHeaders:
    """Adds the headers as an answer starts, and counts it."""

    def __init__(self, app: ASGIApp, counts: ApiCounts) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but the start of an answer, which is completed."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(PAGE_HEADERS)
                static = scope["path"].startswith("/static/")
                headers.setdefault("Cache-Control", f"max-age={STATIC_AGE_S}" if static else "no-store")
                route = getattr(scope.get("route"), "path", "none")
                self._counts.requests.labels(route, str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, completed)
