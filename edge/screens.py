"""What a lane's screen shows: the lane's phase and its visit, told in the design's words. Asked by edge/api, answered by edge/desk.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge.api.desk import PaymentView, PriceLine, PriceView, Screen, StayView, TicketView
from edge.lane_runner import LaneRunner
from edge.lanes import LanePhase
from edge.visit import Answered, PresentedKind, Visit
from parking.decision import Reason
from parking.demands import Demand
from parking.lot import LaneKind
from parking.stays import Stay

STUCK = frozenset({LanePhase.STUCK, LanePhase.LOST, LanePhase.UNREAD})
MOVING = frozenset({LanePhase.OPENING, LanePhase.CLOSING, LanePhase.RELEASED})
ALARMED = frozenset({LanePhase.EVACUATING, LanePhase.EVACUATED})
THROUGH = frozenset(
    {LanePhase.OPEN, LanePhase.OPEN_EMPTY, LanePhase.PASSING, LanePhase.CLEARING, LanePhase.UNSURE}
)

REFUSED_SCREENS: Mapping[Reason, Screen] = {
    Reason.FULL: Screen.FULL,
    Reason.WOULD_NOT_PACK: Screen.FULL,
    Reason.CLOSED: Screen.CLOSED,
}

# A plate that is nobody's at an exit: the driver may hold a ticket and is asked for it.
NOT_YET_SHOWN: Mapping[Reason, Screen] = {Reason.NO_SUCH_STAY: Screen.IDLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What the lane itself contributes to its screen."""

    screen: Screen
    ticket: TicketView | None = None
    stay: StayView | None = None
    price: PriceView | None = None
    payment: PaymentView | None = None
    reason: Reason | None = None
    plate: str | None = None


def showing(runner: LaneRunner) -> Showing:
    """What the lane shows now."""
    visit = runner.visit
    answered = None if visit is None else visit.answered
    return Showing(
        screen=_screen(runner, answered),
        ticket=_ticket(answered),
        stay=_stay(visit, answered),
        price=_price(answered),
        payment=_payment(answered),
        reason=None if answered is None else answered.reason,
        plate=_plate(visit),
    )


def arm_of(runner: LaneRunner) -> str:
    """Where the arm is: up, down or between."""
    levels = runner.state.levels
    if levels.arm_up:
        return "up"
    return "down" if levels.arm_down else "between"


def _screen(runner: LaneRunner, answered: Answered | None) -> Screen:
    phase = runner.state.phase
    if phase in ALARMED:  # out with them, and nobody in
        return Screen.DRIVE if runner.kind is LaneKind.EXIT else Screen.REFUSED
    if phase in STUCK:
        return Screen.ARM_FAULT
    if runner.help is not None and runner.help.by_driver and phase not in THROUGH | MOVING:
        return Screen.HELP
    if phase is LanePhase.PAYING:
        return Screen.PAYING
    if phase is LanePhase.DECIDING:
        return Screen.CHECKING
    if phase is LanePhase.OWES:
        declined = answered is not None and answered.event.value == "declined"
        return Screen.DECLINED if declined else Screen.PRICE
    if phase in THROUGH or phase is LanePhase.OPENING:
        return _through(runner, phase, answered)
    return _waiting(runner, answered) if phase is LanePhase.ARRIVED else Screen.IDLE


def _waiting(runner: LaneRunner, answered: Answered | None) -> Screen:
    """A vehicle stands there and nothing is under way: refused, asked for its type, or asked to show something."""
    if runner.choosing:
        return Screen.CHOOSE
    if answered is not None and not _granted(answered):
        screens = REFUSED_SCREENS if runner.kind is LaneKind.ENTRY else NOT_YET_SHOWN
        return screens.get(answered.reason, Screen.REFUSED)
    return Screen.DETECTED if runner.kind is LaneKind.ENTRY else Screen.IDLE


def _through(runner: LaneRunner, phase: LanePhase, answered: Answered | None) -> Screen:
    """The vehicle may go: its ticket or receipt is shown until the arm is up and it moves."""
    if answered is not None and answered.ticket is not None and phase in {LanePhase.OPENING, LanePhase.OPEN}:
        return Screen.TICKET
    if answered is not None and answered.receipt is not None and runner.kind is LaneKind.EXIT:
        return Screen.PAID
    return Screen.OPENING if phase in MOVING else Screen.DRIVE


def _granted(answered: Answered) -> bool:
    return answered.event.value == "granted"


def _ticket(answered: Answered | None) -> TicketView | None:
    if answered is None or answered.ticket is None:
        return None
    ticket = answered.ticket
    printed = answered.printed is not False
    return TicketView(text=ticket.text, code=ticket.code, issued_at=ticket.issued_at, printed=printed)


def _stay(visit: Visit | None, answered: Answered | None) -> StayView | None:
    if visit is None or answered is None or answered.stay is None:
        return None
    return stay_view(answered.stay, _plate(visit))


def _plate(visit: Visit | None) -> str | None:
    read = None if visit is None else visit.presented
    return read.text if read is not None and read.kind is PresentedKind.PLATE else None


def stay_view(stay: Stay, plate: str | None = None) -> StayView:
    """A stay as a screen names it: by the plate at the camera just now, or by the first letters of its ticket."""
    return StayView(
        id=stay.id,
        shown=plate or stay.credential.subject[:8].upper(),
        type=stay.type,
        entered_at=stay.entered_at or stay.admitted_at,
    )


def _price(answered: Answered | None) -> PriceView | None:
    return None if answered is None or answered.demand is None else price_view(answered.demand)


def price_view(demand: Demand) -> PriceView:
    """A demand with its lines."""
    return PriceView(
        lines=price_lines(demand.lines),
        total_minor=demand.amount_minor,
        currency=demand.currency,
        from_at=demand.from_at,
        to_at=demand.to_at,
    )


def price_lines(lines: Iterable[Mapping[str, object]]) -> tuple[PriceLine, ...]:
    """Lines as a demand keeps them, for a screen."""
    return tuple(
        PriceLine(text=str(line["label"]), amount_minor=int(str(line["amount_minor"]))) for line in lines
    )


def _payment(answered: Answered | None) -> PaymentView | None:
    if answered is None or answered.receipt is None:
        return None
    receipt = answered.receipt
    return PaymentView(
        amount_minor=receipt.amount_minor,
        currency=receipt.currency,
        paid_at=receipt.paid_at,
        receipt_code=receipt.code,
        receipt_text=receipt.text,
        leave_by_at=receipt.leave_by_at,
    )
