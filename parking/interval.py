"""Half-open windows of time, [starts_at, ends_at)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, order=False)
class Interval:
    """From `starts_at` until just before `ends_at`, both aware; `ends_at` None means no end is known.

    Raises:
        ValueError: an instant without offset, or an end at or before the start.
    """

    starts_at: datetime
    ends_at: datetime | None

    def __post_init__(self) -> None:
        if self.starts_at.utcoffset() is None:
            raise ValueError(f"starts_at {self.starts_at} has no offset; use an aware datetime")
        if self.ends_at is None:
            return
        if self.ends_at.utcoffset() is None:
            raise ValueError(f"ends_at {self.ends_at} has no offset; use an aware datetime")
        if self.ends_at.astimezone(UTC) <= self.starts_at.astimezone(UTC):
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

    def ending(self, ends_at: datetime | None) -> Interval:
        """The same start with another end."""
        return Interval(self.starts_at, ends_at)
