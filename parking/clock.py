"""Two times: *civil* instants, which tariffs, windows and dwell are about, and *real* monotonic seconds, which arms, cars,
time-outs and deadlines are about. In production both run alike. A demo scales civil time only: every process of it is given the same
`CivilScale`, so that all of them agree on what time it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What a shell reads; pure code is handed the value."""

    def now(self) -> datetime:
        """The civil instant, aware UTC: an estimate."""
        ...

    def monotonic(self) -> float:
        """Real seconds since some fixed point; never goes back, never scaled."""
        ...

    def real_s(self, civil: timedelta) -> float:
        """How many real seconds `civil` takes."""
        ...


class TrustedClock(Clock, Protocol):
    """A clock that says how far it may be trusted (parking/trusted_time.py)."""

    @property
    def known(self) -> bool:
        """Whether windows can be judged: False while the quality is unknown."""
        ...

    def dark_since(self, at: datetime) -> datetime | None:
        """None where the time was known when it was written down as `at`. Else from when on it has certainly passed since: `at`, or the later
        instant at which this clock began to run.
        """
        ...

    def lower_bound(self) -> datetime:
        """The civil instant that has certainly passed. Never goes back."""
        ...

    def released_before(self) -> datetime:
        """What ended before this instant binds no more, and a promise made now begins here: the lower bound, which stands still for
        promises while the time is unknown.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CivilScale:
    """Civil time as a straight line over real monotonic time: at `anchor_monotonic` it was `anchor_at`, and `speed` civil
    seconds pass in a real one. Its text form is "2026-11-24T07:00:00+00:00,12345.678,60".
    """

    anchor_at: datetime
    anchor_monotonic: float
    speed: float

    def at(self, monotonic: float) -> datetime:
        """The civil instant at a real monotonic one."""
        return self.anchor_at + timedelta(seconds=(monotonic - self.anchor_monotonic) * self.speed)

    def __str__(self) -> str:
        return f"{self.anchor_at.isoformat()},{self.anchor_monotonic!r},{self.speed!r}"

    @classmethod
    def parse(cls, text: str) -> CivilScale:
        """Read the text form.

        Raises:
            ValueError: it is not three fields, or one is not what it should be.
        """
        fields = text.split(",")
        if len(fields) != 3:
            raise ValueError(f"{text!r}: a civil scale is INSTANT,MONOTONIC,SPEED")
        anchor_at = datetime.fromisoformat(fields[0])
        if anchor_at.utcoffset() is None:
            raise ValueError(f"{fields[0]!r}: the instant needs an offset, as in 2026-11-24T07:00:00+00:00")
        return cls(
            anchor_at=anchor_at.astimezone(UTC), anchor_monotonic=float(fields[1]), speed=float(fields[2])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledClock:
    """A `TrustedClock` on a given source of monotonic seconds and a civil scale, which is the truth by agreement."""

    source: Callable[[], float]
    scale: CivilScale

    @property
    def known(self) -> bool:
        """Always."""
        return True

    def dark_since(self, at: datetime) -> datetime | None:  # noqa: ARG002 - the protocol's
        """Never dark."""
        return None

    def lower_bound(self) -> datetime:
        """The civil instant itself."""
        return self.now()

    def released_before(self) -> datetime:
        """The civil instant itself."""
        return self.now()

    def now(self) -> datetime:
        """The civil instant, aware UTC."""
        return self.scale.at(self.source())

    def monotonic(self) -> float:
        """Real seconds of the source."""
        return self.source()

    def real_s(self, civil: timedelta) -> float:
        """How many real seconds `civil` takes at this scale."""
        return civil.total_seconds() / self.scale.speed
