"""Tariffs as documents: what an operator writes in TOML and what travels to the gateways are one format (docs/tariffs.md).

`parse_tariff` reads either; `tariff_to_document` writes plain text, int, bool, list and dict, which JSON and MessagePack carry, and which parse to an equal tariff.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfoNotFoundError

from parking.civil_time import DAY_MIN, WEEKDAYS, Calendar, SpecialDays, Window
from parking.errors import InvalidTariff
from parking.money import ISO_4217_CODE
from parking.rate_reading import Per, read_closed, read_free_minutes, read_maximum, read_rate
from parking.rates import Conditions, Maximum, Rate
from parking.tariff import RateChange, Rounding, Tariff
from parking.tariff_fields import Fields
from parking.tariff_gaps import first_gap, hidden_rate

Document = dict[str, object]


def parse_tariff(mapping: Mapping[str, object]) -> Tariff:
    """The tariff that a document describes.

    Raises:
        InvalidTariff: naming the field's path, the problem and the fix; also where some hour of some day would have no price.
    """
    top = _top(mapping)
    tariff = _tariff(top)
    top.no_others()
    _refuse_unused_lists(top, tariff)
    _refuse_gaps(tariff)
    return tariff


def _top(mapping: Mapping[str, object]) -> Fields:
    """The document's top, which knows the currency and the names of its special days."""
    bare = Fields(values=mapping, path="", currency="EUR", day_names=())
    currency = bare.text("currency", like="EUR")
    if not ISO_4217_CODE.fullmatch(currency):
        raise bare.wrong(
            "currency", f"{currency!r} is not an ISO 4217 code", 'write three capitals, as in "EUR"'
        )
    specials = bare.table("special_days")
    names = tuple(specials.values) if specials else ()
    return Fields(values=mapping, path="", currency=currency, day_names=names, asked=bare.asked)


def _tariff(top: Fields) -> Tariff:
    calendar = _calendar(top)
    id_ = top.text("id", like="market-square")
    return Tariff(
        id=id_,
        version=_required(top, "version"),
        name=top.text("name", id_, like="Market Square garage"),
        currency=top.currency,
        calendar=calendar,
        rates=_rates(top),
        maxima=tuple(read_maximum(fields) for fields in top.tables("maximum")),
        closed=tuple(read_closed(fields) for fields in top.tables("closed")),
        **_validity(top, calendar),
        on_rate_change=top.choice("on_rate_change", RateChange, RateChange.RESTART),
        minimum=top.amount("minimum") or Fraction(0),
        rounding=top.choice("rounding", Rounding, Rounding.HALF_UP),
        round_to_minor=top.whole("round_to_minor", least=1, like=5) or 1,
        grace_period_min=_grace(top),
        max_stay_min=top.whole("max_stay_min", least=1, like=1440),
        lost_ticket_minor=_payable(top, "lost_ticket"),
    )


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
    written = tuple(read_rate(fields) for fields in top.tables("rate"))
    if not written:
        raise top.wrong(
            "rate", "is missing", 'add at least one: [[rate]] with price = "2.00" and per_min = 60'
        )
    return (*read_free_minutes(top), *written)


def _validity(top: Fields, calendar: Calendar) -> dict[str, datetime | None]:
    first, after_last = top.day("valid_from"), top.day("valid_until")
    if first and after_last and after_last <= first:
        fix = "write the first day on which it does not hold any more"
        raise top.wrong("valid_until", f"{after_last} is not after valid_from {first}", fix)
    return {
        "valid_from_at": None if first is None else calendar.passes_at(first, 0),
        "valid_until_at": None if after_last is None else calendar.passes_at(after_last, 0),
    }


def _calendar(top: Fields) -> Calendar:
    specials = top.table("special_days")
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
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        fix = 'write an IANA name, as in "Europe/Berlin"'
        raise top.wrong("timezone", f"{timezone!r} is not known", fix) from error


def _refuse_gaps(tariff: Tariff) -> None:
    gap = first_gap(tariff)
    if gap is not None:
        fix = 'add a [[rate]] for it (price = "0.00" where it is free), or [[closed]] hours'
        raise InvalidTariff("rate", f"nothing says what {gap} costs", fix)
    hidden = hidden_rate(tariff)
    if hidden is not None:
        problem = (
            f"{tariff.rates[hidden].label!r} never comes into force, rates above it hold at all of its hours"
        )
        raise InvalidTariff("rate", problem, "put it above them: the first rate from the top is in force")


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
