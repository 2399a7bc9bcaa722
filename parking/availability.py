"""What sensors and people say of the spots: a picture that ends alike on every replica, in whatever order the words arrive.

Theory. A writer is (tier, epoch) and numbers its own updates. An update carries the vector of what its writer had `seen`, so it is known
which updates it was made in knowledge of. Of each spot we keep the *causally maximal* updates: those that no received update surpasses. That
is at most one per writer. Shown is the one of highest priority (sensor 3 > user_checkout 2 > user_report 1 > system 0), then of latest
`occurred_at`, then of highest writer. Which are maximal depends on the set received, never on its order: so every replica ends alike. (A
rule of pairs, "newer wins, else priority", is not transitive: with three updates it ends in three ways.)

What a surpassed update had seen stays known (`_seen`). Vectors are cumulative, so after a restart the kept updates alone tell it again.

Confidence falls with silence: a source that says nothing for three of its own intervals is stale. What may be sold is the ledger's
affair (parking/sellable.py); this is what the map shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from parking.errors import NoSuchSpot
from parking.ids import SpotId
from parking.lot import Spot, SpotType, Tier

STALE_AFTER_INTERVALS = 3


class Source(IntEnum):
    """Who says so; the number is its priority."""

    SYSTEM = 0
    USER_REPORT = 1
    USER_CHECKOUT = 2
    SENSOR = 3


class SpotState(StrEnum):
    """What is said of a spot."""

    FREE = "free"
    OCCUPIED = "occupied"
    OUT_OF_SERVICE = "out_of_service"
    UNKNOWN = "unknown"


class Confidence(StrEnum):
    """How far to trust it."""

    FRESH = "fresh"
    STALE = "stale"
    NONE = "none"


@dataclass(frozen=True, slots=True, order=True)
class Writer:
    """Who numbers the updates: one tier in one epoch."""

    tier: Tier
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One update of one spot.

    `n` counts up from 1 over all of the writer's updates. `seen` is the highest n of every *other* writer that this one knew of; its own
    earlier updates it has always seen. `interval` is how often the source speaks by itself; None where it speaks on change only.
    """

    spot: SpotId
    state: SpotState
    source: Source
    writer: Writer
    n: int
    seen: Mapping[Writer, int] = field(default_factory=dict)
    occurred_at: datetime
    received_at: datetime
    interval: timedelta | None = None

    def surpasses(self, other: Observation) -> bool:
        """Whether this update was made in knowledge of `other`."""
        if self.writer == other.writer:
            return self.n > other.n
        return self.seen.get(other.writer, 0) >= other.n

    def confidence(self, now: datetime) -> Confidence:
        """Fresh, or stale once three of the source's own intervals went by without a word."""
        if self.state is SpotState.UNKNOWN:
            return Confidence.NONE
        if self.interval is not None and now - self.received_at > STALE_AFTER_INTERVALS * self.interval:
            return Confidence.STALE
        return Confidence.FRESH

    def rank(self) -> tuple[Source, datetime, Writer, int, SpotState]:
        """What is shown comes first by this."""
        return (self.source, self.occurred_at, self.writer, self.n, self.state)


class SpotPicture:
    """What is known of one spot: the causally maximal updates, and what any received one had seen."""

    __slots__ = ("_latest", "_seen")

    def __init__(self) -> None:
        self._latest: dict[Writer, Observation] = {}
        self._seen: dict[Writer, int] = {}

    def take(self, update: Observation) -> bool:
        """Take an update in; True where what is kept changed."""
        before = self.kept()
        for writer, n in update.seen.items():
            if writer != update.writer:
                self._seen[writer] = max(n, self._seen.get(writer, 0))
        known = self._latest.get(update.writer)
        if known is None or (update.n, update.rank()) > (known.n, known.rank()):
            self._latest[update.writer] = update
        return self.kept() != before

    def kept(self) -> Sequence[Observation]:
        """The causally maximal updates, by writer; to be stored, one row each."""
        return [
            self._latest[writer]
            for writer in sorted(self._latest)
            if self._latest[writer].n > self._seen.get(writer, 0)
        ]

    def shown(self) -> Observation | None:
        """The update that counts; None where nothing is known."""
        return max(self.kept(), key=Observation.rank, default=None)

    def vector(self) -> Mapping[Writer, int]:
        """All that has been seen: what an update made now carries as `seen`."""
        seen = dict(self._seen)
        for writer, update in self._latest.items():
            seen[writer] = max(update.n, seen.get(writer, 0))
        return seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What is seen of one type; the four add up to `total`, so free is within 0 … total, always."""

    total: int
    free: int
    occupied: int
    out_of_service: int

    @property
    def unknown(self) -> int:
        """Spots of which nothing is known."""
        return self.total - self.free - self.occupied - self.out_of_service


class Availability:
    """The pictures of a lot's spots, and the counts by type, kept with every change."""

    def __init__(self, spots: Iterable[Spot]) -> None:
        self._types: dict[SpotId, SpotType] = {spot.id: spot.type for spot in spots}
        self._pictures = {spot: SpotPicture() for spot in self._types}
        self._counts = {
            spot_type: dict.fromkeys(SpotState, 0) for spot_type in dict.fromkeys(self._types.values())
        }
        for spot_type in self._types.values():
            self._counts[spot_type][SpotState.UNKNOWN] += 1

    def take(self, update: Observation) -> bool:
        """Take an update in; True where what is shown of its spot changed.

        Raises:
            NoSuchSpot: not of this lot.
        """
        picture = self.picture(update.spot)
        before = picture.shown()
        picture.take(update)
        after = picture.shown()
        counts = self._counts[self._types[update.spot]]
        counts[_state(before)] -= 1
        counts[_state(after)] += 1
        return after != before

    def picture(self, spot: SpotId) -> SpotPicture:
        """What is known of one spot.

        Raises:
            NoSuchSpot: not of this lot.
        """
        picture = self._pictures.get(spot)
        if picture is None:
            raise NoSuchSpot(spot)
        return picture

    def state(self, spot: SpotId) -> SpotState:
        """What is shown of one spot.

        Raises:
            NoSuchSpot: not of this lot.
        """
        return _state(self.picture(spot).shown())

    def confidence(self, spot: SpotId, now: datetime) -> Confidence:
        """How far to trust what is shown of one spot.

        Raises:
            NoSuchSpot: not of this lot.
        """
        shown = self.picture(spot).shown()
        return Confidence.NONE if shown is None else shown.confidence(now)

    def counts(self) -> Mapping[SpotType, Counts]:
        """What is seen, by type."""
        return {
            spot_type: Counts(
                total=sum(states.values()),
                free=states[SpotState.FREE],
                occupied=states[SpotState.OCCUPIED],
                out_of_service=states[SpotState.OUT_OF_SERVICE],
            )
            for spot_type, states in self._counts.items()
        }

    def stale(self, now: datetime) -> Sequence[SpotId]:
        """The spots whose source has fallen silent; looks at every spot."""
        return [spot for spot in self._types if self.confidence(spot, now) is Confidence.STALE]


def _state(shown: Observation | None) -> SpotState:
    return SpotState.UNKNOWN if shown is None else shown.state


class Face(StrEnum):
    """What a sign says of a lot or a type: closed is not full."""

    FREE = "free"
    FULL = "full"
    CLOSED = "closed"
    UNKNOWN = "unknown"


def face(*, is_open: bool, free: int | None) -> Face:
    """The sign's word for `free` places, None where their number is not known."""
    if not is_open:
        return Face.CLOSED
    if free is None:
        return Face.UNKNOWN
    return Face.FREE if free > 0 else Face.FULL


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedCount:
    """A count that somebody else keeps, brought within 0 … total; `drift` is by how much it was wrong, to be told."""

    free: int
    total: int
    drift: int

    @classmethod
    def of(cls, *, free: int, total: int) -> ReportedCount:
        """Correct a reported count.

        Raises:
            ValueError: a negative total.
        """
        if total < 0:
            raise ValueError(f"total {total} is negative")
        within = min(max(free, 0), total)
        return cls(free=within, total=total, drift=free - within)
