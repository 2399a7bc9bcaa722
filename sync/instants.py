"""Instants as they travel: integer microseconds since 1970 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_ORIGIN_AT = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
LAST_US = (datetime(9999, 1, 1, tzinfo=UTC) - _ORIGIN_AT) // _MICROSECOND


def to_us(instant: datetime) -> int:
    """Microseconds since 1970 of an aware instant, exactly.

    Raises:
        ValueError: `instant` has no offset.
    """
    if instant.utcoffset() is None:
        raise ValueError(f"{instant} has no offset; use an aware datetime")
    return (instant - _ORIGIN_AT) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """The aware UTC instant of `microseconds` since 1970.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    return _ORIGIN_AT + timedelta(microseconds=microseconds)
