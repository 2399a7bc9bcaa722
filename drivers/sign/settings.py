"""What every sign's table has, whatever wire it hangs on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from drivers.settings import DriverSettings
from drivers.sign.outputs import OutputSettings, Words


class SignSettings(DriverSettings):
    """Outputs, their words, and what is shown of a picture that is too old."""

    outputs: tuple[OutputSettings, ...] = Field(
        min_length=1, description='tables with shows ("free", "full:ev", "spot:A-001") and at (where)'
    )
    words: Words = Field(
        default=Words(), description="digits, unknown, zero, yes and no, as the sign is to write them"
    )
    stale_after_s: float = Field(
        default=60.0, gt=0, le=86_400, description="seconds after which a picture counts for nothing"
    )
    when_stale: Literal["unknown", "keep"] = Field(
        default="unknown", description='"unknown" (dashes), or "keep" what was shown last'
    )
    check_every_s: float = Field(
        default=5.0, gt=0, le=3_600, description="seconds between two looks whether the sign shows it still"
    )

    @model_validator(mode="after")
    def _one_place_shows_one_thing(self) -> SignSettings:
        places = [output.at for output in self.outputs]
        twice = next((at for at in places if places.count(at) > 1), None)
        if twice is not None:
            raise ValueError(f"two outputs are at {twice!r}: one place shows one thing")
        return self
