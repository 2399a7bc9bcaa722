"""No request is longer than the lot's own devices need, whether it says its length or not."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.api.problems import Problem

MAX_BODY_BYTES = 16_384


class BodyLimit:
    """Stops reading a request after `MAX_BODY_BYTES`; the caller hears 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, but count what a request's body brings."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY_BYTES:
                raise Problem(
                    413,
                    "body_too_long",
                    f"The body is longer than {MAX_BODY_BYTES} bytes.",
                    field="body",
                    fix="Send only what the endpoint asks for.",
                    headers={"Connection": "close"},
                )
            return message

        await self._app(scope, counted, send)
