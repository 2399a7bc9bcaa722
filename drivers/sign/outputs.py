"""What each output of a sign shows of a picture of the lot: a number of places, whether it is full, whether a spot is taken. Pure.

    shows = "free"          places left, all types together     shows = "full"         whether none is left
    shows = "free:ev"       places left of a type               shows = "full:ev"      the same of a type
    shows = "spot:A-001"    whether a spot is taken

None is *not known*, whatever is shown: a type that the picture does not have, a count that nobody vouches for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import Field, field_validator

from drivers.settings import DriverSettings

SHOWS = re.compile(r"(?P<what>free|full)(:(?P<type>[a-z_]+))?|spot:(?P<spot>.+)")

Shown = int | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Places left by type, and which spots are taken; None: not known."""

    free: Mapping[str, int | None] = field(default_factory=dict)
    taken: Mapping[str, bool | None] = field(default_factory=dict)

    def left(self, of_type: str | None) -> int | None:
        """Places left of a type, or of all together where all are known."""
        if of_type is not None:
            return self.free.get(of_type)
        known = [count for count in self.free.values() if count is not None]
        return sum(known) if self.free and len(known) == len(self.free) else None


NOTHING_KNOWN = Picture()


class OutputSettings(DriverSettings):
    """One output: what it shows, and where it is on the wire."""

    shows: str
    at: str = Field(min_length=1, max_length=256)

    @field_validator("shows")
    @classmethod
    def _is_something(cls, shows: str) -> str:
        if SHOWS.fullmatch(shows) is None:
            raise ValueError(f"{shows!r} is none of free, free:TYPE, full, full:TYPE, spot:NUMBER")
        return shows

    def value(self, picture: Picture) -> Shown:
        """What this output shows of a picture."""
        found = SHOWS.fullmatch(self.shows)
        if found is None:
            raise ValueError(self.shows)
        if found["spot"] is not None:
            return picture.taken.get(found["spot"])
        left = picture.left(found["type"])
        if left is None or found["what"] == "free":
            return left
        return left <= 0


class Words(DriverSettings):
    """How a value is written where it is text; `zero` None writes the digit."""

    digits: int = Field(default=3, ge=1, le=8)
    unknown: str = Field(default="---", max_length=32)
    zero: str | None = Field(default=None, max_length=32)
    yes: str = Field(default="1", max_length=32)
    no: str = Field(default="0", max_length=32)

    def write(self, value: Shown) -> str:
        """Write a value; a number that has too many digits is shown as the greatest that fits."""
        if value is None:
            return self.unknown
        if isinstance(value, bool):
            return self.yes if value else self.no
        if value <= 0 and self.zero is not None:
            return self.zero
        return str(min(max(value, 0), 10**self.digits - 1)).rjust(self.digits)
