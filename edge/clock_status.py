"""What a person reads of the lot's clock: its quality, how sure it is, how far the machine's own clock is off."""

from __future__ import annotations

from edge.api.desk import ClockStatus, Fault
from edge.lot_clock import ClockReading
from parking.trusted_time import ClockQuality

WRONG_AFTER_S = 60.0

SENTENCES = {
    ClockQuality.SYNCED: "The centre's time, heard within the last five minutes.",
    ClockQuality.HOLDOVER: "Kept by this machine since the centre was last heard.",
    ClockQuality.UNKNOWN: "Nobody has told the time since the machine was switched on. Stays are timed; nothing is refused for it.",
}


def clock_status(reading: ClockReading) -> ClockStatus:
    """The clock as the status page and the metrics have it."""
    sure = "" if reading.drift_s is None else f" Right within {max(0.1, reading.drift_s):.1f} s."
    off = f" The machine's clock is {reading.offset_s:+.0f} s off." if _is_off(reading) else ""
    return ClockStatus(
        quality=reading.quality.value,
        detail=f"{SENTENCES[reading.quality]}{sure}{off}",
        lower_bound_at=reading.lower_at,
        offset_s=reading.offset_s,
        contradictions=reading.contradictions,
    )


def clock_fault(status: ClockStatus) -> Fault | None:
    """What a person should do about the clock; None where it is known."""
    if status.quality != ClockQuality.UNKNOWN.value:
        return None
    return Fault(
        title="The time is not known",
        effect="Gates, tickets and passes work. No promise ends, prices are the lowest that fit.",
        steps=("Bring the line to the centre back: it tells the time.",),
    )


def _is_off(reading: ClockReading) -> bool:
    return abs(reading.offset_s) >= WRONG_AFTER_S
