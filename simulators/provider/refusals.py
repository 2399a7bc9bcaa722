"""What the provider refuses, in Stripe's words: a status, and a body with type, code and message."""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):
    """An answer that is an error. `began`: the operation had begun, so that the answer is kept under the idempotency key."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
        intent: Mapping[str, object] | None = None,
        began: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.began = began
        fields = {"code": code, "param": param, "decline_code": decline_code, "payment_intent": intent}
        told = {name: value for name, value in fields.items() if value is not None}
        self.body: dict[str, object] = {"error": {"type": kind, "message": message, **told}}


def invalid(message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> Refusal:
    """A request that was not understood: nothing began."""
    return Refusal(status, "invalid_request_error", message, code=code, param=param, began=False)


def missing(kind: str, name: str) -> Refusal:
    """There is no such object."""
    return invalid(f"No such {kind}: '{name}'", param="intent", code="resource_missing", status=404)


def not_identified() -> Refusal:
    """No key, or a wrong one."""
    return Refusal(401, "invalid_request_error", "Invalid API Key provided", began=False)


def too_many() -> Refusal:
    """The rate limit."""
    return Refusal(429, "invalid_request_error", "Too many requests", code="rate_limit", began=False)


def broken() -> Refusal:
    """The provider itself failed; whether it did anything is not said."""
    return Refusal(500, "api_error", "An unknown error occurred")


def key_in_use() -> Refusal:
    """Another request with this idempotency key is under way."""
    message = "There is currently another in-progress request using this Idempotent Key"
    return Refusal(409, "idempotency_error", message, code="idempotency_key_in_use", began=False)


def key_reused() -> Refusal:
    """The idempotency key came with other parameters before."""
    message = (
        "Keys for idempotent requests can only be used with the same parameters they were first used with"
    )
    return Refusal(400, "idempotency_error", message, began=False)
