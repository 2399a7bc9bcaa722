"""What a person asks of a lane from afar. Next in its story: edge/lane_runner.py.

Theory. A command lives in the session in which it was said: it is carried out at once, by the lane's own way of being opened by a person, or
not at all. Nothing of it is kept for later: with the line what is known of its commands goes too, and the centre calls them unknown.
The lane's machine stays the master: it only ever goes up from here, and comes down by the level "safety loop free" as always.

    a command comes                         then
    no session stands                       dropped, counted as stale
    it came before in this session          answered again, as it was; never carried out twice
    its lane, or its move, is not known     refused: lane_unknown, no_such_command
    the lane's controller does not answer   refused: arm_fault
    the arm is up, or on its way            refused: already_open
    the lane cannot be told now             refused: not_now
    else                                    the lane is told, and it is on record who and why

    then the arm is up                      done
    it is still on its way                  wait; the lane's own time limit ends that
    anything else                           refused: arm_fault
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from edge.lane_runner import LaneRunner
from edge.lanes import LanePhase
from sync.gate_refusal import GateRefusal
from sync.messages import CommandResult, FromParticipant, GateCommand

LOG = structlog.stdlib.get_logger("edge.gate_commands")

OPEN = "open"
REMEMBERED = 256

IS_UP = frozenset(
    {
        LanePhase.OPEN,
        LanePhase.OPEN_EMPTY,
        LanePhase.PASSING,
        LanePhase.CLEARING,
        LanePhase.UNSURE,
        LanePhase.EVACUATED,
    }
)
IS_ON_ITS_WAY = frozenset({LanePhase.OPENING, LanePhase.EVACUATING})
NOT_HEARD = frozenset({LanePhase.UNREAD, LanePhase.LOST})


@dataclass(slots=True, kw_only=True)
class GateCommands:
    """The lot's side of gate commands. All methods belong to the event loop's thread."""

    runners: Mapping[str, LaneRunner]
    counts: Counter[str] = field(default_factory=Counter)
    _speaker: Callable[[FromParticipant], None] | None = None
    _known: dict[str, CommandResult | None] = field(default_factory=dict)
    _under_way: dict[str, str] = field(default_factory=dict)

    def link_opened(self, speaker: Callable[[FromParticipant], None]) -> None:
        """A session stands; `speaker` sends a frame in it."""
        self._speaker = speaker

    def link_lost(self) -> None:
        """The session is over, and what it was asked with it: nobody waits for an answer any more."""
        self.counts["left"] += len(self._under_way)
        self._speaker = None
        self._known.clear()
        self._under_way.clear()

    def hear(self, command: GateCommand) -> None:
        """A command came."""
        if self._speaker is None:
            self.counts["stale"] += 1
            LOG.warning("gate_command_stale", command=command.command, lane=command.lane)
        elif command.command in self._known:
            self.counts["repeated"] += 1
            self._say(self._known[command.command])
        else:
            self._remember(command.command)
            self._carry_out(command)

    def lanes_changed(self) -> None:
        """A lane moved on: what became of the commands under way."""
        for lane, command in tuple(self._under_way.items()):
            phase = self.runners[lane].state.phase
            if phase in IS_UP:
                self._end(lane, command, None)
            elif phase not in IS_ON_ITS_WAY:
                self._end(lane, command, GateRefusal.ARM_FAULT)

    def _carry_out(self, command: GateCommand) -> None:
        runner = self.runners.get(command.lane)
        if runner is None:
            self._end(command.lane, command.command, GateRefusal.LANE_UNKNOWN)
        elif command.move != OPEN:
            self._end(command.lane, command.command, GateRefusal.NO_SUCH_COMMAND)
        elif not runner.person_opens(command.by, command.reason, command=command.command):
            self._end(command.lane, command.command, _why_not(runner.state.phase))
        else:
            LOG.info("gate_command", command=command.command, lane=command.lane, by=command.by)
            self._under_way[command.lane] = command.command
            self.lanes_changed()

    def _remember(self, command: str) -> None:
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[command] = None

    def _end(self, lane: str, command: str, why_not: GateRefusal | None) -> None:
        if self._under_way.get(lane) == command:
            del self._under_way[lane]
        result = CommandResult(
            epoch=0,
            session=0,
            command=command,
            result="done" if why_not is None else "refused",
            detail="" if why_not is None else str(why_not),
        )
        if command in self._known:
            self._known[command] = result
        self.counts[result.result if why_not is None else str(why_not)] += 1
        self._say(result)

    def _say(self, result: CommandResult | None) -> None:
        if result is not None and self._speaker is not None:
            self._speaker(result)


def _why_not(phase: LanePhase) -> GateRefusal:
    if phase in NOT_HEARD:
        return GateRefusal.ARM_FAULT
    return GateRefusal.ALREADY_OPEN if phase in IS_UP or phase in IS_ON_ITS_WAY else GateRefusal.NOT_NOW
