"""Who may drive out: everybody who owes nothing. The story goes on in edge/ledger.py, which records the decision.

Exit is refused for nothing but an unpaid demand, and then help is called (I10). What cannot be found or read lets the car out too, and
calls a person: a car that should not have left is a matter of money, a person locked in is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from parking.decision import Decision, Reason
from parking.lot import LotPolicy
from parking.stays import Stay, StayState


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """A vehicle that asks to leave, and what is on record about what it showed.

    `owed_minor` is the price of the stay at this instant less what was paid, in the smallest unit of the lot's currency. `bill_later`: the
    lot's policy while payment is out of reach. `prepaid`: a booking covers the stay.
    """

    readable: bool = True
    stay: Stay | None = None
    owed_minor: int = 0
    prepaid: bool = False
    bill_later: bool = False


def decide_exit(departure: Departure, policy: LotPolicy, *, now: datetime) -> Decision:
    """Whether the vehicle may drive out at `now`. Only UNPAID keeps the arm down."""
    stay = departure.stay
    if stay is None:
        lost = Reason.NO_SUCH_STAY if departure.readable else Reason.UNREADABLE
        return Decision(allowed=True, reason=lost, call_help=True)
    if stay.state is StayState.LEFT:
        return Decision(allowed=True, reason=Reason.ALREADY_LEFT, stay=stay.id, call_help=True)
    reason = _nothing_owed(departure, stay, policy, now)
    if reason is not None:
        return Decision(allowed=True, reason=reason, stay=stay.id, claim=stay.claim)
    return Decision(
        allowed=departure.bill_later,
        reason=Reason.BILLED_LATER if departure.bill_later else Reason.UNPAID,
        stay=stay.id,
        claim=stay.claim,
        amount_minor=departure.owed_minor,
        call_help=not departure.bill_later,
    )


def _nothing_owed(departure: Departure, stay: Stay, policy: LotPolicy, now: datetime) -> Reason | None:
    if stay.paid_until is not None and now <= stay.paid_until:
        return Reason.PREPAID if departure.prepaid else Reason.PAID
    if departure.owed_minor > 0:
        return None
    if departure.prepaid:
        return Reason.PREPAID
    if stay.paid_until is not None:
        return Reason.PAID
    since = stay.admitted_at if stay.entered_at is None else stay.entered_at
    return Reason.GRACE if now - since <= policy.exit_grace else Reason.FREE_OF_CHARGE
