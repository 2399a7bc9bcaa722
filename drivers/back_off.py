"""How long to wait before a broken driver is started again: exponential, bounded, with full jitter.

Full jitter (a uniform draw between nothing and the ceiling of the attempt) spreads the returns of many clients of one
broker; source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """A policy in seconds; pure, the caller holds the Random and counts the attempts.

    A run of at least `settled_s` in which data came ends a series of failures: the next one counts as the first.
    """

    first_s: float = 0.5
    ceiling_s: float = 10.0
    settled_s: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.first_s <= self.ceiling_s:
            raise ValueError(
                f"0 < first_s <= ceiling_s does not hold for {self.first_s} and {self.ceiling_s}"
            )

    def bound_s(self, attempt: int) -> float:
        """Return the longest wait before restart number `attempt`, counted from 0."""
        doublings = min(attempt, 64)  # 2.0 ** 1024 overflows; the ceiling is reached long before
        return float(min(self.ceiling_s, self.first_s * 2.0**doublings))

    def delay_s(self, attempt: int, random: Random) -> float:
        """Draw the wait before restart number `attempt`, counted from 0."""
        return random.uniform(0.0, self.bound_s(attempt))
