"""Whether the count of cars inside has drifted from what stands on the places: a tailgater not seen, a car that left under a raised arm.

Theory. Whoever looks for a place or drives to the exit is inside and stands nowhere, so the places taken are rightly fewer than the cars inside, by as many as
drive about; they are never more. At some instant of a day nobody drives about, and then the two are equal. So the largest difference (taken less
inside) of a day is 0, and what else it is is the drift: above 0, cars came in uncounted; below, cars left uncounted. It is kept by the hour, so that a
day slides. Only a person's recount puts the ledger right; here it is told. An instant at which a sensor is doubted tells nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

HOURS = 24
LEAST_HOURS = 20
HOUR = timedelta(hours=1)


class CounterDrift:
    """The drift of one lot's count."""

    def __init__(self) -> None:
        self._largest: dict[int, int] = {}
        self.drift = 0

    def note(self, now: datetime, *, taken: int, inside: int) -> bool:
        """Compare the two at one instant; whether the drift that is told changed. Both ends count from the first of 20 hours of the last 24."""
        hour = int(now.timestamp() // HOUR.total_seconds())
        self._largest[hour] = max(taken - inside, self._largest.get(hour, taken - inside))
        for past in [each for each in self._largest if each <= hour - HOURS]:
            del self._largest[past]
        if len(self._largest) < LEAST_HOURS:
            return False
        was, self.drift = self.drift, max(self._largest.values())
        return was != self.drift

    def recounted(self) -> None:
        """A person counted: the past differences are void."""
        self._largest.clear()
        self.drift = 0
