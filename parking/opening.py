"""When cars may enter: civil hours of the lot, over both clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from parking.interval import Interval
from parking.lot import OpeningHours


def is_open(hours: OpeningHours | None, timezone: ZoneInfo, now: datetime) -> bool:
    """Whether cars may enter at `now`; hours of None are never shut."""
    if hours is None:
        return True
    today = now.astimezone(timezone).date()
    return any(
        window.contains(now)
        for day in (today - timedelta(days=1), today)
        if (window := _hours_of(hours, timezone, day)) is not None
    )


def opens_at(hours: OpeningHours | None, timezone: ZoneInfo, now: datetime) -> datetime | None:
    """The next instant after `now` at which hours begin, within a week; None where none do."""
    if hours is None:
        return None
    today = now.astimezone(timezone).date()
    for ahead in range(8):
        window = _hours_of(hours, timezone, today + timedelta(days=ahead))
        if window is not None and window.starts_at > now:
            return window.starts_at
    return None


def _hours_of(hours: OpeningHours, timezone: ZoneInfo, day: date) -> Interval | None:
    """The hours that begin on `day`. Where the night skips or repeats them, the clock on the wall decides: first reading."""
    opens_closes = hours.by_weekday.get(day.weekday())
    if opens_closes is None:
        return None
    opens, closes = opens_closes
    last = day if closes > opens else day + timedelta(days=1)
    starts_at = datetime.combine(day, opens, tzinfo=timezone).astimezone(UTC)
    ends_at = datetime.combine(last, closes, tzinfo=timezone).astimezone(UTC)
    return Interval(starts_at, ends_at) if ends_at > starts_at else None
