"""Labelled places at which a process can be made to die, so that a test can ask what a power cut there leaves behind.

Labels are constants next to their use, "edge.ledger.before_commit" and alike. Unarmed, a hit only counts: the counts tell a test run
whether the corner was ever reached.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable


def die_at_once() -> None:
    """End this process as a power cut would: no handler runs, nothing is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)


class Failpoints:
    """Counts each label; at the `nth` hit of the armed one, calls `strike`."""

    def __init__(
        self, *, armed: str | None = None, nth: int = 1, strike: Callable[[], None] = die_at_once
    ) -> None:
        if nth < 1:
            raise ValueError(f"nth {nth}: hits are counted from 1")
        self._armed = armed
        self._nth = nth
        self._strike = strike
        self.labels_hit: Counter[str] = Counter()

    @classmethod
    def parse(cls, text: str | None, strike: Callable[[], None] = die_at_once) -> Failpoints:
        """Read "label" or "label:nth", as LOTGATE_FAILPOINT has it; None or "" arms nothing.

        Raises:
            ValueError: what follows the colon is not a count from 1.
        """
        if not text:
            return cls(strike=strike)
        label, colon, nth = text.partition(":")
        return cls(armed=label, nth=int(nth) if colon else 1, strike=strike)

    def hit(self, label: str) -> None:
        """The program came to `label`."""
        self.labels_hit[label] += 1
        if label == self._armed and self.labels_hit[label] == self._nth:
            self._strike()
