"""What a camera says of one vehicle, in words all formats share. Next: drivers/camera/understanding.py.

A sighting is one event of a camera. It may be no reading at all (motion, a sign of life), or a vehicle whose plate the camera could not
read. What a vendor has besides goes to `terms` under a common name: vehicle_type, vehicle_color, channel, list_type, car_state, …

Times: `time` is the camera's own text in ISO 8601 form; most cameras leave the offset out and their clocks are seldom right, so only a time
that names its offset becomes an instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

NO_PLATE = frozenset({"", "UNKNOWN", "NOPLATE", "NONE", "NULL", "无车牌"})
BETWEEN = frozenset(" .-·‐‑‒–—\t")
LONGEST_PLATE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One event. `written` is the plate as sent; None where the event is about no plate or none was read.

    `confidence` is in the vendor's own scale, `full` is that scale's end; None where the camera says nothing of it. `event_id` names the
    event where the camera numbers its events. `new` False: the camera goes on about a vehicle that it has told before.
    """

    is_anpr: bool = True
    heartbeat: bool = False
    written: str | None = None
    confidence: float | None = None
    full: float = 100.0
    time: str | None = None
    occurred_at: datetime | None = None
    country: str | None = None
    direction: str | None = None
    camera: str | None = None
    lane: int | None = None
    event_id: str | None = None
    new: bool = True
    terms: Mapping[str, object] = field(default_factory=dict)

    @property
    def plate(self) -> str | None:
        """The plate in capitals without what is put between; None where no plate was read."""
        return None if self.written is None else compact(self.written)

    @property
    def certainty(self) -> float | None:
        """The confidence as a share, 0 to 1; None where the camera says nothing of it."""
        return None if self.confidence is None else min(1.0, max(0.0, self.confidence / self.full))

    def as_json(self) -> dict[str, object]:
        """The sighting as `lotgate decode` prints it."""
        if not self.is_anpr:
            return {"is_anpr": False, "plate": None, "heartbeat": self.heartbeat, **self.terms}
        said: dict[str, object] = {
            "is_anpr": True,
            "plate": self.plate,
            "plate_raw": self.written,
            "no_read": self.written is None,
            "confidence": self.confidence,
            "time": self.time,
            "time_has_offset": None if self.time is None else self.occurred_at is not None,
            "country": self.country,
            "direction": self.direction,
            "camera": self.camera,
            "lane": self.lane,
            "event_id": self.event_id,
            "new_reading": self.new and self.written is not None,
        }
        return {**said, **self.terms}


def compact(written: str) -> str:
    """A plate in capitals, without blanks, dots and hyphens; nothing else is changed."""
    return "".join(sign for sign in written.upper() if sign not in BETWEEN)


def plate_or_none(written: str | None) -> str | None:
    """The plate as sent; None where the text says in words that none was read, or is no text that a plate can be."""
    if written is None or not written.strip().isprintable():
        return None
    text = written.strip()
    if compact(text) in NO_PLATE or len(compact(text)) > LONGEST_PLATE:
        return None
    return text


def stated_time(text: str | None) -> tuple[str | None, datetime | None]:
    """A time in ISO 8601 form, blank or T between, and the instant in UTC where it names its offset.

    A time that cannot be read is left out: no plate is lost to a camera's clock.
    """
    if text is None:
        return None, None
    iso = text.strip().replace(" ", "T", 1)
    try:
        at = datetime.fromisoformat(iso)
        return iso, at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None, None


def unix_time(seconds: float | None) -> datetime | None:
    """Seconds since 1970 as an instant; None where they are none that a calendar has."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
