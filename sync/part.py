"""What a lot knows of one transaction: its row, and the moment and standing in which it is asked. The machine is sync/participant.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from parking.ids import ClaimId
from parking.interval import Interval
from parking.lot import SpotType
from sync.transaction import TransactionId


class ParticipantState(StrEnum):
    """How far a transaction is here, in the words of the model; NONE is the absence of a row.

    `comm_by_hand` and `abrt_by_hand` are an operator's word, which the coordinator's is compared with as soon as it comes. `canc` was
    committed and then cancelled. The model's BURN (prepared in an epoch that was fenced) comes with incarnations.
    """

    NONE = "none"
    PREP = "prep"
    COMM = "comm"
    ABRT = "abrt"
    COMM_BY_HAND = "comm_by_hand"
    ABRT_BY_HAND = "abrt_by_hand"
    CANC = "canc"


DOUBTS = frozenset({ParticipantState.PREP, ParticipantState.COMM_BY_HAND, ParticipantState.ABRT_BY_HAND})
"""States in which the coordinator is still to be heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The row. `claim` is what the lot holds for it, None where it holds nothing.

    `by` is who ended the doubt: decision, pass or operator. `log_seq_before` is what the vote names. It is kept until
    the window's end + 30 days.
    """

    id: TransactionId
    state: ParticipantState = ParticipantState.NONE
    claim: ClaimId | None = None
    type: SpotType | None = None
    window: Interval | None = None
    epoch: int = 0
    prepared_at: datetime | None = None
    log_seq_before: int = 0
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Now, three ways: the civil estimate `at`, its lower bound `lower_at` (which alone ends promises), and real monotonic seconds."""

    at: datetime
    lower_at: datetime
    real_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LotStanding:
    """How the lot's ledger stands: its epoch, the last row of its log, the rows that the centre has not acknowledged.

    `fenced`: it may be behind the truth. `storing` False: nothing can be made durable.
    """

    epoch: int
    last_seq: int
    backlog: int = 0
    fenced: bool = False
    storing: bool = True
