"""One vehicle at one lane: what was presented, what was answered, and what its screen shows meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from edge.lanes import LaneEvent
from parking.decision import Reason
from parking.demands import Demand
from parking.lot import SpotType
from parking.stays import Stay


class PresentedKind(StrEnum):
    """How somebody asks to be let through."""

    BUTTON = "button"
    BY_HAND = "by_hand"
    CODE = "code"
    PLATE = "plate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What was presented: the button (with the type of space that was chosen), a code as scanned, or a plate as read.

    Or nothing: a person, `by`, lets the car in for a `reason`.
    """

    kind: PresentedKind
    text: str = ""
    spot_type: SpotType | None = None
    confidence: float = 1.0
    by: str = ""
    reason: str = ""

    @classmethod
    def button(cls, spot_type: SpotType | None) -> Presented:
        """The driver asks for a ticket."""
        return cls(kind=PresentedKind.BUTTON, spot_type=spot_type)

    @classmethod
    def by_hand(cls, by: str, reason: str) -> Presented:
        """An attendant lets the car in, over the count if need be."""
        return cls(kind=PresentedKind.BY_HAND, by=by, reason=reason)

    @classmethod
    def code(cls, text: str) -> Presented:
        """A ticket, pass or card was scanned."""
        return cls(kind=PresentedKind.CODE, text=text)

    @classmethod
    def plate(cls, text: str, confidence: float) -> Presented:
        """A camera read a plate."""
        return cls(kind=PresentedKind.PLATE, text=text, confidence=confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A token as issued: `text` is what its QR code holds, `code` what a person reads out."""

    text: str
    code: str
    issued_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was paid, and the signed receipt that opens exit lanes until `leave_by_at`."""

    text: str
    code: str
    amount_minor: int
    currency: str
    paid_at: datetime
    leave_by_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What was decided on a visit. `event` is what the lane is told: GRANTED, OWES, REFUSED or DECLINED.

    `help_why` says in words for the staff why a person is called; empty where nobody is. `printed`: whether the ticket is on paper for certain;
    None where nothing prints.
    """

    event: LaneEvent
    reason: Reason
    stay: Stay | None = None
    ticket: Ticket | None = None
    demand: Demand | None = None
    receipt: Receipt | None = None
    until_at: datetime | None = None
    help_why: str = ""
    printed: bool | None = None


@dataclass(slots=True, kw_only=True)
class Visit:
    """The vehicle that the lane deals with now; `answered` is None while nothing is decided."""

    lane: str
    presented: Presented
    answered: Answered | None = None

    @property
    def stay_id(self) -> str | None:
        """The stay that this visit is about, once it is known."""
        return None if self.answered is None or self.answered.stay is None else self.answered.stay.id


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpCall:
    """A person is wanted at the lane. `by_driver`: the driver asked, and the screen is theirs until the call ends."""

    since_at: datetime
    why: str
    by_driver: bool = False
