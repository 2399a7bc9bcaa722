"""What a tariff is made of: rates with their steps, and maxima.

After the APDS rate model (a rate table holds rate line collections with validity, applicable periods and maxima, and those hold
rate lines, flat or per started increment), with fewer words: a `Rate` is a collection with its conditions, a `RateStep` is a line. Amounts are exact
fractions of a minor unit; durations are whole minutes of elapsed time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from parking.civil_time import FOREVER_AT, Calendar, Spell, Window
from parking.lot import SpotType


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedStay:
    """The facts a price depends on: when the car came and goes (UTC), and what kind of spot it has.

    `counts_as_entered_at` differs from `starts_at` only where a car came in during closed hours: it counts as come when they end.
    """

    starts_at: datetime
    ends_at: datetime
    counts_as_entered_at: datetime
    spot_type: SpotType

    @property
    def elapsed(self) -> timedelta:
        """How long the stay is."""
        return self.ends_at - self.starts_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Which stays something is for; what is None does not matter.

    `entered`: the hours in which the car came. `left`: those in which it goes (both edges count). `same_day`: it goes on the civil date on which it came.
    `up_to_min`: the stay is at most so long. `spot_types`: the kinds of spot.
    """

    entered: Window | None = None
    left: Window | None = None
    same_day: bool = False
    up_to_min: int | None = None
    spot_types: frozenset[SpotType] | None = None

    def met_by(self, stay: PricedStay, calendar: Calendar) -> bool:
        """Whether all of them hold."""
        if self.spot_types is not None and stay.spot_type not in self.spot_types:
            return False
        if self.up_to_min is not None and stay.elapsed > timedelta(minutes=self.up_to_min):
            return False
        if self.entered and self.entered.spell_at(calendar, stay.counts_as_entered_at).opened_at is None:
            return False
        if self.left and not self.left.holds_until(calendar, stay.ends_at):
            return False
        return not self.same_day or calendar.date_at(stay.starts_at) == calendar.date_at(stay.ends_at)

    @property
    def turn_on_the_end(self) -> bool:
        """Whether they can be told only when the stay is over."""
        return self.left is not None or self.same_day or self.up_to_min is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateStep:
    """`price` (minor units) per started `per_min` minutes, or once (`per_min` None), from where the step before it ended until
    `until_min` minutes of the rate (None: on and on).

    Raises:
        ValueError: a price below zero, or minutes that are not positive.
    """

    price: Fraction
    per_min: int | None = None
    until_min: int | None = None

    def __post_init__(self) -> None:
        if self.price < 0:
            raise ValueError(f"price {self.price} is below zero")
        for name, minutes in (("per_min", self.per_min), ("until_min", self.until_min)):
            if minutes is not None and minutes <= 0:
                raise ValueError(f"{name} {minutes} is not above zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """`quantity` times a step's price, from `starts_at` until `ends_at`."""

    step: RateStep
    starts_at: datetime
    ends_at: datetime
    quantity: int

    @property
    def every(self) -> timedelta:
        """How long one of them lasts; all of the charge where it is made once."""
        return self.ends_at - self.starts_at if self.step.per_min is None else minutes(self.step.per_min)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What is charged while this rate is in force: inside its `window` (None: at any hour), from `after_min` until `first_min`
    minutes of the stay, for stays that meet `conditions`. Steps are counted from the instant it comes into force, and again every `repeat_min`.
    `maximum` (minor units) caps what this rate alone takes in one occurrence of its window (in the whole stay where it has no window).

    Raises:
        ValueError: no step, an endless step that is not the last, or bounds that leave nothing.
    """

    label: str
    steps: tuple[RateStep, ...]
    window: Window | None = None
    conditions: Conditions = Conditions()
    after_min: int = 0
    first_min: int | None = None
    repeat_min: int | None = None
    maximum: Fraction | None = None

    def __post_init__(self) -> None:
        ends = [step.until_min for step in self.steps]
        if not ends or ends[-1] is not None:
            raise ValueError("the last step must go on without until_min, or what follows would cost nothing")
        reached = 0
        for end in ends[:-1]:
            if end is None or end <= reached:
                raise ValueError("each step but the last needs an until_min above that of the step before it")
            reached = end
        if self.repeat_min is not None and self.repeat_min <= reached:
            raise ValueError(f"repeat_min {self.repeat_min} must be above the last until_min {reached}")
        if self.after_min < 0 or (self.first_min is not None and self.first_min <= self.after_min):
            raise ValueError("first_min must be above after_min, and after_min not below 0")
        if self.maximum is not None and self.maximum < 0:
            raise ValueError("a maximum is not below zero")

    def spell_at(self, stay: PricedStay, calendar: Calendar, at: datetime) -> Spell:
        """Whether the rate's hours hold at `at` (its conditions are asked once for the stay)."""
        opens_at = stay.starts_at + minutes(self.after_min)
        closes_at = FOREVER_AT if self.first_min is None else stay.starts_at + minutes(self.first_min)
        if at < opens_at:
            return Spell(opened_at=None, until=opens_at)
        if at >= closes_at:
            return Spell(opened_at=None, until=FOREVER_AT)
        if self.window is None:
            return Spell(opened_at=opens_at, until=closes_at)
        spell = self.window.spell_at(calendar, at)
        return Spell(opened_at=spell.opened_at, until=min(spell.until, closes_at))

    def charges(self, starts_at: datetime, ends_at: datetime) -> Iterator[Charge]:
        """What a stretch of time in which the rate is in force costs before any maximum, in order."""
        cycle_at = starts_at
        while cycle_at < ends_at:
            next_at = (
                ends_at if self.repeat_min is None else min(ends_at, cycle_at + minutes(self.repeat_min))
            )
            step_at = cycle_at
            for step in self.steps:
                end_at = (
                    next_at if step.until_min is None else min(next_at, cycle_at + minutes(step.until_min))
                )
                if step_at < end_at:
                    quantity = 1 if step.per_min is None else started(end_at - step_at, step.per_min)
                    yield Charge(step=step, starts_at=step_at, ends_at=end_at, quantity=quantity)
                    step_at = end_at
            cycle_at = next_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Maximum:
    """At most `amount` (minor units) for everything charged in its period, for stays that meet `conditions`.

    The period is each occurrence of `window`, or each `every_min` minutes from entry on, or (both None) the whole stay. A charge belongs
    to the period in which it begins.

    Raises:
        ValueError: both periods are given, or a bound is below zero.
    """

    label: str
    amount: Fraction
    window: Window | None = None
    every_min: int | None = None
    conditions: Conditions = Conditions()

    def __post_init__(self) -> None:
        if self.window is not None and self.every_min is not None:
            raise ValueError("a maximum has hours or every_min, not both")
        if self.amount < 0 or (self.every_min is not None and self.every_min <= 0):
            raise ValueError("a maximum's amount and period are not below zero")

    def spell_at(self, stay: PricedStay, calendar: Calendar, at: datetime) -> Spell:
        """The period that holds at `at`."""
        if self.window is not None:
            return self.window.spell_at(calendar, at)
        if self.every_min is None:
            return Spell(opened_at=stay.starts_at, until=FOREVER_AT)
        every = minutes(self.every_min)
        opened_at = stay.starts_at + (at - stay.starts_at) // every * every
        return Spell(opened_at=opened_at, until=opened_at + every)


def minutes(count: int) -> timedelta:
    """So many minutes of elapsed time."""
    return timedelta(minutes=count)


def started(elapsed: timedelta, per_min: int) -> int:
    """How many periods of `per_min` minutes have started."""
    return -(-elapsed // minutes(per_min))
