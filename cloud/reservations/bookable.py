"""Which windows may be booked at all."""

from __future__ import annotations

from datetime import datetime, timedelta

from cloud.errors import BadRequest
from parking.interval import Interval

AHEAD_AT_MOST = timedelta(days=366)
LONGEST = timedelta(days=31)


def require_bookable(window: Interval, now: datetime) -> None:
    """Accept a window that is still to come, soon enough and short enough; `now` is civil.

    Raises:
        BadRequest: it is not; the error names the end that is wrong.
    """
    if window.ends_at is None or window.ends_at <= now:
        raise BadRequest("is over", "ends_at", "choose a time that is still to come")
    if window.ends_at - window.starts_at > LONGEST:
        raise BadRequest("is too far from the start", "ends_at", f"book at most {LONGEST.days} days")
    if window.starts_at > now + AHEAD_AT_MOST:
        raise BadRequest("is too far ahead", "starts_at", f"book within {AHEAD_AT_MOST.days} days")
