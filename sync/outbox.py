"""What of the log goes next. Next in its story: sync/session (its edge's end, sync/edge_session).

Theory. The log itself is the outbox: nothing is copied. Two numbers walk over it: `sent_seq`, the last row on its way, and
`acknowledged_seq`, the last row that the centre is known to have applied. Pages go in order, as many on their way as the pace has window
for. An acknowledgement names the last row of a page and its hash; one that names another hash is about another log. A page that was refused
puts `sent_seq` back to `acknowledged_seq`: it goes again, smaller and later, and so does all behind it. No row is ever left out.

A new session begins at the older of what the two sides hold for acknowledged. A row that was applied and whose acknowledgement was lost
is sent once more: the inbox compares its hash and applies nothing. A centre that was restored from a backup asks in the same way for
what it lacks.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from sync.messages import LogRow
from sync.pace import Pace


class AckMeaning(StrEnum):
    """What an acknowledgement of a page means."""

    ADVANCED = "advanced"
    REPEATED = "repeated"
    NEVER_SENT = "never_sent"
    OTHER_LOG = "other_log"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOnItsWay:
    """The last row of a page that went at `sent_s`."""

    seq: int
    hash: bytes
    sent_s: float


class Outbox:
    """The walk of one session over the log."""

    def __init__(self, *, acknowledged_seq: int, last_seq: int, pace: Pace) -> None:
        self.acknowledged_seq = acknowledged_seq
        self.sent_seq = acknowledged_seq
        self.last_seq = last_seq
        self._pace = pace
        self._on_their_way: deque[PageOnItsWay] = deque()

    @property
    def backlog(self) -> int:
        """How many rows are not acknowledged."""
        return self.last_seq - self.acknowledged_seq

    @property
    def oldest_sent_s(self) -> float | None:
        """When the page that waits longest for its answer went."""
        return self._on_their_way[0].sent_s if self._on_their_way else None

    def grown(self, last_seq: int) -> None:
        """The log now ends at `last_seq`."""
        self.last_seq = max(self.last_seq, last_seq)

    def nothing_durable(self) -> None:
        """No row after `sent_seq` is durable yet; the next that becomes durable is told by `grown`."""
        self.last_seq = self.sent_seq

    def due(self, now_s: float) -> int:
        """How many rows after `sent_seq` are to go now, in one page; 0 for none."""
        if self.sent_seq >= self.last_seq or len(self._on_their_way) >= self._pace.window:
            return 0
        return self._pace.allowance(self.last_seq - self.sent_seq, now_s)

    def ready_at(self, now_s: float) -> float | None:
        """When a row may go that only the pace holds back; None where nothing waits for time."""
        if self.sent_seq >= self.last_seq or len(self._on_their_way) >= self._pace.window:
            return None
        return self._pace.ready_at(self.last_seq - self.sent_seq, now_s)

    def sent(self, rows: tuple[LogRow, ...], now_s: float) -> None:
        """These rows, which follow `sent_seq`, went as a page."""
        self.sent_seq = rows[-1].seq
        self._pace.spent(len(rows))
        self._on_their_way.append(PageOnItsWay(seq=rows[-1].seq, hash=rows[-1].hash, sent_s=now_s))

    def acknowledged(self, seq: int, row_hash: bytes, now_s: float) -> AckMeaning:
        """The centre says that everything up to `seq`, whose hash is `row_hash`, is applied."""
        if seq <= self.acknowledged_seq:
            return AckMeaning.REPEATED
        found = next((page for page in self._on_their_way if page.seq == seq), None)
        if found is None:
            return AckMeaning.NEVER_SENT
        if found.hash != row_hash:
            return AckMeaning.OTHER_LOG
        while self._on_their_way and self._on_their_way[0].seq <= seq:
            self._on_their_way.popleft()
        self.acknowledged_seq = seq
        self._pace.answered(now_s - found.sent_s)
        return AckMeaning.ADVANCED

    def refused(self, now_s: float) -> None:
        """The centre would not take a page: go back to what is acknowledged, smaller and later."""
        self._pace.refused(now_s)
        self._on_their_way.clear()
        self.sent_seq = self.acknowledged_seq

    def lost(self) -> None:
        """The session ends; pages without an answer make the next one more careful."""
        if self._on_their_way:
            self._pace.lost()
