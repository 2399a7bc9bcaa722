"""The centre's settings, from environment variables only: LOTGATE_CLOUD_… each named by its field below."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from cloud.errors import MisconfiguredCloud

PREFIX = "LOTGATE_CLOUD_"


class CloudSettings(BaseModel):
    """What `lotgate cloud` is told by its environment."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    database_url: str = Field(min_length=1, description="postgresql://… of a database with PostGIS")
    name: str = Field(
        default="lotgate", min_length=1, max_length=64, description="signed by every gateway's answer"
    )
    tokens: str = Field(default="", description="development staff tokens, separated by commas")
    key_file: Path | None = Field(
        default=None, description="the centre's signing key, made where it is absent"
    )
    pool_min: int = Field(default=10, ge=1, le=100, description="connections kept open")
    pool_max: int = Field(default=100, ge=1, le=200, description="connections at most")
    body_max_bytes: int = Field(default=1_048_576, ge=1024, description="longest accepted request body")
    stripe_key: SecretStr = Field(
        default=SecretStr(""), description="the secret API key of Stripe; without one nothing is paid"
    )
    stripe_base: str = Field(default="", description="another server that speaks Stripe's API, as https://…")
    stripe_webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="the secret that Stripe signs webhooks with, whsec_…"
    )

    @property
    def staff_tokens(self) -> frozenset[str]:
        """The staff tokens, apart."""
        return frozenset(token for token in (part.strip() for part in self.tokens.split(",")) if token)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> CloudSettings:
        """Read them.

        Raises:
            MisconfiguredCloud: a variable is missing or wrong; the message has a line for each, with the fix.
        """
        given = {
            name: environment[PREFIX + name.upper()]
            for name in cls.model_fields
            if PREFIX + name.upper() in environment
        }
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            lines = [_sentence(cls, str(part["loc"][0]), part["msg"]) for part in error.errors()]
            raise MisconfiguredCloud("\n".join(lines)) from error
        if settings.pool_max < settings.pool_min:
            raise MisconfiguredCloud(
                f"{PREFIX}POOL_MAX: is below {PREFIX}POOL_MIN; raise it to at least that"
            )
        return settings


def _sentence(model: type[CloudSettings], name: str, problem: str) -> str:
    return f"{PREFIX}{name.upper()}: {problem}; set it to {model.model_fields[name].description}"
