"""Whether it is dark at the lot, so that the screens go dark with it."""

from __future__ import annotations

from datetime import UTC, datetime
from math import asin, atan2, cos, degrees, radians, sin

J2000_AT = datetime(2000, 1, 1, 12, tzinfo=UTC)
DUSK_DEG = -0.833  # the sun's upper edge meets the horizon, refraction included


def sun_elevation_deg(latitude: float, longitude: float, at: datetime) -> float:
    """How high the sun stands, in degrees, within about half a degree.

    Source: the low-precision formulas of the Astronomical Almanac, section C ("Sun"), good to 0.01 degree from 1950 to 2050.
    """
    days = (at - J2000_AT).total_seconds() / 86_400
    mean_longitude = 280.460 + 0.9856474 * days
    anomaly = radians(357.528 + 0.9856003 * days)
    ecliptic = radians(mean_longitude + 1.915 * sin(anomaly) + 0.020 * sin(2 * anomaly))
    obliquity = radians(23.439 - 0.0000004 * days)
    declination = asin(sin(obliquity) * sin(ecliptic))
    right_ascension = degrees(_right_ascension(ecliptic, obliquity))
    sidereal = 280.46062 + 360.98564737 * days
    hour_angle = radians((sidereal + longitude - right_ascension) % 360)
    phi = radians(latitude)
    return degrees(asin(sin(phi) * sin(declination) + cos(phi) * cos(declination) * cos(hour_angle)))


def is_dark(latitude: float, longitude: float, at: datetime) -> bool:
    """Whether the sun is down."""
    return sun_elevation_deg(latitude, longitude, at) < DUSK_DEG


def _right_ascension(ecliptic: float, obliquity: float) -> float:
    from_x, from_y = cos(ecliptic), cos(obliquity) * sin(ecliptic)
    return atan2(from_y, from_x)
