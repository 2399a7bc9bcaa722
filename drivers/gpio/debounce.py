"""When a contact that bounces has closed: sans-IO, in time and not in edges.

Theory. A raw level goes in with the instant at which it began (monotonic seconds). A level counts once it has held for
`settle_s` without a break; a shorter pulse is no pulse. A contact that finds no rest for `restless_s` is told as not known (None)
until it settles again: a chattering safety loop is neither free nor occupied.

The answer depends on the levels and their instants alone, never on how late anybody looked: `feed` settles what was due
before the new level began.
"""

from __future__ import annotations


class Debouncer:
    """One contact; `closed` is its settled level, None while it is not known."""

    def __init__(self, level: bool, at: float, *, settle_s: float, restless_s: float) -> None:
        self.closed: bool | None = None
        self.raw = level
        self._settle_s = settle_s
        self._restless_s = restless_s
        self._since = at
        self._restless_since: float | None = at

    @property
    def due_at(self) -> float | None:
        """When to look next, where no level changes until then; None: it is at rest."""
        if self._restless_since is None:
            return None
        settles_at = self._since + self._settle_s
        return settles_at if self.closed is None else min(settles_at, self._restless_since + self._restless_s)

    def feed(self, level: bool, at: float) -> bool:
        """Note a level that began `at`; the answer is whether `closed` changed before it began."""
        changed = self.look(at)
        if level is not self.raw:
            self.raw = level
            self._since = at
            if self._restless_since is None:
                self._restless_since = at
        return changed

    def look(self, now: float) -> bool:
        """Settle what is due by `now`; the answer is whether `closed` changed."""
        before = self.closed
        if now >= self._since + self._settle_s:
            self.closed = self.raw
            self._restless_since = None
        elif self._restless_since is not None and now >= self._restless_since + self._restless_s:
            self.closed = None
        return self.closed is not before
