"""Tariffs as documents: what an operator writes in TOML and what travels to the gateways are one format (docs/tariffs.md).

`parse_tariff` reads either; `tariff_to_document` writes plain text, int, bool, list and dict, which JSON and MessagePack carry, and which parse to an equal tariff.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfoNotFoundError

from parking.civil_time import DAY_MIN, WEEKDAYS, Calendar, SpecialDays, Window
from parking.errors import InvalidTariff
from parking.lot import SpotType
from parking.money import ISO_4217_CODE
from parking.rates import Conditions, Maximum, Rate, RateStep
from parking.tariff import RateChange, Rounding, Tariff
from parking.tariff_fields import Fields
from parking.tariff_gaps import first_gap

Document = dict[str, object]


class AfterFree(StrEnum):
    """What a longer stay pays for its free minutes."""

    FROM_ENTRY = "charged_from_entry"
    FROM_FREE_END = "charged_from_free_end"


class Per(StrEnum):
    """The periods of a maximum that need no hours."""

    STAY = "stay"
    CALENDAR_DAY = "calendar_day"


def parse_tariff(mapping: Mapping[str, object]) -> Tariff:
    """The tariff that a document describes.

    Raises:
        InvalidTariff: naming the field's path, the problem and the fix; also where some hour of some day would have no price.
    """
    head = Fields(values=mapping, path="", currency="EUR", day_names=())
    currency = head.text("currency", like="EUR")
    if not ISO_4217_CODE.fullmatch(currency):
        raise head.wrong(
            "currency", f"{currency!r} is not an ISO 4217 code", 'write three capitals, as in "EUR"'
        )
    specials = head.table("special_days")
    names = tuple(specials.values) if specials else ()
    top = Fields(values=mapping, path="", currency=currency, day_names=names, asked=head.asked)
    calendar = _calendar(top, specials)
    tariff = Tariff(
        id=top.text("id", like="market-square"),
        version=_required(top, "version"),
        name=top.text("name", top.text("id", like="market-square"), like="Market Square garage"),
        currency=currency,
        calendar=calendar,
        rates=_rates(top),
        maxima=tuple(_maximum(fields) for fields in top.tables("maximum")),
        closed=tuple(_closed(fields) for fields in top.tables("closed")),
        valid_from_at=_midnight(calendar, top.day("valid_from")),
        valid_until_at=_midnight(calendar, top.day("valid_until")),
        on_rate_change=top.choice("on_rate_change", RateChange, RateChange.RESTART),
        minimum=top.amount("minimum") or Fraction(0),
        rounding=top.choice("rounding", Rounding, Rounding.HALF_UP),
        round_to_minor=top.whole("round_to_minor", least=1, like=5) or 1,
        grace_period_min=_grace(top),
        max_stay_min=top.whole("max_stay_min", least=1, like=1440),
        lost_ticket_minor=_payable(top, "lost_ticket"),
    )
    top.no_others()
    if tariff.valid_from_at and tariff.valid_until_at and tariff.valid_until_at <= tariff.valid_from_at:
        raise top.wrong(
            "valid_until", "is not after valid_from", "the first day that is not covered any more"
        )
    _refuse_unused_lists(top, tariff)
    gap = first_gap(tariff)
    if gap is not None:
        fix = 'add a [[rate]] for it (price = "0.00" where it is free), or [[closed]] hours'
        raise InvalidTariff("rate", f"nothing says what {gap} costs", fix)
    return tariff


def _required(fields: Fields, key: str) -> int:
    value = fields.whole(key, least=1, like=1)
    if value is None:
        raise fields.wrong(key, "is missing", f"add it, as in {key} = 1; a change of prices is the next one")
    return value


def _grace(fields: Fields) -> int:
    value = fields.whole("grace_period_min", like=15)
    return 15 if value is None else value


def _payable(fields: Fields, key: str) -> int | None:
    amount = fields.amount(key)
    if amount is None:
        return None
    if amount.denominator != 1:
        raise fields.wrong(key, "is not a whole number of minor units", "write an amount that can be paid")
    return amount.numerator


def _rates(top: Fields) -> tuple[Rate, ...]:
    written = tuple(_rate(fields) for fields in top.tables("rate"))
    if not written:
        raise top.wrong(
            "rate", "is missing", 'add at least one: [[rate]] with price = "2.00" and per_min = 60'
        )
    return (*_free_minutes(top), *written)


def _midnight(calendar: Calendar, day: date | None) -> datetime | None:
    return None if day is None else calendar.passes_at(day, 0)


def _calendar(top: Fields, specials: Fields | None) -> Calendar:
    timezone = top.text("timezone", like="Europe/Berlin")
    lists = (
        tuple(SpecialDays(name=name, dates=specials.dates(name)) for name in specials.values)
        if specials
        else ()
    )
    seen: dict[date, str] = {}
    for special in lists:
        if special.name in WEEKDAYS or not special.name.isidentifier():
            raise top.wrong(
                f"special_days.{special.name}", "is not a name for a list", "use one word, as in PH"
            )
        for day in sorted(special.dates):
            if day in seen:
                problem = f"{day} is also in {seen[day]}"
                raise top.wrong(f"special_days.{special.name}", problem, "keep each date in one list")
            seen[day] = special.name
    try:
        return Calendar(timezone=timezone, special_days=lists)
    except (ZoneInfoNotFoundError, ValueError) as error:
        fix = 'write an IANA name, as in "Europe/Berlin"'
        raise top.wrong("timezone", f"{timezone!r} is not known", fix) from error


def _refuse_unused_lists(top: Fields, tariff: Tariff) -> None:
    conditions = [*(rate.conditions for rate in tariff.rates), *(one.conditions for one in tariff.maxima)]
    windows = [
        *(rate.window for rate in tariff.rates),
        *(one.window for one in tariff.maxima),
        *tariff.closed,
    ]
    windows += [window for one in conditions for window in (one.entered, one.left)]
    named = [window.days for window in windows if window is not None and window.days is not None]
    for special in tariff.calendar.special_days:
        if not any(special.name in days for days in named):
            fix = f'name it in a days = "Sun, {special.name}", or take the list out'
            raise top.wrong(f"special_days.{special.name}", "is a list that nothing names", fix)


def _free_minutes(top: Fields) -> tuple[Rate, ...]:
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


def _rate(fields: Fields) -> Rate:
    steps = tuple(_step(step) for step in fields.tables("steps"))
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


def _step(fields: Fields) -> RateStep:
    price = fields.amount("price")
    if price is None:
        raise fields.wrong("price", "is missing", 'add it, as in price = "2.00" ("0.00" where it is free)')
    step = RateStep(
        price=price,
        per_min=fields.whole("per_min", least=1, like=60),
        until_min=fields.whole("until_min", least=1, like=60),
    )
    fields.no_others()
    return step


def _maximum(fields: Fields) -> Maximum:
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


def _closed(fields: Fields) -> Window:
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


def tariff_to_document(tariff: Tariff) -> Document:
    """The tariff as plain values; `parse_tariff` of it gives an equal tariff."""
    calendar = tariff.calendar
    document: Document = {
        "id": tariff.id,
        "version": tariff.version,
        "name": tariff.name,
        "currency": tariff.currency,
        "timezone": calendar.timezone,
        "on_rate_change": tariff.on_rate_change.value,
        "rounding": tariff.rounding.value,
        "round_to_minor": tariff.round_to_minor,
        "grace_period_min": tariff.grace_period_min,
        "minimum_minor": _minor(tariff.minimum),
        "special_days": {
            special.name: [day.isoformat() for day in sorted(special.dates)]
            for special in calendar.special_days
        },
        "rate": [_rate_document(rate) for rate in tariff.rates],
        "maximum": [_maximum_document(maximum) for maximum in tariff.maxima],
        "closed": [_window_document(window) for window in tariff.closed],
    }
    for key, at in (("valid_from", tariff.valid_from_at), ("valid_until", tariff.valid_until_at)):
        if at is not None:
            document[key] = calendar.date_at(at).isoformat()
    return document | _given(max_stay_min=tariff.max_stay_min, lost_ticket_minor=tariff.lost_ticket_minor)


def _rate_document(rate: Rate) -> Document:
    return {
        "label": rate.label,
        "steps": [
            _given(price_minor=_minor(step.price), per_min=step.per_min, until_min=step.until_min)
            for step in rate.steps
        ],
        **_window_document(rate.window),
        **_conditions_document(rate.conditions),
        **_given(after_min=rate.after_min or None, first_min=rate.first_min, repeat_min=rate.repeat_min),
        **_given(max_minor=None if rate.maximum is None else _minor(rate.maximum)),
    }


def _maximum_document(maximum: Maximum) -> Document:
    period = (
        _window_document(maximum.window) or _given(every_min=maximum.every_min) or {"per": Per.STAY.value}
    )
    amount = {"label": maximum.label, "amount_minor": _minor(maximum.amount)}
    return {**amount, **period, **_conditions_document(maximum.conditions)}


def _conditions_document(conditions: Conditions) -> Document:
    left: Document = {**_window_document(conditions.left)}
    if conditions.same_day:
        left["same_day"] = True
    types = None if conditions.spot_types is None else sorted(one.value for one in conditions.spot_types)
    entered = _window_document(conditions.entered)
    return _given(
        entered=entered or None, left=left or None, up_to_min=conditions.up_to_min, spot_types=types
    )


def _window_document(window: Window | None) -> Document:
    if window is None:
        return {}
    opens, closes = _clock(window.from_min), _clock((window.until_min - 1) % DAY_MIN + 1)
    if window.whatever_day and window.days:
        (first,) = window.days
        last = WEEKDAYS[(WEEKDAYS.index(first) + (window.until_min - 1) // DAY_MIN) % 7]
        return {"from": f"{first} {opens}", "until": f"{last} {closes}"}
    days = None if window.days is None else sorted(window.days, key=_weekdays_first)
    return {**_given(days=days), "from": opens, "until": closes}


def _weekdays_first(day: str) -> tuple[int, str]:
    return (WEEKDAYS.index(day) if day in WEEKDAYS else len(WEEKDAYS), day)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _minor(amount: Fraction) -> int | str:
    return amount.numerator if amount.denominator == 1 else f"{amount.numerator}/{amount.denominator}"


def _given(**parts: object) -> Document:
    return {key: value for key, value in parts.items() if value is not None}
