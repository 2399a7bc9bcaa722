"""The agent's clock: the system's, or civil time on the scale that a demo hands to all of its processes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from parking.clock import CivilScale, Clock, ScaledClock

CIVIL_SCALE = "LOTGATE_CIVIL_SCALE"


class SystemClock:
    """Civil time is the system's, whatever sets it; real seconds are its monotonic ones."""

    def now(self) -> datetime:
        """The civil instant, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Real seconds since some fixed point, the same for all processes of this machine."""
        return time.monotonic()

    def real_s(self, civil: timedelta) -> float:
        """Civil time runs as real time does."""
        return civil.total_seconds()


def clock_from(environment: Mapping[str, str]) -> Clock:
    """The clock that `environment` asks for.

    Raises:
        ValueError: LOTGATE_CIVIL_SCALE is set and cannot be read.
    """
    scale = environment.get(CIVIL_SCALE)
    if not scale:
        return SystemClock()
    return ScaledClock(source=time.monotonic, scale=CivilScale.parse(scale))
