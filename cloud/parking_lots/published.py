"""One row of a published list of car parks, read without trust: a lot, or named problems. Next in its story: importing.

A row whose place, name, clock or size cannot be believed is refused whole. Where only a side fact is wrong the lot is taken and
that fact left out. Either way it is said: row, field, what is wrong, what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid5
from zoneinfo import available_timezones

from parking.geo import Point, distance_m
from parking.lot import SpotType

COLUMNS = (
    "lot_id", "source", "name", "operator", "country", "city", "address", "lat", "lon", "capacity", "capacity_disabled",
    "capacity_ev", "kind", "max_height_cm", "fee", "opening_hours", "tariff_text", "timezone",
)  # fmt: skip
NAMESPACE = UUID("0d7d3f2c-5a0b-4f8e-9c57-3a1f6f0b7c11")
"""Of the ids of imported lots and operators: uuid5 over what the source calls them, so that the next import finds them again."""

CURRENCIES = {
    "AT": "EUR", "BE": "EUR", "CA": "CAD", "CH": "CHF", "CZ": "CZK", "DE": "EUR", "DK": "DKK", "ES": "EUR", "FI": "EUR",
    "FR": "EUR", "GB": "GBP", "HK": "HKD", "IE": "EUR", "IT": "EUR", "LU": "EUR", "NL": "EUR", "NO": "NOK", "PL": "PLN",
    "PT": "EUR", "SE": "SEK", "TW": "TWD", "US": "USD",
}  # fmt: skip
"""ISO 3166 to ISO 4217."""

NOWHERE = Point(latitude=0, longitude=0)
NOWHERE_WITHIN_M = 1_000
MOST_SPOTS = 50_000
LONGEST_TEXT = 1_000
HEIGHTS_CM = range(150, 1_001)
TIMEZONES = available_timezones()


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """What is wrong with a row. `refused`: the whole row was left out, not only the field."""

    row: int
    lot: str
    field: str
    problem: str
    fix: str
    refused: bool

    def __str__(self) -> str:
        kept = "not imported" if self.refused else "left out"
        return f"row {self.row} ({self.lot}) {self.field}: {self.problem}; {kept}. Fix: {self.fix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLot:
    """A lot as its source publishes it; `spots` counts places by type, each place once."""

    id: UUID
    reference: str
    name: str
    operator: str | None
    address: str
    point: Point
    timezone: str
    currency: str
    spots: Mapping[SpotType, int]
    facts: Mapping[str, object] = field(default_factory=dict)


class _Unusable(Exception):
    """A field that cannot be used."""

    def __init__(self, field_name: str, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.field, self.problem, self.fix = field_name, problem, fix


def read_row(row: int, cells: Mapping[str, str]) -> tuple[PublishedLot | None, tuple[RowProblem, ...]]:
    """The lot that `cells` describe, or None; and everything found wrong. `row` counts data rows from 1."""
    named = cells.get("lot_id", "") or "unnamed"
    facts, left_out = _facts(cells)
    try:
        lot = _lot(cells, facts)
    except _Unusable as unusable:
        return None, (_problem(row, named, unusable, refused=True),)
    return lot, tuple(_problem(row, named, unusable, refused=False) for unusable in left_out)


def operator_id(name: str) -> UUID:
    """The id of the operator of that name."""
    return uuid5(NAMESPACE, f"operator/{name}")


def _problem(row: int, lot: str, unusable: _Unusable, *, refused: bool) -> RowProblem:
    return RowProblem(
        row=row,
        lot=lot,
        field=unusable.field,
        problem=unusable.problem,
        fix=unusable.fix,
        refused=refused,
    )


def _lot(cells: Mapping[str, str], facts: Mapping[str, object]) -> PublishedLot:
    reference = f"{_required(cells, 'source')}/{_required(cells, 'lot_id')}"
    name = _required(cells, "name")
    country = _required(cells, "country")
    if country not in CURRENCIES:
        raise _Unusable(
            "country", f"{country!r} is not known here", "use the ISO 3166 code of a known country"
        )
    timezone = _required(cells, "timezone")
    if timezone not in TIMEZONES:
        raise _Unusable("timezone", f"{timezone!r} is no time zone", "use an IANA name such as Europe/Berlin")
    place = (_text(cells, "address"), _text(cells, "city"))
    return PublishedLot(
        id=uuid5(NAMESPACE, reference),
        reference=reference,
        name=name,
        operator=_text(cells, "operator") or None,
        address=", ".join(dict.fromkeys(part for part in place if part)),
        point=_point(cells),
        timezone=timezone,
        currency=CURRENCIES[country],
        spots=_spots(cells),
        facts=facts,
    )


def _text(cells: Mapping[str, str], name: str) -> str:
    text = cells.get(name, "").strip()
    if "\0" in text:
        raise _Unusable(name, "holds a NUL character", "remove it")
    if len(text) > LONGEST_TEXT:
        raise _Unusable(name, f"is longer than {LONGEST_TEXT} characters", "shorten it")
    return text


def _required(cells: Mapping[str, str], name: str) -> str:
    text = _text(cells, name)
    if not text:
        raise _Unusable(name, "is missing", "fill it in")
    return text


def _number(cells: Mapping[str, str], name: str) -> int | None:
    """A whole number, or None where the source is silent."""
    text = _text(cells, name)
    if not text:
        return None
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit() or len(text) > 9:
        raise _Unusable(name, f"{text[:20]!r} is no whole number", "write digits only, or leave it empty")
    return int(text)


def _point(cells: Mapping[str, str]) -> Point:
    try:
        latitude, longitude = float(_required(cells, "lat")), float(_required(cells, "lon"))
    except ValueError:
        raise _Unusable("lat", "lat and lon are no numbers", "write degrees, WGS 84") from None
    try:
        point = Point(latitude=latitude, longitude=longitude)
    except ValueError as error:
        raise _Unusable("lat", str(error), "write degrees, WGS 84, latitude first") from error
    if distance_m(point, NOWHERE) < NOWHERE_WITHIN_M:
        raise _Unusable(
            "lat", "0 N 0 E is in the sea: the source did not know the place", "look the place up"
        )
    return point


def _spots(cells: Mapping[str, str]) -> dict[SpotType, int]:
    total = _number(cells, "capacity")
    if total is None:
        raise _Unusable("capacity", "is missing", "count the places")
    if not 0 < total <= MOST_SPOTS:
        raise _Unusable("capacity", f"{total} is not within 1 … {MOST_SPOTS}", "count the places")
    disabled, ev = _number(cells, "capacity_disabled") or 0, _number(cells, "capacity_ev") or 0
    for name, count in (("capacity_disabled", disabled), ("capacity_ev", ev)):
        if count < 0:
            raise _Unusable(name, f"{count} is negative", "count the places, or leave it empty")
    if disabled + ev > total:
        name = "capacity_disabled" if disabled > total or ev <= total else "capacity_ev"
        problem = f"{disabled} disabled and {ev} electric places are more than all {total}"
        raise _Unusable(name, problem, "capacity counts every place, these included")
    counts = {SpotType.REGULAR: total - disabled - ev, SpotType.DISABLED: disabled, SpotType.EV: ev}
    return {type_: count for type_, count in counts.items() if count}


def _facts(cells: Mapping[str, str]) -> tuple[dict[str, object], list[_Unusable]]:
    """Side facts, and those that had to be left out."""
    left_out: list[_Unusable] = []
    told = _side_facts(cells, left_out)
    return {name: value for name, value in told if value not in {None, ""}}, left_out


def _side_facts(cells: Mapping[str, str], left_out: list[_Unusable]) -> Iterator[tuple[str, object]]:
    readers: dict[str, tuple[str, Callable[[Mapping[str, str], str], object]]] = {
        "country": ("country", _text),
        "city": ("city", _text),
        "kind": ("kind", _text),
        "fee": ("fee", _fee),
        "max_height_cm": ("max_height_cm", _height_cm),
        "opening_hours_as_published": ("opening_hours", _text),
        "tariff_as_published": ("tariff_text", _text),
    }
    for fact, (column, read) in readers.items():
        try:
            yield fact, read(cells, column)
        except _Unusable as unusable:
            left_out.append(unusable)


def _fee(cells: Mapping[str, str], name: str) -> bool | None:
    text = _text(cells, name)
    if text not in {"", "yes", "no"}:
        raise _Unusable(name, f"{text!r} is neither yes nor no", "write yes, no or nothing")
    return None if not text else text == "yes"


def _height_cm(cells: Mapping[str, str], name: str) -> int | None:
    height_cm = _number(cells, name)
    if not height_cm:  # sources write 0 where they do not know
        return None
    if height_cm not in HEIGHTS_CM:
        problem = f"{height_cm} cm is no clearance for cars"
        fix = f"measure it: {HEIGHTS_CM.start} … {HEIGHTS_CM.stop - 1} cm, or leave it empty"
        raise _Unusable(name, problem, fix)
    return height_cm
