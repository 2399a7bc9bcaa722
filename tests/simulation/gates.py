"""The lanes as they are built: an arm, two loops, and drivers who want in or out. Motion takes real seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from drivers.errors import CommandRefused, CommandUnanswered
from drivers.ports import Move
from edge.lane_runner import LaneRunner
from edge.lanes import LanePhase, Levels
from edge.visit import Presented, Visit
from parking.lot import LaneKind

ARM_S = 1.2


class Gate:
    """One lane's arm and loops. Without an agent the arm is down: its controller lets it fall.

    `lost`: the controller answers nothing. `jammed`: the arm does not move. `blind`: the safety loop cannot be read.
    """

    def __init__(self, lane: str, kind: LaneKind) -> None:
        self.lane = lane
        self.kind = kind
        self.runner: LaneRunner | None = None
        self.is_up = False
        self.vehicle = False
        self.safety = False
        self.lost = False
        self.jammed = False
        self.blind = False
        self.wrong: Callable[[str], None] = lambda _: None
        self.waits: dict[str, Callable[[], None]] = {}
        """What happens as soon as the lane is in a phase, once."""
        self._moves = 0
        self._told_safety: bool | None = None

    def attach(self, runner: LaneRunner | None) -> None:
        """An agent started, or died."""
        self.runner = runner
        self._moves += 1
        if runner is None and not self.safety:
            self.is_up = False
        self.read()

    def read(self) -> None:
        """The agent reads the contacts."""
        if self.runner is not None:
            safety = None if self.blind or self.lost else self.safety
            levels = Levels(vehicle=self.vehicle, safety=safety, arm_up=self.is_up, arm_down=not self.is_up)
            self._told_safety = safety
            self.runner.contacts(Levels() if self.lost else levels, button=False)
            self.look()

    def look(self) -> None:
        """See whether something waits for the phase that the lane is in."""
        then = None if self.runner is None else self.waits.pop(self.runner.state.phase, None)
        if then is not None:
            asyncio.get_running_loop().call_soon(then)

    async def move(self, move: Move, *, timeout_s: float) -> None:
        """The agent tells the arm, see edge.lane_ports.Arm."""
        vouched = self.runner is not None and self.runner.state.phase is LanePhase.RELEASED
        if move is Move.CLOSE and self._told_safety is not False and not vouched:
            self.wrong(f"{self.lane} was to close on a loop that was told {self._told_safety}")
        await asyncio.sleep(0.03)
        if self.lost:
            raise CommandUnanswered("the controller is silent")
        if move is Move.CLOSE and self.safety:
            raise CommandRefused("the loop is occupied")
        self._moves += 1
        if move is not Move.STOP and not self.jammed:
            asyncio.get_running_loop().call_later(ARM_S, self._moved, self._moves, move is Move.OPEN)

    def _moved(self, number: int, up: bool) -> None:
        if number == self._moves:
            self.is_up = up
            self.read()

    def set(self, *, vehicle: bool | None = None, safety: bool | None = None) -> None:
        """A car comes onto a loop, or leaves it."""
        self.vehicle = self.vehicle if vehicle is None else vehicle
        self.safety = self.safety if safety is None else safety
        self.read()

    def present(self, presented: Presented) -> Visit | None:
        """The driver shows something; the visit that the agent makes of it."""
        runner = self.runner
        if runner is None or not runner.present(presented):
            return None
        self.look()
        return runner.visit

    async def back_out(self) -> None:
        """The driver changes his mind under an open arm."""
        self.set(vehicle=False)
        for _ in range(60):
            if not self.is_up:
                return
            await asyncio.sleep(0.5)

    async def drive_through(self) -> None:
        """Over the safety loop and away."""
        self.set(safety=True)
        await asyncio.sleep(1.5)
        self.set(vehicle=False)
        await asyncio.sleep(1.0)
        self.set(safety=False)
        for _ in range(20):
            if not self.is_up:
                return
            await asyncio.sleep(0.5)
