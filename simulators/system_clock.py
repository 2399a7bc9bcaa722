"""The simulation's clock: the civil scale that a demo hands to all of its processes, or one of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from parking.clock import CivilScale, ScaledClock

CIVIL_SCALE = "LOTGATE_CIVIL_SCALE"


def scale_from(environment: Mapping[str, str], *, speed: float = 1.0) -> CivilScale:
    """The scale that `environment` names; where it names none, one that begins now and runs at `speed`.

    Raises:
        ValueError: LOTGATE_CIVIL_SCALE is set and cannot be read.
    """
    text = environment.get(CIVIL_SCALE)
    if text:
        return CivilScale.parse(text)
    return CivilScale(anchor_at=datetime.now(UTC), anchor_monotonic=time.monotonic(), speed=speed)


def clock_on(scale: CivilScale) -> ScaledClock:
    """A clock on this machine's monotonic time."""
    return ScaledClock(source=time.monotonic, scale=scale)
