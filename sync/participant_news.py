"""What a lot's participant hears, and what it has done for it. The machine is sync/participant.py.

`Commit` is one durable change: the shell hands it to the ledger in the same turn (memory reserves first, so that two lanes and a prepare
never contradict), waits for the disk, and sends its `then` afterwards. Sent before the disk has it, a vote would be a lie after a power cut.
"""

from __future__ import annotations

from dataclasses import dataclass

from parking.claims import Claim
from parking.decision import Reason
from parking.ids import ClaimId, SpotId
from parking.interval import Interval
from parking.lot import SpotType
from parking.stays import Stay
from sync.events import EventDraft
from sync.messages import DecisionAck, Inquiry, Prepare, Vote
from sync.part import Part
from sync.transaction import Outcome, TransactionId


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareArrived:
    """The coordinator asks."""

    prepare: Prepare


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The coordinator's word, from a decision, an answer to an inquiry, or the list of documents. `claim` as the centre has it."""

    id: TransactionId
    outcome: Outcome
    reason: str = ""
    claim: Claim | None = None
    acknowledge: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PassShown:
    """An authentic pass of this lot was read (sync.passes): it exists only because the coordinator wrote COMMITTED."""

    id: TransactionId
    type: SpotType
    window: Interval
    epoch: int
    spot: SpotId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorDecides:
    """A person ends a doubt, with a reason that goes on record and is compared at reconnection."""

    id: TransactionId
    outcome: Outcome
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The centre cancelled the booking: a document of its list. `used`: its pass was used here before."""

    id: TransactionId
    used: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A later revision stands for `window`: what the lot holds for the reservation outside it goes free. A document of its list."""

    id: TransactionId
    window: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkIsOpen:
    """A session stands: ask again about everything in doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed:
    """Look at the clock: windows that ended, inquiries that are due. `linked`: a session stands."""

    linked: bool


ParticipantNews = PrepareArrived | Decided | PassShown | OperatorDecides | Cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Two words that contradict each other, for `conflicts` and an alarm."""

    kind: str
    claim: str
    other: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One change of the ledger, and what is sent once the disk has it.

    `claims` and `stays` are full rows whose facts the change adds (edge.change); `events` are the facts of the commit itself.
    """

    part: Part
    claims: tuple[Claim, ...] = ()
    stays: tuple[Stay, ...] = ()
    events: tuple[EventDraft, ...] = ()
    clashes: tuple[Clash, ...] = ()
    then: tuple[Vote | DecisionAck, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Send this where a session stands, once everything committed so far is durable (`ledger.durable()`): it repeats what a commit
    said that may still be on its way to the disk, or promises nothing.
    """

    frame: Vote | DecisionAck | Inquiry


@dataclass(frozen=True, slots=True, kw_only=True)
class Honour:
    """What the pass is worth: the claim to admit on; None with `refusal` None: over the count. `refusal` says why not, help is called."""

    claim: ClaimId | None = None
    refusal: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """A higher epoch than ours exists: we are the ghost. Exits and passes only, sell nothing."""

    reason: str


ParticipantEffect = Commit | Say | Honour | Fence
