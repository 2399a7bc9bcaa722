"""Reading what a tariff document says of rates, maxima and closed hours (docs/tariffs.md lists the keys)."""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction

from parking.civil_time import Window
from parking.lot import SpotType
from parking.rates import Conditions, Maximum, Rate, RateStep
from parking.tariff_fields import Fields


class AfterFree(StrEnum):
    """What a longer stay pays for its free minutes."""

    FROM_ENTRY = "charged_from_entry"
    FROM_FREE_END = "charged_from_free_end"


class Per(StrEnum):
    """The periods of a maximum that need no hours."""

    STAY = "stay"
    CALENDAR_DAY = "calendar_day"


def read_free_minutes(top: Fields) -> tuple[Rate, ...]:
    """The rate that `free_min` and `after_free` stand for, if they are there."""
    free_min = top.whole("free_min", least=1, like=15)
    if not top.has("after_free"):
        if free_min is None:
            return ()
        fix = (
            'add after_free = "charged_from_entry" (a longer stay pays for its first minutes too) '
            'or "charged_from_free_end" (it does not)'
        )
        raise top.wrong("after_free", "is missing beside free_min", fix)
    after = top.choice("after_free", AfterFree, AfterFree.FROM_ENTRY)
    if free_min is None:
        raise top.wrong("free_min", "is missing beside after_free", "add it, as in free_min = 15")
    free = (RateStep(price=Fraction(0)),)
    if after is AfterFree.FROM_ENTRY:
        return (Rate(label="free minutes", steps=free, conditions=Conditions(up_to_min=free_min)),)
    return (Rate(label="free minutes", steps=free, first_min=free_min),)


def read_rate(fields: Fields) -> Rate:
    """One `[[rate]]`."""
    steps = _steps(fields)
    own_price = fields.amount("price")
    per_min = fields.whole("per_min", least=1, like=60)
    if (own_price is None) == (not steps):
        problem = "is missing" if own_price is None else "and steps are both there"
        fix = 'give either price (per started per_min, or once without it) or steps = [{ price = "2.00", per_min = 60 }]'
        raise fields.wrong("price", problem, fix)
    if own_price is not None:
        steps = (RateStep(price=own_price, per_min=per_min),)
    elif per_min is not None:
        raise fields.wrong("per_min", "stands beside steps", "put it into each step")
    try:
        rate = Rate(
            label=fields.text("label", fields.path, like="Day"),
            steps=steps,
            window=fields.window(),
            conditions=_conditions(fields),
            after_min=fields.whole("after_min", like=120) or 0,
            first_min=fields.whole("first_min", least=1, like=120),
            repeat_min=fields.whole("repeat_min", least=1, like=1440),
            maximum=fields.amount("max"),
        )
    except ValueError as error:
        raise fields.wrong(
            "steps", str(error), "docs/tariffs.md shows how steps follow one another"
        ) from error
    fields.no_others()
    return rate


def _steps(fields: Fields) -> tuple[RateStep, ...]:
    """Steps by their own price, or by the `total` reached with them, as signs put it ("up to 2 hours 2.50")."""
    steps: list[RateStep] = []
    reached: Fraction | None = Fraction(0)
    for inner in fields.tables("steps"):
        price, total = inner.amount("price"), inner.amount("total")
        per_min = inner.whole("per_min", least=1, like=60)
        if (price is None) == (total is None):
            fix = 'give price = "2.00" for the step itself, or total = "5.00" for the stay up to its end'
            raise inner.wrong("price", "is not clear: one of price and total is needed", fix)
        if total is not None:
            if per_min is not None or reached is None or total < reached:
                fix = "use totals from the first step on, without per_min, each at least the one before it"
                raise inner.wrong("total", "does not follow from the steps before it", fix)
            price, reached = total - reached, total
        else:
            reached = None
        until_min = inner.whole("until_min", least=1, like=60)
        inner.no_others()
        steps.append(RateStep(price=price or Fraction(0), per_min=per_min, until_min=until_min))
    return tuple(steps)


def read_maximum(fields: Fields) -> Maximum:
    """One `[[maximum]]`."""
    amount = fields.amount("amount")
    if amount is None:
        raise fields.wrong("amount", "is missing", 'add it, as in amount = "14.00"')
    window = fields.window()
    every_min = fields.whole("every_min", least=1, like=1440)
    per = fields.choice("per", Per, Per.STAY) if fields.has("per") else None
    if sum(given is not None for given in (window, every_min, per)) != 1:
        fix = (
            'give one of: from and until, every_min = 1440 (24 h from entry), per = "calendar_day" or "stay"'
        )
        raise fields.wrong("per", "the period is not clear", fix)
    maximum = Maximum(
        label=fields.text("label", fields.path, like="Day"),
        amount=amount,
        window=Window() if per is Per.CALENDAR_DAY else window,
        every_min=every_min,
        conditions=_conditions(fields),
    )
    fields.no_others()
    return maximum


def read_closed(fields: Fields) -> Window:
    """One `[[closed]]`."""
    window = fields.window() or Window()
    fields.no_others()
    return window


def _conditions(fields: Fields) -> Conditions:
    entered, left = fields.table("entered"), fields.table("left")
    conditions = Conditions(
        entered=entered.window() if entered else None,
        left=left.window() if left else None,
        same_day=left.flag("same_day") if left else False,
        up_to_min=fields.whole("up_to_min", least=1, like=15),
        spot_types=_spot_types(fields),
    )
    for inner in (entered, left):
        if inner:
            inner.no_others()
    return conditions


def _spot_types(fields: Fields) -> frozenset[SpotType] | None:
    words = fields.words("spot_types", tuple(SpotType))
    return None if words is None else frozenset(SpotType(word) for word in words)
