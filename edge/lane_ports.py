"""What a lane needs of others: its work, its arm's wire, its record, and its settings. Next file: edge/lane_runner.py."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from drivers.ports import Move
from edge.lanes import TimeOut
from edge.visit import Answered, Visit


class Closing(StrEnum):
    """Whose the way down is."""

    AGENT = "agent"
    CONTROLLER = "controller"


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

    def person_acted(self, lane: str, action: str, by: str, reason: str, *, command: str = "") -> None:
        """A person decided; it goes on record. `command` names the centre's command where that person is not at the lot."""
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
