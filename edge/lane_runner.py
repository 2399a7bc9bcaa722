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

import structlog

from drivers.errors import CommandRefused, CommandUnanswered, DriverError
from drivers.ports import Move
from edge.lane_ports import Arm, Closing, LaneLimits, LaneLog, LaneWork
from edge.lane_words import why_called
from edge.lanes import (
    TABLES,
    TIME_OUTS,
    LaneEffect,
    LaneEvent,
    LanePhase,
    LaneState,
    Levels,
    see,
    step,
)
from edge.visit import Answered, HelpCall, Presented, PresentedKind, Visit
from parking.clock import Clock
from parking.lot import LaneKind
from sync.failpoints import Failpoints

LOG = structlog.stdlib.get_logger("edge.lane")

BEFORE_PULSE = "edge.lane.before_pulse"
PULSED = "edge.lane.pulsed"

COMMAND_TIMEOUT_S = 0.5
GOING_DOWN = frozenset({LanePhase.CLOSING, LanePhase.RELEASED})
COMMAND_TRIES = 3
AFTER_REFUSAL_S = 0.1
EARLY_S = 10.0
NEXT_IS_HERE = frozenset({LanePhase.CLEARING, LanePhase.CLOSING})
NEXT_IS_COMING = frozenset({LanePhase.IDLE, LanePhase.PASSING, LanePhase.CLEARING, LanePhase.CLOSING})


MOVES = {
    LaneEffect.RAISE_ARM: Move.OPEN,
    LaneEffect.LOWER_ARM: Move.CLOSE,
    LaneEffect.RELEASE_ARM: Move.CLOSE,
    LaneEffect.STOP_ARM: Move.STOP,
}
ENDS_OF_A_VISIT = frozenset({LaneEffect.PASSED, LaneEffect.BACKED_OUT, LaneEffect.FORGET})


@dataclass(slots=True, kw_only=True)
class LaneRunner:
    """One lane at work. All methods are called from the event loop.

    `closing` names whose the way down is: where it is the controller's, with its own interlock, we only open. `failed` takes what
    nobody expected: it ends the agent.
    """

    lane: str
    kind: LaneKind
    work: LaneWork
    arm: Arm
    log: LaneLog
    clock: Clock
    failed: asyncio.Future[None]
    closing: Closing = Closing.AGENT
    limits: LaneLimits = field(default_factory=LaneLimits)
    failpoints: Failpoints = field(default_factory=Failpoints)
    changed: Callable[[], None] = lambda: None
    state: LaneState = field(default_factory=LaneState)
    visit: Visit | None = None
    help: HelpCall | None = None
    choosing: bool = False
    last_passage_at: datetime | None = None
    phase_since: float = 0.0
    _button: bool | None = None
    _early: tuple[float, Presented] | None = None
    _last_plate: str = ""
    _moves: int = 0
    _timer: asyncio.TimerHandle | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def contacts(self, levels: Levels, *, button: bool | None) -> None:
        """The controller's contacts were read. A button that closes is a driver who wants a ticket."""
        before = self.state
        after, effects = see(TABLES[self.kind], self.state, levels)
        self._take(before, after, effects)
        pressed = button is True and self._button is False
        self._button = button
        if pressed:
            self.present(Presented.button(None))
        if self.state.phase is LanePhase.ARRIVED and self._early is not None:
            read_at, presented = self._early
            self._early = None
            if self.clock.monotonic() - read_at <= EARLY_S:
                self.present(presented)

    def present(self, presented: Presented) -> bool:
        """A person or a device presented something; the answer is whether the lane takes it up. A button asks for a ticket: entries only."""
        if presented.kind is PresentedKind.BUTTON and self.kind is not LaneKind.ENTRY:
            return False
        if not self._knows(LaneEvent.PRESENTED):
            return self._keep_for_its_arrival(presented)
        if presented.kind is PresentedKind.PLATE:
            self._last_plate = presented.text
        self.visit = Visit(lane=self.lane, presented=presented)
        self._tell(LaneEvent.PRESENTED)
        return True

    def ask_which_type(self) -> bool:
        """The driver wants a ticket and has to say for which type of space; the answer is whether the lane can ask now."""
        if self.kind is not LaneKind.ENTRY or not self._knows(LaneEvent.PRESENTED):
            return False
        self.choosing = True
        self.changed()
        return True

    def ask_payment(self) -> bool:
        """The driver wants to pay what is shown; the answer is whether there is anything to pay now."""
        if not self._knows(LaneEvent.PAY):
            return False
        self._tell(LaneEvent.PAY)
        return True

    def person_opens(self, by: str, reason: str, *, command: str = "") -> bool:
        """A person opens the lane, from afar by the centre's `command`; the answer is whether the lane could be told now."""
        return self._person(LaneEvent.PERSON_OPENS, "open", by, reason, command)

    def person_closes(self, by: str, reason: str) -> bool:
        """A person beside the arm vouches for a safety loop that stays unknown."""
        return self._person(LaneEvent.PERSON_CLOSES, "close", by, reason)

    def fire_alarm(self, *, on: bool) -> None:
        """The house's fire alarm began or is over: above everything, the arm is up while it lasts."""
        self._tell(LaneEvent.ALARM if on else LaneEvent.ALARM_OVER)

    @property
    def is_paying(self) -> bool:
        """Whether the vehicle that stands here is asked for money now."""
        return self.state.phase in {LanePhase.OWES, LanePhase.PAYING}

    def call_help(self, why: str, *, by_driver: bool = False) -> None:
        """Call a person to the lane, or stay with the call that is open; a driver's call takes over one of the lane's own.

        A call ends by a word (`end_help`), or by itself once the car it was about has gone and the lane works.
        """
        if self.help is None or (by_driver and not self.help.by_driver):
            since_at = self.clock.now() if self.help is None else self.help.since_at
            self.help = HelpCall(since_at=since_at, why=why, by_driver=by_driver)
            self.log.help_called(self.lane, why)
        self.changed()

    def end_help(self) -> None:
        """The call is over."""
        self.help = None
        self.changed()

    def _knows(self, event: LaneEvent) -> bool:
        """Whether the event would move the lane now."""
        return (self.state.phase, event) in TABLES[self.kind]

    def _keep_for_its_arrival(self, presented: Presented) -> bool:
        """Keep what the next vehicle shows before the lane is ready for it, for `EARLY_S`; the answer is whether it is the next one's.

        A camera reads a plate before its vehicle is on the arming loop, often while another is under the arm; the plate dealt with last,
        read again, is not that of the next vehicle. A code or a button counts once the vehicle itself stands there, while
        the arm comes down behind the one before.
        """
        phase = self.state.phase
        if presented.kind is PresentedKind.PLATE:
            again = phase is not LanePhase.IDLE and presented.text == self._last_plate
            is_next = phase in NEXT_IS_COMING and not again
        else:
            is_next = phase in NEXT_IS_HERE and self.state.levels.vehicle is True
        if is_next:
            self._early = (self.clock.monotonic(), presented)
        return is_next

    def _person(self, event: LaneEvent, action: str, by: str, reason: str, command: str = "") -> bool:
        if not self._knows(event):
            return False
        self.log.person_acted(self.lane, action, by, reason, command=command)
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
        if after.phase is not before.phase:
            self.phase_since = self.clock.monotonic()
            self.choosing = False
        if after.phase is not before.phase or timed_out:
            self._set_timer()
        try:
            for effect in effects:
                self._carry_out(effect, before.phase)
        except Exception as error:  # a driver or a timer called: neither knows what to do with it
            self._fail(error)
            raise
        self._end_calls(before.phase, effects)
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
            if self._is_ours(effect, before):
                self._moves += 1
                self._start(self._move(MOVES[effect], self.state.phase, self._moves))
        elif effect is LaneEffect.DECIDE and visit is not None:
            self._start(self._answer(self.work.decide(visit), visit))
        elif effect is LaneEffect.TAKE_PAYMENT and visit is not None:
            self._start(self._answer(self.work.pay(visit), visit))
        elif effect is LaneEffect.PASSED:
            self.last_passage_at = self.clock.now()
            self.work.passed(visit)
            self.visit = None
        elif effect is LaneEffect.BACKED_OUT:
            if visit is not None:
                self.work.backed_out(visit)
            self.visit = None
        elif effect is LaneEffect.TAILGATED:
            self.log.tailgated(self.lane)
        elif effect is LaneEffect.CALL_HELP:
            lost, limits = self.state.phase is LanePhase.LOST, self.limits
            why = why_called(before, lost=lost, arm_s=limits.arm_s, passage_s=limits.passage_s)
            self.call_help(why)
        elif effect is LaneEffect.FORGET:
            self.visit = None

    def _end_calls(self, before: LanePhase, effects: tuple[LaneEffect, ...]) -> None:
        """A call is over once the vehicle it was about is not here any more; one about a lost lane, once the lane is back."""
        if self.state.phase is LanePhase.LOST or LaneEffect.CALL_HELP in effects:
            return
        if not ENDS_OF_A_VISIT.isdisjoint(effects):
            self._help_is_over()
        elif before is LanePhase.LOST and self.state.phase is not LanePhase.UNREAD:
            self._help_is_over(but_the_drivers=True)

    def _help_is_over(self, *, but_the_drivers: bool = False) -> None:
        if self.help is not None and not (but_the_drivers and self.help.by_driver):
            self.help = None

    async def _answer(self, answering: Coroutine[object, object, Answered], visit: Visit) -> None:
        """Wait for an answer and tell the lane, unless it deals with another visit by now; what was answered is on record anyway."""
        answered = await answering
        visit.answered = answered
        if answered.help_why:
            self.call_help(answered.help_why)
        if self.visit is visit:
            self._tell(answered.event)

    def _is_ours(self, effect: LaneEffect, before: LanePhase) -> bool:
        """Whether a move is ours to order: where the controller closes, the way down is not, nor is stopping it."""
        down = effect in {LaneEffect.LOWER_ARM, LaneEffect.RELEASE_ARM}
        stopped = effect is LaneEffect.STOP_ARM and before in {LanePhase.CLOSING, LanePhase.RELEASED}
        return self.closing is Closing.AGENT or not (down or stopped)

    async def _move(self, move: Move, why: LanePhase, number: int) -> None:
        """Tell the arm, at most COMMAND_TRIES times and until a later move is asked for; then the arm's time limit speaks.

        The way down is ordered only while the lane goes down: where its controller fell silent meanwhile, so did the loop. A refused
        CLOSE means that the loop was occupied when the driver looked once more: the next poll tells the machine, or the loop is free
        again and the order stands.
        """
        stay = self.visit.stay_id if self.visit is not None else None
        for _ in range(COMMAND_TRIES):
            is_off = move is Move.CLOSE and self.state.phase not in GOING_DOWN
            if number != self._moves or is_off:
                return
            try:
                self._hit(move, BEFORE_PULSE)
                await self.arm.move(move, timeout_s=COMMAND_TIMEOUT_S)
                self._hit(move, PULSED)
            except CommandUnanswered as unanswered:
                LOG.warning("arm_unanswered", lane=self.lane, move=move.value, error=str(unanswered))
            except CommandRefused as refused:
                LOG.warning("arm_refused", lane=self.lane, move=move.value, error=str(refused))
                await asyncio.sleep(AFTER_REFUSAL_S)  # by then the loop was polled again
            except DriverError as unreachable:
                LOG.warning("arm_unreachable", lane=self.lane, move=move.value, error=str(unreachable))
                return
            else:
                self.log.gate_moved(self.lane, move, why.value, stay)
                return

    def _hit(self, move: Move, label: str) -> None:
        if move is Move.OPEN:
            self.failpoints.hit(label)

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """An unexpected failure of a lane ends the agent: systemd starts it again, and truth is on disk."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)
