"""A booking's row, as coordinator and database know it: one revision of a reservation, the lots that it concerns, its lease.

The machine that moves it is sync/coordinator.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from parking.claims import Claim
from parking.ids import ClaimId, SpotId
from parking.interval import Interval
from parking.lot import SpotType
from sync.errors import LocalError
from sync.instants import from_us
from sync.lease import Lease
from sync.messages import Vote
from sync.transaction import Outcome, TransactionId


class CoordinatorState(StrEnum):
    """How far a revision is. NONE is the absence of a row."""

    NONE = "none"
    DRAFT = "draft"
    PREPARING = "preparing"
    COMMITTED = "committed"
    ABORTED = "aborted"
    WITHHELD = "withheld"


_OUTCOMES = {
    CoordinatorState.COMMITTED: Outcome.COMMITTED,
    CoordinatorState.ABORTED: Outcome.ABORTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Yes:
    """A lot's yes: the very claim that it holds, and the log sequence just before the row that tells it."""

    claim: ClaimId
    spot: SpotId
    window: Interval
    epoch: int
    log_seq_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One lot that the transaction concerns. `claim` is the id that its claim is to have; `spot` where the driver asked for a painted
    one. `asked` False: the claim is on a spot of the cloud's, so the lot is told and has no vote.
    """

    lot: str
    epoch: int
    claim: ClaimId
    spot: SpotId | None = None
    asked: bool = True
    yes: Yes | None = None
    acknowledged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """The row. `window` is what this revision holds: of a change only the added part.

    `own_claims` are on spots of the cloud. `superseded`: the payment went on to the next revision.
    `deadline_at` of a draft is when it expires; None: not.
    """

    id: TransactionId
    state: CoordinatorState = CoordinatorState.NONE
    type: SpotType | None = None
    window: Interval | None = None
    ballots: tuple[Ballot, ...] = ()
    own_claims: tuple[Claim, ...] = ()
    deadline_at: datetime | None = None
    lease: Lease = field(default_factory=Lease)
    reason: str = ""
    superseded: bool = False

    @property
    def outcome(self) -> Outcome | None:
        """What it was decided to be, None while it is not."""
        return _OUTCOMES.get(self.state)

    @property
    def untold(self) -> tuple[Ballot, ...]:
        """The lots that have not acknowledged the decision."""
        return tuple(ballot for ballot in self.ballots if not ballot.acknowledged)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHead:
    """How far a lot's log is applied here, and in which epoch the lot is: read in the same database transaction."""

    epoch: int
    seq: int


Heads = Mapping[str, LogHead]


def yes_of(vote: Vote) -> Yes:
    """A lot's yes as it goes on record.

    Raises:
        LocalError: it names no place, which the codec lets nobody send.
    """
    if vote.spot is None or vote.starts_us is None or vote.ends_us is None:
        raise LocalError(
            f"the yes on {vote.reservation}#{vote.revision} names no place: the codec lets none through"
        )
    return Yes(
        claim=ClaimId(vote.claim),
        spot=SpotId(vote.spot),
        window=Interval(from_us(vote.starts_us), from_us(vote.ends_us)),
        epoch=vote.epoch,
        log_seq_before=vote.log_seq_before,
    )
