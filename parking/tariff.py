"""A tariff: one version of a lot's prices, as data. price.py says what a stay costs by it, tariff_document.py how it is written down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction

from parking.civil_time import Calendar, Window
from parking.money import Money
from parking.rates import Maximum, Rate, minutes


class Rounding(StrEnum):
    """Which way an amount between two payable ones goes."""

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"
    UP = "up"
    DOWN = "down"


class RateChange(StrEnum):
    """What becomes of a step that has begun when another rate comes into force."""

    RESTART = "restart"
    FINISH_STEP = "finish_step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """One version of a lot's prices, in force for stays that begin in [valid_from_at, valid_until_at) (None: open).

    `minimum` raises any price above zero. `round_to_minor` is the smallest payable amount (5 where cash is in steps of five cents). `max_stay_min` is
    the longest stay the tariff is published for: a longer one is still priced, and said to be over. `grace_period_min` is the time to leave after paying.

    Raises:
        ValueError: no rate, or a bound that is not positive.
        zoneinfo.ZoneInfoNotFoundError: the calendar's zone is unknown.
    """

    id: str
    version: int
    name: str
    currency: str
    calendar: Calendar
    rates: tuple[Rate, ...]
    maxima: tuple[Maximum, ...] = ()
    closed: tuple[Window, ...] = ()
    valid_from_at: datetime | None = None
    valid_until_at: datetime | None = None
    on_rate_change: RateChange = RateChange.RESTART
    minimum: Fraction = Fraction(0)
    rounding: Rounding = Rounding.HALF_UP
    round_to_minor: int = 1
    grace_period_min: int = 15
    max_stay_min: int | None = None
    lost_ticket_minor: int | None = None

    def __post_init__(self) -> None:
        if not self.rates:
            raise ValueError("a tariff has at least one rate")
        if self.version < 1 or self.round_to_minor < 1 or self.grace_period_min < 0:
            raise ValueError("version and round_to_minor are at least 1, grace_period_min at least 0")
        _ = Money(amount_minor=self.lost_ticket_minor or 0, currency=self.currency)

    @property
    def name_of_version(self) -> str:
        """Id and version in one word, as a stay's price lock keeps it."""
        return f"{self.id}/{self.version}"

    def is_valid_at(self, at: datetime) -> bool:
        """Whether stays that begin at `at` are priced by this version."""
        return (self.valid_from_at or at) <= at and (self.valid_until_at is None or at < self.valid_until_at)

    def grace_ends_at(self, paid_at: datetime) -> datetime:
        """Until when who paid at `paid_at` may leave without paying again."""
        return paid_at + minutes(self.grace_period_min)

    def closed_until(self, at: datetime) -> datetime | None:
        """When the closed hours that hold at `at` end; None while it is open."""
        for window in self.closed:
            spell = window.spell_at(self.calendar, at)
            if spell.opened_at is not None:
                return spell.until
        return None


def tariff_in_force(tariffs: Iterable[Tariff], at: datetime) -> Tariff | None:
    """Of those valid for a stay that begins at `at`, the one with the highest version."""
    return max((one for one in tariffs if one.is_valid_at(at)), key=lambda one: one.version, default=None)
