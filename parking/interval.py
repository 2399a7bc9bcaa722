"""Half-open windows of time, [starts_at, ends_at)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True, order=False)
class Interval:
    """From `starts_at` until just before `ends_at`, both aware; `ends_at` None means no end is known.

    Kept in UTC: two instants of one civil zone compare by the clock on the wall, which goes back once a year.

    Raises:
        ValueError: an instant without offset, or an end at or before the start.
    """

    starts_at: datetime
    ends_at: datetime | None

    def __post_init__(self) -> None:
        if self.starts_at.utcoffset() is None:
            raise ValueError(f"starts_at {self.starts_at} has no offset; use an aware datetime")
        object.__setattr__(self, "starts_at", self.starts_at.astimezone(UTC))
        if self.ends_at is None:
            return
        if self.ends_at.utcoffset() is None:
            raise ValueError(f"ends_at {self.ends_at} has no offset; use an aware datetime")
        object.__setattr__(self, "ends_at", self.ends_at.astimezone(UTC))
        if self.ends_at <= self.starts_at:
            raise ValueError(f"ends_at {self.ends_at} is not after starts_at {self.starts_at}")

    def overlaps(self, other: Interval) -> bool:
        """Whether an instant lies in both; windows that only touch do not overlap."""
        return (other.ends_at is None or self.starts_at < other.ends_at) and (
            self.ends_at is None or other.starts_at < self.ends_at
        )

    def contains(self, instant: datetime) -> bool:
        """Whether `instant` lies inside."""
        return self.starts_at <= instant and (self.ends_at is None or instant < self.ends_at)

    def covers(self, other: Interval) -> bool:
        """Whether all of `other` lies inside."""
        if self.starts_at > other.starts_at:
            return False
        return self.ends_at is None or (other.ends_at is not None and other.ends_at <= self.ends_at)

    def within(self, other: Interval) -> Interval:
        """The part of it that lies in `other`.

        Raises:
            ValueError: none does.
        """
        ends = [end for end in (self.ends_at, other.ends_at) if end is not None]
        return Interval(max(self.starts_at, other.starts_at), min(ends, default=None))

    def ending(self, ends_at: datetime | None) -> Interval:
        """The same start with another end."""
        return Interval(self.starts_at, ends_at)


def guarded(window: Interval, buffer: timedelta, now: datetime) -> Interval:
    """`window` with the time that a sale keeps free around it. What ended before `now` needs no buffer: that car is gone."""
    before = max(window.starts_at - buffer, min(now, window.starts_at))
    return Interval(before, None if window.ends_at is None else window.ends_at + buffer)
