"""What the coordinator hears, and what it has done for it. The machine is sync/coordinator.py.

An effect of `InCommit` belongs into the database transaction that writes the row; the others come after that commit, and a process
that dies between the two has lost only what `TakeOver` or a reconnection does again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from parking.claims import Claim
from parking.ids import ClaimId
from parking.interval import Interval
from parking.lot import SpotType
from sync.booking import Ballot, Heads
from sync.messages import Answer, Decision, Prepare, Vote
from sync.transaction import NoReason, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A quote was accepted: a row that promises nothing. It expires at `expires_at`."""

    type: SpotType
    window: Interval
    expires_at: datetime | None = None
    own_claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """The money is authorised (or is not): ask these lots, or only tell them where the claims are on spots of our own.

    `connected` are the lots whose link is up. `worker` gets the lease.
    """

    worker: str
    authorised: bool
    ballots: tuple[Ballot, ...] = ()
    own_claims: tuple[Claim, ...] = ()
    connected: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteArrived:
    """A lot voted. `history_may_be_lost` as for an inquiry."""

    lot: str
    vote: Vote
    heads: Heads
    history_may_be_lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogApplied:
    """More of a lot's log is applied: votes that waited for it may count now."""

    heads: Heads


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingOwn:
    """The service tried a spot of the cloud's own after a no, and there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Look at the deadline. `token` is the worker's."""

    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MetByFact:
    """A fact of the lot took the place: the same transaction that applies the fact."""

    claim: ClaimId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLost:
    """The authorisation is gone or the capture failed for good: declined, expired, cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFound:
    """The provider says that the money of a withheld transaction was captured: it had been committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """The driver walked away before the decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquired:
    """A lot in doubt asks, in its `epoch`. `history_may_be_lost`: rows of the time at which it prepared may be missing here, since a
    recovery may have lost them.
    """

    lot: str
    epoch: int
    current_epoch: int
    history_may_be_lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """An undecided row came out of a recovery that may have lost its decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgedBy:
    """A lot has the decision on its disk."""

    lot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOpened:
    """A lot is back: tell it what it has not acknowledged."""

    lot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOver:
    """`worker` found the lease over and goes on with what is left to do."""

    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassReported:
    """A lot admitted a driver on the pass, which exists only after COMMITTED."""

    lot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDecides:
    """A person decides a withheld transaction, with a reason that goes on record."""

    outcome: Outcome
    by: str
    reason: str


News = (
    Draft
    | Begin
    | VoteArrived
    | LogApplied
    | NothingOwn
    | Tick
    | MetByFact
    | PaymentLost
    | CaptureFound
    | GivenUp
    | Inquired
    | Recovered
    | AcknowledgedBy
    | LinkOpened
    | TakeOver
    | PassReported
    | PersonDecides
)


# Effects


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldClaims:
    """In the commit: put these held claims on spots of our own. One that cannot be put there ends the begin with "just taken"."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmClaims:
    """In the commit: these claims are firm; a row of the same id and a lower version gives way."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseClaims:
    """In the commit: these claims of our own spots are released."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """In the commit: put the decision into this lot's list of documents; after it: send it, if the link is up."""

    lot: str
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReceivable:
    """In the commit: the place is kept and the money is owed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordConflict:
    """In the commit: a committed claim is met by a fact: the fact is stored clashing, and somebody is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """In the commit: something that must not be was seen."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPrepare:
    """After the commit: send it now, or never where the link is down."""

    lot: str
    prepare: Prepare


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAnswer:
    """After the commit: the answer to an inquiry."""

    lot: str
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """After the commit: the payment machine hears `DECIDED_COMMITTED` (sync.payment)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPayment:
    """After the commit: the payment machine hears `DECIDED_ABORTED`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FallBack:
    """In the commit, where possible: sell an own spot as the next revision (`superseded_by_next`); else give `NothingOwn`."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """The driver hears at once that it was not begun, and why."""

    reason: NoReason


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLost:
    """Stop working on it: another process does."""


InCommit = (
    HoldClaims | FirmClaims | ReleaseClaims | Tell | RecordReceivable | RecordConflict | Alarm | FallBack
)
CoordinatorEffect = InCommit | SendPrepare | SendAnswer | Capture | CancelPayment | Refuse | LeaseLost
