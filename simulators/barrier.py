"""One barrier as it stands there: an arm that takes its time and two loops in the ground.

The physical truth, without any protocol: time is handed in as monotonic seconds, the arm's position follows from the last
move and its beginning, so nothing needs to tick. Every move is recorded together with what the safety loop was then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from drivers.ports import Input, Move


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRecord:
    """A move that reached the controller at `at` (monotonic seconds).

    `safety_loop_occupied_s` is for how long the safety loop had been occupied then; None: it was free.
    """

    at: float
    move: Move
    safety_loop_occupied_s: float | None

    def drove_down_on_a_vehicle(self, known_for_s: float) -> bool:
        """Tell whether the arm was sent down although the loop had been occupied for longer than `known_for_s`.

        A loop that became occupied more recently than a polled loop counts as known cannot have been seen.
        """
        occupied_s = self.safety_loop_occupied_s
        return self.move is Move.CLOSE and occupied_s is not None and occupied_s > known_for_s


class BarrierHardware(Protocol):
    """What a controller's wire needs of the barrier behind it."""

    def inputs(self, now: float) -> Mapping[Input, bool]:
        """Return every contact, True closed, at `now` (monotonic seconds)."""
        ...

    def command(self, move: Move, now: float) -> bool:
        """Begin a move; False where the controller refuses it."""
        ...


class Barrier:
    """An arm between 0.0 (down) and 1.0 (up) that needs `travel_s` seconds from end to end, and its loops."""

    def __init__(self, *, travel_s: float = 0.8) -> None:
        self.moves: list[MoveRecord] = []
        self.fault = False
        self.button = False
        self._arming = 0
        self._safety = 0
        self._safety_since: float | None = None
        self._travel_s = travel_s
        self._position = 0.0
        self._speed = 0.0
        self._as_of = 0.0

    def position(self, now: float) -> float:
        """Return where the arm is, 0.0 down to 1.0 up."""
        return min(1.0, max(0.0, self._position + self._speed * (now - self._as_of)))

    def arming_loop(self, vehicles: int) -> None:
        """Say how many vehicles stand on the arming loop."""
        self._arming = vehicles

    def safety_loop(self, vehicles: int, now: float) -> None:
        """Say how many vehicles stand on the safety loop from `now` on."""
        if not vehicles:
            self._safety_since = None
        elif not self._safety:
            self._safety_since = now
        self._safety = vehicles

    def inputs(self, now: float) -> Mapping[Input, bool]:
        """Return every contact at `now`."""
        position = self.position(now)
        return {
            Input.ARM_DOWN: position <= 0.0,
            Input.ARM_UP: position >= 1.0,
            Input.ARMING_LOOP: self._arming > 0,
            Input.SAFETY_LOOP: self._safety > 0,
            Input.BUTTON: self.button,
            Input.FAULT: self.fault,
        }

    def command(self, move: Move, now: float) -> bool:
        """Begin a move and record it; a controller in fault refuses."""
        if self.fault:
            return False
        since = self._safety_since
        occupied_s = None if since is None else now - since
        self.moves.append(MoveRecord(at=now, move=move, safety_loop_occupied_s=occupied_s))
        self._position = self.position(now)
        self._as_of = now
        self._speed = {Move.OPEN: 1.0, Move.CLOSE: -1.0, Move.STOP: 0.0}[move] / self._travel_s
        return True
