"""What can be ordered of the provider while it runs: POST /control/orders with one of these JSON objects.

{"do": "webhook", "url": "http://…/api/v1/payments/webhook", "secret": "whsec_…"}   where webhooks go; "pause_s": the first retry's
{"do": "trouble", "on": "capture", "how": "hang_after", "times": 1}    also delay ("delay_s"), rate_limit, error_…, drop_…, …_before
{"do": "down", "how": "error_before", "for_s": 7200}                   out for so long in the provider's time; also drop_…, hang_…
{"do": "up"}                                                          in order again; ordered troubles are forgotten
{"do": "habit", "decline": 1, "refuse_capture": 1, "fail_authentication": 1, "pending_refunds": 1, "refund_ends": "failed",
 "authentication_takes_s": 60, "always_authenticate": true, "hold_lives_s": 604800}     each may be left out
{"do": "authenticate", "intent": "pi_…", "passed": true}               the driver is done with it now
{"do": "lapse", "intent": "pi_…"}                                      the hold ends now
{"do": "advance", "s": 604800}                                         the provider's time passes at once
{"do": "events", "how": "duplicate", "times": 2}                       also lose, hold, delay ("delay_s")
{"do": "release", "order": "reversed"}                                 deliver what is held; also as_made, shuffled
{"do": "resend", "event": "evt_…"}                                     once more
{"do": "forge", "kind": "payment_intent.succeeded", "intent": "pi_…", "secret": "guessed"}   the answer tells what came of it
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from simulators.provider.trouble import Mishap
from simulators.provider.webhooks import How
from simulators.provider.webhooks import Order as ReleaseOrder

Operation = Literal[
    "any", "create", "retrieve", "confirm", "capture", "cancel", "refund", "retrieve_refund", "refunds"
]
MONTH_S = 40 * 86_400


class _Order(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SetWebhook(_Order):
    """Where webhooks go."""

    do: Literal["webhook"]
    url: str = Field(max_length=500)
    secret: str = Field(max_length=200)
    pause_s: float = Field(default=5.0, gt=0, le=3_600)


class MakeTrouble(_Order):
    """Requests go wrong."""

    do: Literal["trouble"]
    on: Operation = "any"
    how: Mishap
    times: int = Field(default=1, ge=1, le=100_000)
    delay_s: float = Field(default=0.0, ge=0, le=600)


class GoDown(_Order):
    """The provider is out."""

    do: Literal["down"]
    how: Literal[Mishap.ERROR_BEFORE, Mishap.DROP_BEFORE, Mishap.HANG_BEFORE] = Mishap.ERROR_BEFORE
    for_s: float = Field(default=MONTH_S, gt=0, le=MONTH_S)


class ComeUp(_Order):
    """All is in order again."""

    do: Literal["up"]


class SetHabits(_Order):
    """How it behaves from now on."""

    do: Literal["habit"]
    decline: int | None = Field(default=None, ge=0)
    refuse_capture: int | None = Field(default=None, ge=0)
    fail_authentication: int | None = Field(default=None, ge=0)
    pending_refunds: int | None = Field(default=None, ge=0)
    refund_ends: Literal["succeeded", "failed"] | None = None
    refund_takes_s: float | None = Field(default=None, ge=0)
    authentication_takes_s: float | None = Field(default=None, ge=0)
    always_authenticate: bool | None = None
    hold_lives_s: float | None = Field(default=None, gt=0)

    def as_habits(self) -> dict[str, object]:
        """The fields of `Habits` that are to change."""
        changed: dict[str, object] = {}
        for name, value in self.model_dump(exclude={"do"}, exclude_none=True).items():
            if name.endswith("_s"):
                changed[name.removesuffix("_s")] = timedelta(seconds=value)
            else:
                changed[name] = value
        return changed


class EndAuthentication(_Order):
    """The driver is done with it."""

    do: Literal["authenticate"]
    intent: str
    passed: bool = True


class Lapse(_Order):
    """A hold ends."""

    do: Literal["lapse"]
    intent: str


class Advance(_Order):
    """Time passes at once."""

    do: Literal["advance"]
    s: float = Field(gt=0, le=10 * MONTH_S)


class PlanEvents(_Order):
    """The next events go wrong."""

    do: Literal["events"]
    how: How
    times: int = Field(default=1, ge=1, le=100_000)
    delay_s: float = Field(default=0.0, ge=0, le=MONTH_S)


class Release(_Order):
    """Deliver what is held."""

    do: Literal["release"]
    order: ReleaseOrder = "as_made"


class Resend(_Order):
    """Deliver an event once more."""

    do: Literal["resend"]
    event: str


class Forge(_Order):
    """Send an event that never was, signed with a secret of one's own choice; none: unsigned."""

    do: Literal["forge"]
    kind: str
    intent: str
    secret: str | None = None


Order = Annotated[
    SetWebhook
    | MakeTrouble
    | GoDown
    | ComeUp
    | SetHabits
    | EndAuthentication
    | Lapse
    | Advance
    | PlanEvents
    | Release
    | Resend
    | Forge,
    Field(discriminator="do"),
]
ORDER: TypeAdapter[Order] = TypeAdapter(Order)
