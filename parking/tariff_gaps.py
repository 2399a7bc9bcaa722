"""Finding the hour that a tariff forgot, before a driver does.

Theory. A week has 10,080 minutes; a set of them is one int with a bit for each. For the ordinary week, and for weeks in which one day is
special, and for every way in which rates can be eligible together (by the minute of entry and the kind of spot), the hours of those rates must cover the whole week. Rates
that depend on how the stay ends cannot be counted on. Rates for a part of the stay (`first_min`, `after_min`) count in that part alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parking.civil_time import DAY_MIN, WEEKDAYS, Window
from parking.lot import SpotType
from parking.rates import Rate
from parking.tariff import Tariff

WEEK_MIN = 7 * DAY_MIN
WHOLE_WEEK = (1 << WEEK_MIN) - 1

Week = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A minute of the week that nothing prices, for a stay that came at another, after so many minutes."""

    week: Week
    minute: int
    entered_minute: int
    spot_type: SpotType
    after_min: int

    def __str__(self) -> str:
        late = f", from its minute {self.after_min} on" if self.after_min else ""
        entered = f"for a {self.spot_type} spot entered {self._moment(self.entered_minute)}{late}"
        return f"{self._moment(self.minute)} ({entered})"

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
        closed |= _minutes_of(window, week)
    entries = [
        WHOLE_WEEK if not one.conditions.entered else _minutes_of(one.conditions.entered, week)
        for one in rates
    ]
    hours = [WHOLE_WEEK if not one.window else _minutes_of(one.window, week) for one in rates]
    tried: set[tuple[bool, ...]] = set()
    for minute in _entry_edges(tariff, rates):
        eligible = tuple(bool(entry >> minute & 1) for entry in entries)
        if closed >> minute & 1 or eligible in tried:
            continue
        tried.add(eligible)
        chosen = [(one, bits) for one, bits, is_in in zip(rates, hours, eligible, strict=True) if is_in]
        for after_min in sorted(
            {0, *(one.after_min for one, _ in chosen), *(one.first_min or 0 for one, _ in chosen)}
        ):
            covered = closed
            for one, bits in chosen:
                if one.after_min <= after_min and (one.first_min is None or after_min < one.first_min):
                    covered |= bits
            missing = WHOLE_WEEK & ~covered
            if missing:
                return Gap(
                    week=week,
                    minute=(missing & -missing).bit_length() - 1,
                    entered_minute=minute,
                    spot_type=spot_type,
                    after_min=after_min,
                )
    return None


def _entry_edges(tariff: Tariff, rates: list[Rate]) -> list[int]:
    """The minutes of the week at which what a stay may be priced by can change."""
    windows = [one.conditions.entered for one in rates if one.conditions.entered] + list(tariff.closed)
    edges = {0, *(edge % DAY_MIN for window in windows for edge in (window.from_min, window.until_min))}
    return sorted(day * DAY_MIN + edge for day in range(7) for edge in edges)


def _minutes_of(window: Window, week: Week) -> int:
    """The minutes of the week in which the window holds; what reaches over Sunday's end falls on Monday."""
    bits = 0
    for day in range(7):
        kind = WEEKDAYS[day] if window.whatever_day else week[day]
        if window.days is None or kind in window.days:
            length = window.until_min - window.from_min
            run = ((1 << length) - 1) << (day * DAY_MIN + window.from_min)
            bits |= (run | run >> WEEK_MIN) & WHOLE_WEEK
    return bits
