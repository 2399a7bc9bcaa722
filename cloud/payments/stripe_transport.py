"""How the Stripe SDK reaches its server: httpx, one time-out for all of a request, no repetition.

The SDK's own httpx client sends bodies in a way that httpx has deprecated, and hides any mistake as a lost connection; this one does neither.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import stripe


class StripeTransport(stripe.HTTPClient):
    """`timeout_s` bounds connecting and each wait for bytes."""

    name = "httpx"

    def __init__(self, *, timeout_s: float) -> None:
        super().__init__()
        self._client = httpx.AsyncClient(timeout=timeout_s)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One request, once.

        Raises:
            stripe.APIConnectionError: no answer, or none that is whole.
        """
        try:
            answer = await self._client.request(method, url, headers=dict(headers), content=post_data)
        except httpx.HTTPError as error:
            raise _no_answer(error) from error
        return answer.content, answer.status_code, answer.headers

    async def close_async(self) -> None:
        """Close connections."""
        await self._client.aclose()


def _no_answer(error: httpx.HTTPError) -> stripe.APIConnectionError:
    made: stripe.APIConnectionError = stripe.APIConnectionError(  # type: ignore[no-untyped-call]  # the SDK forgot to annotate it
        f"{type(error).__name__}: {error}", should_retry=False
    )
    return made
