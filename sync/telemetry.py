"""What of the picture goes next: sensor states and counts, coalesced. Next in its story: sync/edge_session.

Theory. The picture is not a log: only the last word on each spot counts, and a slow line must not make it old. So one States frame is on its way at
a time; what changes meanwhile goes with the next one, which waits for the answer and for `every_s` since the last. The first of a session
is the snapshot, of every spot, in as many frames as it needs. What was on its way when a session ended is still unread in the ledger and
goes with the next session's snapshot. A lot in which nothing happens sends its counts every `at_least_s` all the same: the centre tells a quiet
gateway from one without power by them. Real monotonic seconds.
"""

from __future__ import annotations

from sync.messages import MAX_STATE_ROWS, SpotStateRow
from sync.session import ReadStates


class Telemetry:
    """The picture's way up in one session."""

    def __init__(self, *, every_s: float, at_least_s: float, now_s: float) -> None:
        self._every_s = every_s
        self._at_least_s = at_least_s
        self._sent_s = now_s
        self._n = 0
        self._on_their_way: dict[int, tuple[SpotStateRow, ...]] = {}
        self._due = True
        self.snapshot_sent = False

    @property
    def oldest_sent_s(self) -> float | None:
        """When the frames that wait for an answer went."""
        return self._sent_s if self._on_their_way else None

    @property
    def ready_at(self) -> float | None:
        """The instant from which something may go that only time holds back; None while an answer is awaited."""
        if self._on_their_way:
            return None
        return self._sent_s + (self._every_s if self._due else self._at_least_s)

    def changed(self) -> None:
        """The picture is another one."""
        self._due = True

    def wanted(self, now_s: float) -> ReadStates | None:
        """What to read now, None where nothing may go."""
        if not self.snapshot_sent:
            return ReadStates(snapshot=True, limit=MAX_STATE_ROWS)
        ready_at = self.ready_at
        if ready_at is None or now_s < ready_at:
            return None
        return ReadStates(snapshot=False, limit=MAX_STATE_ROWS)

    def sent(
        self, rows: tuple[SpotStateRow, ...], now_s: float, *, more: bool
    ) -> list[tuple[int, tuple[SpotStateRow, ...]]]:
        """These rows go: the frames to send, as number and rows; one without rows where there are none, for the counts. `more`: others wait."""
        parts = [rows[first : first + MAX_STATE_ROWS] for first in range(0, len(rows), MAX_STATE_ROWS)] or [
            ()
        ]
        numbered = list(enumerate(parts, start=self._n + 1))
        self._n += len(numbered)
        self._on_their_way.update(numbered)
        self._sent_s = now_s
        self._due = more
        self.snapshot_sent = True
        return numbered

    def stored(self, n: int) -> tuple[SpotStateRow, ...]:
        """Frame `n` is stored in the centre; the rows that were in it, none where it was answered before."""
        return self._on_their_way.pop(n, ())

    def refused(self, now_s: float) -> None:
        """The centre would not take it: read anew, a little later."""
        self._on_their_way.clear()
        self._due = True
        self._sent_s = now_s
