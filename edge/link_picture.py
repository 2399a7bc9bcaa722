"""What the centre is shown of the lot ahead of the log: sensors, counts, lanes. Next in its story: sync/edge_session.

The picture is telemetry: the last state of each spot, and *sellable now* by type as of a row of the log. What the ledger decides stands in
the log itself and does not depend on this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from edge.change import SpotState
from parking.lot import SpotType
from parking.sellable import SellableNow
from sync.edge_session import StatesContent
from sync.instants import to_us
from sync.messages import CountRow, SpotStateRow

LONGEST_SOURCE = 200


class PictureLedger(Protocol):
    """What the picture needs of the ledger."""

    @property
    def last_seq(self) -> int:
        """The last row of the log."""
        ...

    def spot_states(self) -> Sequence[SpotState]:
        """The last word of every writer on every spot."""
        ...

    def dirty_spot_states(self, limit: int) -> Sequence[SpotState]:
        """Words that the centre does not have yet, at most `limit`."""
        ...

    def counts(self, now: datetime | None = None) -> Mapping[SpotType, SellableNow]:
        """*Sellable now* by type."""
        ...


class LinkPicture:
    """Reads the picture. `lanes` gives each lane's id and state, `unexplained` the difference between sensors and stays."""

    def __init__(
        self,
        ledger: PictureLedger,
        *,
        lanes: Callable[[], Sequence[tuple[str, str]]],
        unexplained: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._lanes = lanes
        self._unexplained = unexplained

    def read(self, *, snapshot: bool, limit: int) -> tuple[StatesContent, dict[tuple[str, int], SpotState]]:
        """What to send (every spot where `snapshot`, else at most `limit` that changed), and the ledger's word behind each row."""
        words = self._ledger.spot_states() if snapshot else self._ledger.dirty_spot_states(limit)
        content = StatesContent(
            as_of_seq=self._ledger.last_seq,
            spots=tuple(_row(word) for word in words),
            counts=tuple(_count(kind, count) for kind, count in self._ledger.counts().items()),
            lanes=tuple(self._lanes()),
            unexplained=self._unexplained(),
            more=not snapshot and len(words) >= limit,
        )
        return content, {(word.spot, word.n): word for word in words}


def _row(word: SpotState) -> SpotStateRow:
    return SpotStateRow(
        spot=word.spot,
        n=word.n,
        state=word.state,
        source=word.source[:LONGEST_SOURCE],
        occurred_us=to_us(word.occurred_at),
        confidence_1e4=word.confidence_1e4,
    )


def _count(kind: SpotType, count: SellableNow) -> CountRow:
    return CountRow(
        type=str(kind),
        total=count.total,
        sellable=count.count,
        holds_until_us=None if count.holds_until is None else to_us(count.holds_until),
    )
