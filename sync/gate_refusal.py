"""Why a lot did not do what a person asked of a lane from afar: the word in a `CommandResult`, and its sentence."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class GateRefusal(StrEnum):
    """The word."""

    LANE_UNKNOWN = "lane_unknown"
    NO_SUCH_COMMAND = "no_such_command"
    ARM_FAULT = "arm_fault"
    ALREADY_OPEN = "already_open"
    NOT_NOW = "not_now"

    @property
    def sentence(self) -> str:
        """What to know and to do."""
        return SENTENCES[self]


SENTENCES: Mapping[GateRefusal, str] = {
    GateRefusal.LANE_UNKNOWN: "there is no such lane at this lot",
    GateRefusal.NO_SUCH_COMMAND: "from afar a lane can be opened and nothing else",
    GateRefusal.ARM_FAULT: "the arm did not go up, or its controller does not answer; somebody must go there",
    GateRefusal.ALREADY_OPEN: "the arm is up, or on its way up",
    GateRefusal.NOT_NOW: "the lane is busy for a moment; ask again",
}
