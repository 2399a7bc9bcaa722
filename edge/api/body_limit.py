"""No request is longer than the lot's own devices need, whether it says its length or not."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.api.problems import Problem

MAX_BODY_BYTES = 16_384


class BodyLimit:
    """Stops reading a request after `MAX_BODY_BYTES`, under a path of `larger` after its own bytes; the caller hears 413."""

    def __init__(self, app: ASGIApp, *, larger: Mapping[str, int]) -> None:
        self._app = app
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, but count what a request's body brings."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = 0
        most = next(
            (most for path, most in self._larger.items() if scope["path"].startswith(path)), MAX_BODY_BYTES
        )

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise Problem(
                    413,
                    "body_too_long",
                    f"The body is longer than {most} bytes.",
                    field="body",
                    fix="Send only what the endpoint asks for.",
                    headers={"Connection": "close"},
                )
            return message

        await self._app(scope, counted, send)
