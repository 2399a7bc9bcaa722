"""A lane, as a machine. Story: next file is edge/entering.py (a walk-in) or edge/leaving.py (the way out).

Theory of operation
===================
A lane has an arming loop in front of its arm, a safety loop under it, an arm with two end positions, and a person in a
car. The machine is told *events*: something a person did (a credential was presented, a payment was asked for), an answer (granted,
owes, refused), a time-out, or a *level* of the hardware. Levels are what the contacts say now: is a vehicle on the
arming loop, is the safety loop free, occupied or unknown, is the arm up, down or between. After every step the levels are told
again, until none of them moves the machine, so that nothing depends on the order in which contacts changed, and
a start in the middle of any movement finds its way.

One rule stands above all: **the arm is driven down only by the level "safety loop free"**, from `CLEARING` (or `UNSURE`, which is the
same with the loop unknown). Occupied or unknown, it stays up. If the loop becomes occupied or unknown on the way down, the arm goes up
again. Between the machine's word and the wire the driver reads the loop once more (drivers/modbus). A loop that stays unknown
needs a person who stands beside it: `PERSON_CLOSES`, on record, known in `UNSURE` alone, so that nobody overrules an occupied loop.

A vehicle has *passed* when the safety loop was occupied and is free again. A vehicle that was let in and leaves the arming loop
backwards, or does not move in `passage_s`, has *backed out*: its stay is voided and the arm comes down. A second vehicle on the safety
loop while the arm is coming down is a *tailgater*: the arm goes up, the fact is told.

Nothing moves before the hardware was read: a lane starts in `UNREAD`. A controller that stops answering puts its lane into
`LOST`, which forgets what was under way (the stay is voided by its own clock if nobody passes); when it answers again the lane begins as at
the start. An arm that does not reach its end position in time is stopped and waits in `STUCK` for its end position
or for a person.

A person can open while a decision or a payment is under way: a terminal that thinks for a minute keeps nobody inside. The answer that
comes later moves nothing any more; what it made durable stands.

A fire alarm stands above everything: from any phase the arm goes up, what was under way is forgotten, and an arm that does not stay up is raised
again, until the alarm is over. Then the lane begins as at the start.

The entry and the exit have one table each. They share the arm's part; they differ in what happens between a vehicle's
arrival and the word "open".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class LanePhase(StrEnum):
    """Where a lane is."""

    UNREAD = "unread"
    LOST = "lost"
    IDLE = "idle"
    ARRIVED = "arrived"
    DECIDING = "deciding"
    ABANDONED = "abandoned"
    OWES = "owes"
    PAYING = "paying"
    OPENING = "opening"
    OPEN = "open"
    OPEN_EMPTY = "open_empty"
    PASSING = "passing"
    CLEARING = "clearing"
    UNSURE = "unsure"
    CLOSING = "closing"
    RELEASED = "released"
    STUCK = "stuck"
    EVACUATING = "evacuating"
    EVACUATED = "evacuated"


class LaneEvent(StrEnum):
    """What a lane is told. The levels stand last; they are told again after every step."""

    PRESENTED = "presented"
    GRANTED = "granted"
    OWES = "owes"
    REFUSED = "refused"
    PAY = "pay"
    DECLINED = "declined"
    TIME_OUT = "time_out"
    PERSON_OPENS = "person_opens"
    PERSON_CLOSES = "person_closes"
    ALARM = "alarm"
    ALARM_OVER = "alarm_over"
    CONTROLLER_LOST = "controller_lost"
    CONTROLLER_BACK = "controller_back"
    VEHICLE_HERE = "vehicle_here"
    VEHICLE_GONE = "vehicle_gone"
    SAFETY_FREE = "safety_free"
    SAFETY_OCCUPIED = "safety_occupied"
    SAFETY_UNKNOWN = "safety_unknown"
    ARM_UP = "arm_up"
    ARM_DOWN = "arm_down"
    ARM_BETWEEN = "arm_between"


class LaneEffect(StrEnum):
    """What a lane asks its runner to do, in the order given."""

    DECIDE = "decide"
    TAKE_PAYMENT = "take_payment"
    RAISE_ARM = "raise_arm"
    LOWER_ARM = "lower_arm"
    RELEASE_ARM = "release_arm"
    STOP_ARM = "stop_arm"
    PASSED = "passed"
    BACKED_OUT = "backed_out"
    TAILGATED = "tailgated"
    CALL_HELP = "call_help"
    FORGET = "forget"


P, E, F = LanePhase, LaneEvent, LaneEffect

LaneTable = dict[tuple[LanePhase, LaneEvent], tuple[LanePhase, tuple[LaneEffect, ...]]]

ARM: LaneTable = {
    (P.UNREAD, E.ARM_DOWN): (P.IDLE, ()),
    (P.UNREAD, E.ARM_UP): (P.CLEARING, ()),
    (P.UNREAD, E.ARM_BETWEEN): (P.OPENING, (F.RAISE_ARM,)),
    (P.LOST, E.CONTROLLER_BACK): (P.UNREAD, ()),
    (P.IDLE, E.VEHICLE_HERE): (P.ARRIVED, ()),
    (P.ARRIVED, E.VEHICLE_GONE): (P.IDLE, (F.FORGET,)),
    (P.ARRIVED, E.PRESENTED): (P.DECIDING, (F.DECIDE,)),
    (P.DECIDING, E.GRANTED): (P.OPENING, (F.RAISE_ARM,)),
    (P.DECIDING, E.REFUSED): (P.ARRIVED, ()),
    (P.DECIDING, E.VEHICLE_GONE): (P.ABANDONED, ()),
    (P.ABANDONED, E.GRANTED): (P.IDLE, (F.BACKED_OUT,)),
    (P.ABANDONED, E.REFUSED): (P.IDLE, (F.FORGET,)),
    (P.OPENING, E.ARM_UP): (P.OPEN, ()),
    (P.OPENING, E.TIME_OUT): (P.STUCK, (F.STOP_ARM, F.CALL_HELP)),
    (P.OPEN, E.SAFETY_OCCUPIED): (P.PASSING, ()),
    (P.OPEN, E.VEHICLE_GONE): (P.OPEN_EMPTY, ()),
    (P.OPEN, E.TIME_OUT): (P.CLEARING, (F.BACKED_OUT,)),
    (P.OPEN_EMPTY, E.SAFETY_OCCUPIED): (P.PASSING, ()),
    (P.OPEN_EMPTY, E.VEHICLE_HERE): (P.OPEN, ()),
    (P.OPEN_EMPTY, E.TIME_OUT): (P.CLEARING, (F.BACKED_OUT,)),
    (P.PASSING, E.SAFETY_FREE): (P.CLEARING, (F.PASSED,)),
    (P.PASSING, E.TIME_OUT): (P.PASSING, (F.CALL_HELP,)),
    (P.CLEARING, E.SAFETY_FREE): (P.CLOSING, (F.LOWER_ARM,)),
    (P.CLEARING, E.TIME_OUT): (P.CLEARING, (F.CALL_HELP,)),
    (P.CLOSING, E.ARM_DOWN): (P.IDLE, (F.FORGET,)),
    (P.CLOSING, E.SAFETY_OCCUPIED): (P.OPENING, (F.RAISE_ARM, F.TAILGATED)),
    (P.CLOSING, E.SAFETY_UNKNOWN): (P.OPENING, (F.RAISE_ARM,)),
    (P.CLOSING, E.TIME_OUT): (P.STUCK, (F.STOP_ARM, F.CALL_HELP)),
    (P.STUCK, E.ARM_UP): (P.CLEARING, ()),
    (P.STUCK, E.ARM_DOWN): (P.IDLE, (F.FORGET,)),
    (P.STUCK, E.PERSON_OPENS): (P.OPENING, (F.RAISE_ARM,)),
    (P.IDLE, E.PERSON_OPENS): (P.OPENING, (F.RAISE_ARM,)),
    (P.ARRIVED, E.PERSON_OPENS): (P.OPENING, (F.RAISE_ARM,)),
    (P.DECIDING, E.PERSON_OPENS): (P.OPENING, (F.RAISE_ARM,)),
    (P.CLOSING, E.PERSON_OPENS): (P.OPENING, (F.RAISE_ARM,)),
    (P.CLEARING, E.SAFETY_UNKNOWN): (P.UNSURE, ()),
    (P.UNSURE, E.SAFETY_FREE): (P.CLOSING, (F.LOWER_ARM,)),
    (P.UNSURE, E.SAFETY_OCCUPIED): (P.CLEARING, ()),
    (P.UNSURE, E.TIME_OUT): (P.UNSURE, (F.CALL_HELP,)),
    (P.UNSURE, E.PERSON_CLOSES): (P.RELEASED, (F.RELEASE_ARM,)),
    (P.RELEASED, E.ARM_DOWN): (P.IDLE, (F.FORGET,)),
    (P.RELEASED, E.SAFETY_OCCUPIED): (P.OPENING, (F.RAISE_ARM, F.TAILGATED)),
    (P.RELEASED, E.TIME_OUT): (P.STUCK, (F.STOP_ARM, F.CALL_HELP)),
}

LOSSES: LaneTable = {
    (phase, E.CONTROLLER_LOST): (P.LOST, (F.CALL_HELP, F.FORGET))
    for phase in LanePhase
    if phase not in {P.LOST, P.OWES, P.PAYING, P.EVACUATING, P.EVACUATED}
}

EVACUATION: LaneTable = {
    **{
        (phase, E.ALARM): (P.EVACUATING, (F.RAISE_ARM, F.FORGET))
        for phase in LanePhase
        if phase not in {P.OWES, P.PAYING, P.EVACUATING, P.EVACUATED}
    },
    (P.EVACUATING, E.ARM_UP): (P.EVACUATED, ()),
    (P.EVACUATING, E.TIME_OUT): (P.EVACUATING, (F.RAISE_ARM,)),
    (P.EVACUATED, E.ARM_DOWN): (P.EVACUATING, (F.RAISE_ARM,)),
    (P.EVACUATED, E.ARM_BETWEEN): (P.EVACUATING, (F.RAISE_ARM,)),
    (P.EVACUATING, E.ALARM_OVER): (P.UNREAD, ()),
    (P.EVACUATED, E.ALARM_OVER): (P.UNREAD, ()),
}

ENTRY: LaneTable = {**ARM, **LOSSES, **EVACUATION}

EXIT: LaneTable = {
    **ARM,
    **LOSSES,
    **EVACUATION,
    (P.DECIDING, E.OWES): (P.OWES, ()),
    (P.ABANDONED, E.OWES): (P.IDLE, (F.FORGET,)),
    (P.OWES, E.PAY): (P.PAYING, (F.TAKE_PAYMENT,)),
    (P.OWES, E.PRESENTED): (P.DECIDING, (F.DECIDE,)),
    (P.OWES, E.VEHICLE_GONE): (P.IDLE, (F.FORGET,)),
    (P.OWES, E.PERSON_OPENS): (P.OPENING, (F.RAISE_ARM,)),
    (P.OWES, E.ALARM): (P.EVACUATING, (F.RAISE_ARM, F.FORGET)),
    (P.OWES, E.CONTROLLER_LOST): (P.LOST, (F.CALL_HELP, F.FORGET)),
    (P.PAYING, E.GRANTED): (P.OPENING, (F.RAISE_ARM,)),
    (P.PAYING, E.DECLINED): (P.OWES, ()),
    (P.PAYING, E.PERSON_OPENS): (P.OPENING, (F.RAISE_ARM,)),
    (P.PAYING, E.VEHICLE_GONE): (P.ABANDONED, ()),
    (P.PAYING, E.ALARM): (P.EVACUATING, (F.RAISE_ARM, F.FORGET)),
    (P.PAYING, E.CONTROLLER_LOST): (P.LOST, (F.CALL_HELP, F.FORGET)),
    (P.ABANDONED, E.DECLINED): (P.IDLE, (F.FORGET,)),
}

TABLES: dict[str, LaneTable] = {"entry": ENTRY, "exit": EXIT}


class TimeOut(StrEnum):
    """Which of the lane's time limits (real seconds, from its settings) runs in a phase."""

    ARM = "arm_s"
    PASSAGE = "passage_s"
    BACK_OUT = "back_out_s"


TIME_OUTS: dict[LanePhase, TimeOut] = {
    P.OPENING: TimeOut.ARM,
    P.CLOSING: TimeOut.ARM,
    P.OPEN: TimeOut.PASSAGE,
    P.PASSING: TimeOut.PASSAGE,
    P.CLEARING: TimeOut.PASSAGE,
    P.UNSURE: TimeOut.PASSAGE,
    P.RELEASED: TimeOut.ARM,
    P.OPEN_EMPTY: TimeOut.BACK_OUT,
    P.EVACUATING: TimeOut.ARM,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """What the contacts say now; None where it is not known."""

    vehicle: bool | None = None
    safety: bool | None = None
    arm_up: bool | None = None
    arm_down: bool | None = None

    @property
    def lost(self) -> bool:
        """Whether the controller tells nothing at all."""
        return self == Levels()

    def events(self) -> tuple[LaneEvent, ...]:
        """The levels as events, the arm's first: where the arm is decides what a loop means."""
        return tuple(event for event in (self._arm(), self._safety(), self._vehicle()) if event is not None)

    def _arm(self) -> LaneEvent | None:
        if self.arm_up is None or self.arm_down is None:
            return None
        if self.arm_up == self.arm_down:
            return E.ARM_BETWEEN
        return E.ARM_UP if self.arm_up else E.ARM_DOWN

    def _safety(self) -> LaneEvent:
        if self.safety is None:
            return E.SAFETY_UNKNOWN
        return E.SAFETY_OCCUPIED if self.safety else E.SAFETY_FREE

    def _vehicle(self) -> LaneEvent | None:
        if self.vehicle is None:
            return None
        return E.VEHICLE_HERE if self.vehicle else E.VEHICLE_GONE


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """A lane between two steps."""

    phase: LanePhase = P.UNREAD
    levels: Levels = Levels()


def step(table: LaneTable, state: LaneState, event: LaneEvent) -> tuple[LaneState, tuple[LaneEffect, ...]]:
    """The lane after `event`, and what is to be done. An event that the table does not know in this phase changes nothing."""
    state, effects = _move(table, state, event)
    return _settle(table, state, effects)


def see(table: LaneTable, state: LaneState, levels: Levels) -> tuple[LaneState, tuple[LaneEffect, ...]]:
    """The lane after its contacts were read, and what is to be done."""
    was_lost = state.levels.lost
    state = replace(state, levels=levels)
    if levels.lost:
        return _move(table, state, E.CONTROLLER_LOST)
    effects: tuple[LaneEffect, ...] = ()
    if was_lost:
        state, effects = _move(table, state, E.CONTROLLER_BACK)
    return _settle(table, state, effects)


def _move(table: LaneTable, state: LaneState, event: LaneEvent) -> tuple[LaneState, tuple[LaneEffect, ...]]:
    phase, effects = table.get((state.phase, event), (state.phase, ()))
    return (state if phase is state.phase else replace(state, phase=phase)), effects


def _settle(
    table: LaneTable, state: LaneState, effects: tuple[LaneEffect, ...]
) -> tuple[LaneState, tuple[LaneEffect, ...]]:
    """Tell the levels again until none of them moves the lane."""
    for event in state.levels.events():
        moved, more = _move(table, state, event)
        if moved.phase is not state.phase:
            return _settle(table, moved, effects + more)
    return state, effects
