"""How readers, printers and signs say that they are, as faults that a person mends. Shown by edge/lot_status.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from drivers.ports import Condition, ConditionReading
from edge.api.desk import Fault
from parking.clock import Clock

LOG = structlog.stdlib.get_logger("edge.device_conditions")

SILENT = ("does not answer", "Look at its power, its plug and its cable; it is taken up again by itself.")
WORDS: Mapping[Condition, tuple[str, str]] = {
    Condition.PAPER_LOW: ("is low on paper", "Put in a new roll soon."),
    Condition.PAPER_OUT: ("has no paper", "Put in a new roll."),
    Condition.PAPER_JAM: ("has a paper jam", "Open it, take the paper out and close it."),
    Condition.COVER_OPEN: ("is open", "Close it."),
    Condition.NOT_TAKEN: ("has a ticket that nobody took", "Take it out."),
    Condition.WRONG_KEY: (
        "has another key than ours",
        "Give it its key, or name it in default_key if it is new; until then it is not used.",
    ),
    Condition.FAULT: ("reports a fault", "Look at the device's own display."),
}


@dataclass(slots=True, kw_only=True)
class DeviceConditions:
    """The last word of each device about itself, and since when."""

    clock: Clock
    _troubles: dict[str, tuple[datetime, tuple[tuple[str, str], ...]]] = field(default_factory=dict)

    def take(self, reading: ConditionReading) -> None:
        """A device says how it is; None: it does not answer."""
        known = reading.conditions
        words = (SILENT,) if known is None else tuple(WORDS[each] for each in sorted(known))
        if not words:
            if self._troubles.pop(reading.device, None) is not None:
                LOG.info("device_is_well", device=reading.device)
            return
        before = self._troubles.get(reading.device)
        if before is None or before[1] != words:
            self._troubles[reading.device] = (self.clock.now(), words)
            LOG.warning("device_in_trouble", device=reading.device, troubles=[said for said, _ in words])

    def faults(self) -> Sequence[Fault]:
        """What a person must mend, the oldest first."""
        return [
            Fault(
                title=f"{device} {' and '.join(said for said, _ in words)}",
                since_at=since_at,
                effect="What it does at its place does not work; the rest of the lot does.",
                steps=tuple(step for _, step in words),
            )
            for device, (since_at, words) in sorted(self._troubles.items(), key=lambda each: each[1][0])
        ]
