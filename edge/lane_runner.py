"""Runs one lane: turns contacts and people into the machine's events and its effects into commands and facts.

Story "walk-in": the next file is edge/lanes.py (what happens next), then edge/entering.py or edge/leaving.py (what is decided).

The machine decides in one place (edge/lanes.py); this shell holds what it must not know: the clock's timers, the arm's wire, the visit of the
vehicle that stands at the lane now. A decision and a payment run as tasks, and their answers come back as events, so that
the contacts are followed meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import structlog

from drivers.errors import CommandUnanswered, DriverError
from drivers.ports import Move
from edge.lanes import (
    TABLES,
    TIME_OUTS,
    LaneEffect,
    LaneEvent,
    LanePhase,
    LaneState,
    Levels,
    TimeOut,
    see,
    step,
)
from edge.visit import Answered, Presented, PresentedKind, Visit
from parking.clock import Clock
from parking.lot import LaneKind

LOG = structlog.stdlib.get_logger("edge.lane")

COMMAND_TIMEOUT_S = 0.5
COMMAND_TRIES = 3
EARLY_PLATE_S = 10.0


class LaneWork(Protocol):
    """What is decided and recorded at a lane: edge/entering.py for an entry, edge/leaving.py for an exit."""

    async def decide(self, visit: Visit) -> Answered:
        """Decide on what the visit presented; the answer is durable when this returns."""
        ...

    async def pay(self, visit: Visit) -> Answered:
        """Take the payment that the visit owes; the answer is durable when this returns."""
        ...

    def passed(self, visit: Visit | None) -> None:
        """The vehicle went through; None where nobody was let in (a person opened, or a tailgater)."""
        ...

    def backed_out(self, visit: Visit) -> None:
        """The vehicle was let through and did not come."""
        ...


class Arm(Protocol):
    """The wire to this lane's controller."""

    async def move(self, move: Move, *, timeout_s: float) -> None:
        """Tell the controller.

        Raises:
            DriverError: it was not told, or said no, or did not answer.
        """
        ...


class LaneLog(Protocol):
    """Where a lane's own facts go."""

    def gate_moved(self, lane: str, move: Move, why: str, stay: str | None) -> None:
        """The arm was told to move."""
        ...

    def tailgated(self, lane: str) -> None:
        """A second vehicle went through."""
        ...

    def help_called(self, lane: str, why: str) -> None:
        """A person is needed at the lane."""
        ...

    def person_acted(self, lane: str, action: str, by: str, reason: str) -> None:
        """A person decided; it goes on record."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLimits:
    """The lane's time limits in real seconds, see `TimeOut`."""

    arm_s: float = 6.0
    passage_s: float = 30.0
    back_out_s: float = 5.0

    def of(self, limit: TimeOut) -> float:
        """The seconds of one limit."""
        return {
            TimeOut.ARM: self.arm_s,
            TimeOut.PASSAGE: self.passage_s,
            TimeOut.BACK_OUT: self.back_out_s,
        }[limit]


MOVES = {
    LaneEffect.RAISE_ARM: Move.OPEN,
    LaneEffect.LOWER_ARM: Move.CLOSE,
    LaneEffect.RELEASE_ARM: Move.CLOSE,
    LaneEffect.STOP_ARM: Move.STOP,
}


@dataclass(slots=True, kw_only=True)
class LaneRunner:
    """One lane at work. All methods are called from the event loop."""

    lane: str
    kind: LaneKind
    work: LaneWork
    arm: Arm
    log: LaneLog
    clock: Clock
    limits: LaneLimits = field(default_factory=LaneLimits)
    changed: Callable[[], None] = lambda: None
    state: LaneState = field(default_factory=LaneState)
    visit: Visit | None = None
    help_since_at: datetime | None = None
    help_why: str = ""
    last_passage_at: datetime | None = None
    last_step_at: float = 0.0
    _button: bool | None = None
    _early: tuple[float, Presented] | None = None
    _timer: asyncio.TimerHandle | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    failed: asyncio.Future[None] | None = None

    def contacts(self, levels: Levels, *, button: bool | None) -> None:
        """The controller's contacts were read. A button that closes is a driver who wants a ticket."""
        before = self.state
        after, effects = see(TABLES[self.kind], self.state, levels)
        self._take(before, after, effects)
        pressed = button is True and self._button is False
        self._button = button
        if pressed:
            self.present(Presented.button(None))
        if after.phase is LanePhase.ARRIVED and self._early is not None:
            read_at, presented = self._early
            self._early = None
            if self.clock.monotonic() - read_at <= EARLY_PLATE_S:
                self.present(presented)

    def present(self, presented: Presented) -> bool:
        """A person or a device presented something; the answer is whether the lane takes it up.

        A camera reads a plate before the vehicle has reached the arming loop: it is kept for `EARLY_PLATE_S`.
        """
        if (self.state.phase, LaneEvent.PRESENTED) not in TABLES[self.kind]:
            if presented.kind is PresentedKind.PLATE and self.state.phase is LanePhase.IDLE:
                self._early = (self.clock.monotonic(), presented)
                return True
            return False
        self.visit = Visit(lane=self.lane, presented=presented)
        self._tell(LaneEvent.PRESENTED)
        return True

    def ask_payment(self) -> bool:
        """The driver wants to pay what is shown; the answer is whether there is anything to pay now."""
        if (self.state.phase, LaneEvent.PAY) not in TABLES[self.kind]:
            return False
        self._tell(LaneEvent.PAY)
        return True

    def person_opens(self, by: str, reason: str) -> bool:
        """A person opens the lane; the answer is whether the lane could be told now."""
        return self._person(LaneEvent.PERSON_OPENS, "open", by, reason)

    def person_closes(self, by: str, reason: str) -> bool:
        """A person beside the arm vouches for a safety loop that stays unknown."""
        return self._person(LaneEvent.PERSON_CLOSES, "close", by, reason)

    def call_help(self, why: str) -> None:
        """Call a person to the lane, or stay with the call that is open."""
        if self.help_since_at is None:
            self.help_since_at = self.clock.now()
            self.help_why = why
            self.log.help_called(self.lane, why)
        self.changed()

    def end_help(self) -> None:
        """The call is over."""
        self.help_since_at = None
        self.help_why = ""
        self.changed()

    def _person(self, event: LaneEvent, action: str, by: str, reason: str) -> bool:
        if (self.state.phase, event) not in TABLES[self.kind]:
            return False
        self.log.person_acted(self.lane, action, by, reason)
        self._tell(event)
        return True

    def _tell(self, event: LaneEvent) -> None:
        before = self.state
        after, effects = step(TABLES[self.kind], self.state, event)
        self._take(before, after, effects, timed_out=event is LaneEvent.TIME_OUT)

    def _take(
        self, before: LaneState, after: LaneState, effects: tuple[LaneEffect, ...], *, timed_out: bool = False
    ) -> None:
        self.state = after
        self.last_step_at = self.clock.monotonic()
        if after.phase is not before.phase or timed_out:
            self._set_timer()
        for effect in effects:
            self._carry_out(effect, before.phase)
        if after != before or effects:
            self.changed()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        limit = TIME_OUTS.get(self.state.phase)
        if limit is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.limits.of(limit), self._tell, LaneEvent.TIME_OUT)

    def _carry_out(self, effect: LaneEffect, before: LanePhase) -> None:
        visit = self.visit
        if effect in MOVES:
            self._start(self._move(effect))
        elif effect is LaneEffect.DECIDE and visit is not None:
            self._start(self._answer(self.work.decide(visit), visit))
        elif effect is LaneEffect.TAKE_PAYMENT and visit is not None:
            self._start(self._answer(self.work.pay(visit), visit))
        elif effect is LaneEffect.PASSED:
            self.last_passage_at = self.clock.now()
            self.work.passed(visit)
            self.visit = None
        elif effect is LaneEffect.BACKED_OUT and visit is not None:
            self.work.backed_out(visit)
            self.visit = None
        elif effect is LaneEffect.TAILGATED:
            self.log.tailgated(self.lane)
        elif effect is LaneEffect.CALL_HELP:
            self.call_help(f"{before} → {self.state.phase}")
        elif effect is LaneEffect.FORGET:
            self.visit = None

    async def _answer(self, answering: Coroutine[object, object, Answered], visit: Visit) -> None:
        answered = await answering
        visit.answered = answered
        if answered.call_help:
            self.call_help(answered.reason.value)
        self._tell(answered.event)

    async def _move(self, effect: LaneEffect) -> None:
        """Tell the arm, at most COMMAND_TRIES times while the lane still wants it; then the arm's time limit speaks."""
        phase, move = self.state.phase, MOVES[effect]
        stay = self.visit.stay_id if self.visit is not None else None
        for attempt in range(COMMAND_TRIES):
            if attempt and self.state.phase is not phase:
                return
            try:
                await self.arm.move(move, timeout_s=COMMAND_TIMEOUT_S)
            except CommandUnanswered as unanswered:
                LOG.warning("arm_unanswered", lane=self.lane, move=move.value, error=str(unanswered))
            except DriverError as refused:
                LOG.warning("arm_refused", lane=self.lane, move=move.value, error=str(refused))
                return
            else:
                self.log.gate_moved(self.lane, move, phase.value, stay)
                return

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """An unexpected failure of a lane ends the agent: systemd starts it again, and truth is on disk."""
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        error = task.exception()
        if self.failed is not None and not self.failed.done() and error is not None:
            self.failed.set_exception(error)
