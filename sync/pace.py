"""How fast a backlog goes up: the token bucket, and a window that follows how fast the other side answers.

Theory. A drain must not flood a centre that has many lots, so rows go at `rate_per_s` with a `burst`. How many rows stand in a page
and how many pages are on their way follows the answers, as in TCP: each quick answer adds a little, a slow one halves, a refusal halves and
pauses with a growing pause, and a line that died with pages unanswered halves too (the pace outlives the session). Neither
falls below one page of MIN_ROWS, so a slow centre gets small pages for as long as it is slow, and nothing is ever dropped for pace.
Everything is in real monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.messages import MAX_PAGE_ROWS

MIN_ROWS = 10
LEAST_FLOW_S = 0.1
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceSettings:
    """`rate_per_s` rows in a second over time and `burst` at once; an answer after `slow_s` seconds is slow."""

    rate_per_s: float = 2_000.0
    burst: int = 2_000
    widest_window: int = 4
    slow_s: float = 2.0
    shortest_pause_s: float = 1.0
    longest_pause_s: float = 30.0


class Pace:
    """What may go now."""

    def __init__(self, settings: PaceSettings, now_s: float) -> None:
        self._settings = settings
        self._tokens = float(settings.burst)
        self._filled_at_s = now_s
        self._pause_s = 0.0
        self._paused_until_s = now_s
        self.rows = MAX_PAGE_ROWS
        self.window = 1

    def allowance(self, waiting: int, now_s: float) -> int:
        """How many of `waiting` rows may go now in one page, 0 where they are to wait."""
        self._fill(now_s)
        if now_s < self._paused_until_s or self._lacking(waiting) > 0:
            return 0
        return min(waiting, self.rows, max(1, int(self._tokens + _ROUNDING)))

    def ready_at(self, waiting: int, now_s: float) -> float:
        """The monotonic instant from which some of `waiting` rows may go."""
        self._fill(now_s)
        return max(self._paused_until_s, now_s + self._lacking(waiting) / self._settings.rate_per_s)

    def spent(self, rows: int) -> None:
        """`rows` rows went."""
        self._tokens -= rows

    def answered(self, latency_s: float) -> None:
        """A page was acknowledged `latency_s` after it went."""
        self._pause_s = 0.0
        if latency_s > self._settings.slow_s:
            self.lost()
            return
        self.rows = min(MAX_PAGE_ROWS, self.rows + max(1, self.rows // 4))
        self.window = min(self._settings.widest_window, self.window + 1)

    def refused(self, now_s: float) -> None:
        """The other side would not take a page: less, and after a pause."""
        self.lost()
        settings = self._settings
        self._pause_s = min(settings.longest_pause_s, max(settings.shortest_pause_s, self._pause_s * 2))
        self._paused_until_s = now_s + self._pause_s

    def lost(self) -> None:
        """Pages were answered late or not at all."""
        self.rows = max(MIN_ROWS, self.rows // 2)
        self.window = max(1, self.window // 2)

    def _lacking(self, waiting: int) -> float:
        """How many tokens are missing for a page worth sending: all that waits, but no more than flows in a LEAST_FLOW_S."""
        worth = min(waiting, self.rows, max(1.0, self._settings.rate_per_s * LEAST_FLOW_S))
        missing = worth - self._tokens
        return missing if missing > _ROUNDING else 0.0

    def _fill(self, now_s: float) -> None:
        gained = (now_s - self._filled_at_s) * self._settings.rate_per_s
        self._tokens = min(float(self._settings.burst), self._tokens + max(0.0, gained))
        self._filled_at_s = max(now_s, self._filled_at_s)
