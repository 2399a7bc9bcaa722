"""What a payment terminal and its driver say to each other: one JSON object a line, UTF-8, ended by LF.

The simulated terminal's protocol, small on purpose; a real terminal's protocol is a driver of its own behind the
same commands.

    driver → terminal   {"do": "pay", "key": "k1", "amount_minor": 450, "currency": "EUR"}
                        {"do": "lookup", "key": "k1"}
                        {"do": "ping"}
    terminal → driver   {"key": "k1", "result": "approved", "reference": "T-000017"}
                        {"key": "k1", "result": "declined", "reason": "card refused"}
                        {"key": "k1", "result": "unknown"}          only to a lookup: it has no record of the key
                        {"key": "k1", "result": "pending"}          only to a lookup: a customer is still at it
                        {"result": "alive"}

`key` makes a repetition harmless: the terminal does a key once and says the same of it for ever; the same key with
another amount is declined. Amounts are in the currency's minor unit.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from drivers.errors import MalformedInput

LONGEST_LINE = 1_024

Key = Annotated[str, Field(min_length=1, max_length=128)]


class Result(StrEnum):
    """What became of a payment."""

    APPROVED = "approved"
    DECLINED = "declined"
    UNKNOWN = "unknown"
    PENDING = "pending"
    ALIVE = "alive"


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def line(self) -> bytes:
        """Return the message as it goes over the wire."""
        return (
            json.dumps(self.model_dump(mode="json", exclude_none=True), separators=(",", ":")).encode()
            + b"\n"
        )


class Pay(_Line):
    """Charge a customer."""

    do: Literal["pay"] = "pay"
    key: Key
    amount_minor: int = Field(gt=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")


class Lookup(_Line):
    """Ask what became of a key."""

    do: Literal["lookup"] = "lookup"
    key: Key


class Ping(_Line):
    """Ask for a sign of life."""

    do: Literal["ping"] = "ping"


class Answer(_Line):
    """The terminal's word."""

    key: str | None = None
    result: Result
    reference: str | None = None
    reason: str | None = None


Request = Annotated[Pay | Lookup | Ping, Field(discriminator="do")]
_REQUEST: TypeAdapter[Pay | Lookup | Ping] = TypeAdapter(Request)


def read_request(line: bytes) -> Pay | Lookup | Ping:
    """Read a line that a driver sent.

    Raises:
        MalformedInput: it is none of these messages.
    """
    try:
        return _REQUEST.validate_json(line)
    except ValidationError as wrong:
        raise _malformed(wrong) from wrong


def read_answer(line: bytes) -> Answer:
    """Read a line that a terminal sent.

    Raises:
        MalformedInput: it is none of these messages.
    """
    try:
        return Answer.model_validate_json(line)
    except ValidationError as wrong:
        raise _malformed(wrong) from wrong


def _malformed(wrong: ValidationError) -> MalformedInput:
    first = wrong.errors(include_url=False, include_context=False)[0]
    return MalformedInput(".".join(str(part) for part in first["loc"]) or "line", first["msg"])
