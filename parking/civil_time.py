"""Civil time: what the clock on the lot's wall says, which is what tariffs and opening hours are written in.

Theory. Durations are elapsed time; only the *edges* of windows are civil. An edge ("18:00 on that date") is turned into one instant, and
from there on everything is arithmetic in UTC. Two nights a year that takes a decision, and it is the same for both: **an edge is passed at the first
instant at which the wall clock shows it or later.** So an edge in the hour that comes twice counts the first time, and an edge in the hour
that does not come counts at the jump. Every window that ends at an edge meets the next one that begins there: nothing is charged twice, nothing falls between.

A date has exactly one kind: the name of the special-day list that holds it (PH, for instance), or else its weekday.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MIN = 24 * 60
FOREVER_AT = datetime.max.replace(tzinfo=UTC)
ONE_DAY = timedelta(days=1)
LOOK_AHEAD_DAYS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialDays:
    """Dates that go by a name of their own instead of their weekday: public holidays, event days."""

    name: str
    dates: frozenset[date]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The zone's clock and the days that are special there.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: the zone is not an IANA name known to this machine.
    """

    timezone: str
    special_days: tuple[SpecialDays, ...] = ()

    def __post_init__(self) -> None:
        _ = self.zone

    @property
    def zone(self) -> ZoneInfo:
        """The zone's rules."""
        return ZoneInfo(self.timezone)

    def kind_of(self, day: date) -> str:
        """The name of the list that holds the day, or else its weekday as in "Mon"."""
        for special in self.special_days:
            if day in special.dates:
                return special.name
        return WEEKDAYS[day.weekday()]

    def date_at(self, at: datetime) -> date:
        """The civil date at an instant."""
        return at.astimezone(self.zone).date()

    def passes_at(self, day: date, minute: int) -> datetime:
        """The first instant (UTC) at which the wall clock shows `minute` minutes past midnight of `day`, or later."""
        return _passes_at(self.timezone, day, minute)


@lru_cache(maxsize=4_096)
def _passes_at(timezone: str, day: date, minute: int) -> datetime:
    """Kept, since one price asks for the same few instants over and over, and a least price hundreds of times."""
    zone = ZoneInfo(timezone)
    days, rest = divmod(minute, DAY_MIN)
    wall = datetime.combine(day + timedelta(days=days), time(rest // 60, rest % 60), zone)
    first = wall.astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return first
    return _jump_between(wall.replace(fold=1).astimezone(UTC), first, zone)


def _jump_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant, to the second, at which the offset changes between the two."""
    old = before.astimezone(zone).utcoffset()
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        at = before + timedelta(seconds=middle)
        if at.astimezone(zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return before + timedelta(seconds=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """Whether something holds at an instant: since `opened_at` (None: it does not hold), and `until` when that stays so."""

    opened_at: datetime | None
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Hours that come again: on each day of one of the `days` (None: every day), from `from_min` to `until_min` minutes after its
    midnight. `until_min` may lie in a later day; the window belongs to the day on which it begins. With `whatever_day` a weekday counts though its date is special.

    Raises:
        ValueError: it would not begin within its day, or not end after it began, or last more than a week.
    """

    days: frozenset[str] | None = None
    from_min: int = 0
    until_min: int = DAY_MIN
    whatever_day: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.from_min < DAY_MIN:
            raise ValueError(f"from_min {self.from_min} is not within one day (0 to {DAY_MIN - 1})")
        if not self.from_min < self.until_min <= self.from_min + 7 * DAY_MIN:
            raise ValueError(
                f"until_min {self.until_min} is not within a week after from_min {self.from_min}"
            )

    def falls_on(self, calendar: Calendar, day: date) -> bool:
        """Whether the window begins on this date."""
        kind = WEEKDAYS[day.weekday()] if self.whatever_day else calendar.kind_of(day)
        return self.days is None or kind in self.days

    def spell_at(self, calendar: Calendar, at: datetime) -> Spell:
        """The occurrence that holds at `at` (UTC), or when the next may begin (a window far off: when to ask again)."""
        today = calendar.date_at(at)
        first = today - timedelta(days=(self.until_min + DAY_MIN - 1) // DAY_MIN)
        for ahead in range((today - first).days + LOOK_AHEAD_DAYS):
            day = first + timedelta(days=ahead)
            if not self.falls_on(calendar, day):
                continue
            opens_at = calendar.passes_at(day, self.from_min)
            closes_at = calendar.passes_at(day, self.until_min)
            if opens_at <= at < closes_at:
                return Spell(opened_at=opens_at, until=closes_at)
            if at < opens_at < closes_at:
                return Spell(opened_at=None, until=opens_at)
        return Spell(opened_at=None, until=calendar.passes_at(today, (LOOK_AHEAD_DAYS - 1) * DAY_MIN))

    def holds_until(self, calendar: Calendar, at: datetime) -> bool:
        """Whether something that ends at `at` ends inside: both edges count ("leave by 19:00" allows 19:00)."""
        if self.spell_at(calendar, at).opened_at is not None:
            return True
        return self.spell_at(calendar, at - timedelta(microseconds=1)).opened_at is not None
