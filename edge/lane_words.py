"""What a lane is told to people in: why somebody is called to it, what it is doing, and what to do there. Words as in the design.

For the staff: short, in the present, the thing first and then the next step. What drivers read is `Reason.sentence` and the kiosk's own words.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.lanes import LanePhase
from parking.decision import Reason

DRIVER_ASKED = "The driver asked for a person."
PAYMENT_UNKNOWN = (
    "The terminal does not say whether it took the money. Nothing is asked for again until it does."
)
NO_TERMINAL = "Money is owed, and this lane has no terminal."

CALLED_FOR: Mapping[Reason, str] = {
    Reason.BLOCKED_CREDENTIAL: "A blocked ticket, card or plate asks to come in.",
    Reason.ALREADY_INSIDE: "A ticket, card or plate that is inside already asks to come in.",
    Reason.PASS_USED: "A pass that was used before asks to come in.",
    Reason.BOOKING_OVER: "A booking that is over asks to come in.",
    Reason.BOOKING_NOT_FIRM: "A booking that is not confirmed asks to come in.",
    Reason.BOOKED_BUT_FULL: "A driver with a booking finds the car park full of cars.",
    Reason.ALREADY_LEFT: "A ticket that left before was let out again.",
    Reason.NO_SUCH_STAY: "A ticket without a stay on record was let out.",
    Reason.UNREADABLE: "Somebody was let out with a code that is not ours or cannot be read.",
    Reason.UNPAID: "A driver cannot pay.",
}

DOING: Mapping[LanePhase, str] = {
    LanePhase.UNREAD: "Its contacts were not read yet.",
    LanePhase.LOST: "The barrier's controller does not answer.",
    LanePhase.IDLE: "Nobody is here.",
    LanePhase.ARRIVED: "A car stands here and has shown nothing yet.",
    LanePhase.DECIDING: "A decision is being made.",
    LanePhase.ABANDONED: "The car left before the answer came.",
    LanePhase.OWES: "The driver sees the price.",
    LanePhase.PAYING: "The terminal takes the payment.",
    LanePhase.OPENING: "The arm goes up.",
    LanePhase.OPEN: "The arm is up and waits for the car.",
    LanePhase.OPEN_EMPTY: "The arm is up and nobody is on the loop.",
    LanePhase.PASSING: "A car is under the arm.",
    LanePhase.CLEARING: "The arm stays up until the safety loop is free.",
    LanePhase.UNSURE: "The safety loop is not heard: the arm stays up.",
    LanePhase.CLOSING: "The arm comes down.",
    LanePhase.RELEASED: "The arm comes down on a person's word.",
    LanePhase.STUCK: "The arm stopped between its ends.",
    LanePhase.EVACUATING: "Fire alarm: the arm goes up.",
    LanePhase.EVACUATED: "Fire alarm: the arm is up and stays up.",
}

STEPS: Mapping[LanePhase, tuple[str, ...]] = {
    LanePhase.LOST: (
        "Look whether the controller has power and its bus cable sits.",
        "Move the arm by hand until it answers: the lane goes on by itself.",
    ),
    LanePhase.STUCK: (
        "Look what holds the arm, and clear it by hand.",
        "Then open the lane below with a reason, or turn the arm to its end position by hand.",
    ),
    LanePhase.UNSURE: (
        "Look whether the lane is clear and the loop's detector has power.",
        "Once its lamp is back the arm comes down by itself.",
    ),
    LanePhase.PASSING: ("Ask the car under the arm to drive on: the arm stays up above it.",),
    LanePhase.CLEARING: ("Look what stands on the safety loop: the arm stays up above it.",),
}
ANYWHERE = ("Speak to the driver at the lane.", "Open it below with a reason, or end the call.")


WAITED: Mapping[LanePhase, str] = {
    LanePhase.PASSING: "A car has been under the arm for {} s. The arm stays up.",
    LanePhase.CLEARING: "The safety loop has been occupied for {} s. The arm stays up.",
    LanePhase.UNSURE: "The safety loop has not been heard for {} s. The arm stays up.",
}


def why_called(before: LanePhase, *, lost: bool, arm_s: float, passage_s: float) -> str:
    """Why the machine of a lane calls a person: its controller was lost, or the time of phase `before` was over."""
    if lost:
        return DOING[LanePhase.LOST]
    if before in WAITED:
        return WAITED[before].format(f"{passage_s:.0f}")
    end = "top" if before is LanePhase.OPENING else "bottom"
    return f"The arm did not reach the {end} in {arm_s:.0f} s. Its motor was stopped."


def called_for(reason: Reason) -> str:
    """Why a decision calls a person."""
    return CALLED_FOR.get(reason, reason.sentence)


def steps(phase: LanePhase) -> tuple[str, ...]:
    """What a person on site can do, in order."""
    return STEPS.get(phase, ANYWHERE)
