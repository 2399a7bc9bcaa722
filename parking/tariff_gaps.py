"""Finding the hour that a tariff forgot, before a driver does; and the rate that can never come into force.

Theory. A week has 10,080 minutes; a set of them is one int with a bit for each. For the ordinary week, and for weeks in which one day is
special, and for every way in which rates can be eligible together (by the minute of entry and the kind of spot), the hours of those rates must cover the whole week. Rates
that depend on how the stay ends cannot be counted on. Rates for a part of the stay (`first_min`, `after_min`) count in that part alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parking.civil_time import DAY_MIN, WEEKDAYS, Window
from parking.lot import SpotType
from parking.rates import Conditions, Rate
from parking.tariff import Tariff

WEEK_MIN = 7 * DAY_MIN
WHOLE_WEEK = (1 << WEEK_MIN) - 1

Week = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Minutes of the week that nothing prices, for a stay that came at another, after so many minutes."""

    week: Week
    minute: int
    until_minute: int
    entered_minute: int
    spot_type: SpotType
    after_min: int

    def __str__(self) -> str:
        late = f", from its minute {self.after_min} on" if self.after_min else ""
        entered = f"for a {self.spot_type} spot entered {self._moment(self.entered_minute)}{late}"
        return f"{self._moment(self.minute)} to {self._moment(self.until_minute % WEEK_MIN)} ({entered})"

    def _moment(self, minute: int) -> str:
        day, rest = divmod(minute, DAY_MIN)
        kind = "" if self.week[day] == WEEKDAYS[day] else f", a {self.week[day]} day"
        return f"{WEEKDAYS[day]}{kind} {rest // 60:02}:{rest % 60:02}"


def first_gap(tariff: Tariff) -> Gap | None:
    """The first minute that some stay would find without a price, or None."""
    types = {SpotType.REGULAR}.union(*(rate.conditions.spot_types or () for rate in tariff.rates))
    dependable = [rate for rate in tariff.rates if not rate.conditions.turn_on_the_end]
    for week in _weeks(tariff):
        for spot_type in sorted(types):
            rates = [rate for rate in dependable if _suits(rate, spot_type)]
            gap = _gap_in(tariff, week, spot_type, rates)
            if gap is not None:
                return gap
    return None


def hidden_rate(tariff: Tariff) -> int | None:
    """The index of the first rate whose hours are all taken by rates above it that ask for nothing, or None."""
    for index, rate in enumerate(tariff.rates):
        above = [one for one in tariff.rates[:index] if _asks_for_nothing(one)]
        if above and all(_is_hidden(rate, above, week) for week in _weeks(tariff)):
            return index
    return None


def _asks_for_nothing(rate: Rate) -> bool:
    return rate.conditions == Conditions() and rate.after_min == 0 and rate.first_min is None


def _is_hidden(rate: Rate, above: list[Rate], week: Week) -> bool:
    taken = 0
    for one in above:
        taken |= _hours(one.window, week)
    return not _hours(rate.window, week) & ~taken


def _suits(rate: Rate, spot_type: SpotType) -> bool:
    return rate.conditions.spot_types is None or spot_type in rate.conditions.spot_types


def _weeks(tariff: Tariff) -> Iterator[Week]:
    yield WEEKDAYS
    for special in tariff.calendar.special_days:
        for day in range(7):
            yield (*WEEKDAYS[:day], special.name, *WEEKDAYS[day + 1 :])
        yield (special.name,) * 7


def _gap_in(tariff: Tariff, week: Week, spot_type: SpotType, rates: list[Rate]) -> Gap | None:
    closed = 0
    for window in tariff.closed:
        closed |= _hours(window, week)
    entries = [_hours(one.conditions.entered, week) for one in rates]
    tried: set[tuple[bool, ...]] = set()
    for entered_minute in _entry_edges(tariff, rates):
        eligible = tuple(bool(entry >> entered_minute & 1) for entry in entries)
        if closed >> entered_minute & 1 or eligible in tried:
            continue
        tried.add(eligible)
        chosen = [one for one, is_in in zip(rates, eligible, strict=True) if is_in]
        for after_min, covered in _coverage(chosen, week):
            missing = WHOLE_WEEK & ~(covered | closed)
            if missing:
                minute = (missing & -missing).bit_length() - 1
                after = missing >> minute
                return Gap(
                    week=week,
                    minute=minute,
                    until_minute=minute + (~after & (after + 1)).bit_length() - 1,
                    entered_minute=entered_minute,
                    spot_type=spot_type,
                    after_min=after_min,
                )
    return None


def _coverage(rates: list[Rate], week: Week) -> Iterator[tuple[int, int]]:
    """For each part of a stay (from so many minutes on): the minutes of the week that some rate covers then."""
    for after_min in sorted({0, *(one.after_min for one in rates), *(one.first_min or 0 for one in rates)}):
        covered = 0
        for one in rates:
            if one.after_min <= after_min and (one.first_min is None or after_min < one.first_min):
                covered |= _hours(one.window, week)
        yield after_min, covered


def _entry_edges(tariff: Tariff, rates: list[Rate]) -> list[int]:
    """The minutes of the week at which what a stay may be priced by can change."""
    windows = [one.conditions.entered for one in rates if one.conditions.entered] + list(tariff.closed)
    edges = {0, *(edge % DAY_MIN for window in windows for edge in (window.from_min, window.until_min))}
    return sorted(day * DAY_MIN + edge for day in range(7) for edge in edges)


def _hours(window: Window | None, week: Week) -> int:
    """The minutes of the week in which the window holds (None: all); what reaches over Sunday's end falls on Monday."""
    if window is None:
        return WHOLE_WEEK
    bits = 0
    for day in range(7):
        kind = WEEKDAYS[day] if window.whatever_day else week[day]
        if window.days is None or kind in window.days:
            length = window.until_min - window.from_min
            run = ((1 << length) - 1) << (day * DAY_MIN + window.from_min)
            bits |= (run | run >> WEEK_MIN) & WHOLE_WEEK
    return bits
