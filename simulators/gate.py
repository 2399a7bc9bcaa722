"""A barrier that is watched: it stands behind the Modbus wire, writes into the record what reached it, and lets people wait for its arm.

A *decision* is measured on the wire alone: from the moment at which the credential or the button's contact reached the agent's wire to the moment
at which the OPEN coil reached ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from drivers.ports import Input, Move
from simulators.barrier import Barrier
from simulators.record import Record

ARM_TRAVEL_S = 0.5


class Gate:
    """One lane's barrier and loops."""

    def __init__(
        self, lane: str, name: str, record: Record, monotonic: Callable[[], float], *, travel_s: float
    ) -> None:
        self.barrier = Barrier(travel_s=travel_s)
        self.lane = lane
        self.name = name
        self._record = record
        self._monotonic = monotonic
        self._travel_s = travel_s
        self._asked: tuple[str, float] | None = None
        self._moved = asyncio.Event()
        self._last_move: Move | None = None

    # What the wire asks (BarrierHardware)

    def inputs(self, now: float) -> Mapping[Input, bool]:
        """Answer a poll; the first that tells of the button is when the button is on the wire."""
        if self.barrier.button and self._asked is None:
            self.asked("button")
        return self.barrier.inputs(now)

    def command(self, move: Move, now: float) -> bool:
        """Take a coil, and record it with what stood on the safety loop."""
        taken = self.barrier.command(move, now)
        occupied_s = self.barrier.moves[-1].safety_loop_occupied_s if taken else None
        self._record.note(
            "arm",
            lane=self.lane,
            barrier=self.name,
            move=move.value,
            safety_loop_occupied_s=occupied_s,
            refused=not taken,
        )
        if taken:
            self._last_move = move
        if taken and move is Move.OPEN and self._asked is not None:
            kind, asked_at = self._asked
            self._asked = None
            ms = round((now - asked_at) * 1_000, 3)
            self._record.note("decision", lane=self.lane, kind=kind, ms=ms)
        self._moved.set()
        return taken

    # What people do

    def asked(self, kind: str) -> None:
        """Something that asks for the arm is on the agent's wire now."""
        self._asked = (kind, self._monotonic())

    def answered(self) -> None:
        """The question was answered without the arm."""
        self._asked = None

    def button(self, *, pressed: bool) -> None:
        """Press or let go."""
        self.barrier.button = pressed

    def arming(self, vehicles: int) -> None:
        """So many vehicles stand on the arming loop."""
        self.barrier.arming_loop(vehicles)
        self._record.note(
            "loop", lane=self.lane, barrier=self.name, loop="arming_loop", occupied=vehicles > 0
        )

    def safety(self, vehicles: int) -> None:
        """So many vehicles stand on the safety loop."""
        self.barrier.safety_loop(vehicles, self._monotonic())
        self._record.note(
            "loop", lane=self.lane, barrier=self.name, loop="safety_loop", occupied=vehicles > 0
        )

    # What people see

    @property
    def is_up(self) -> bool:
        """The arm is up and not on its way down."""
        return self.barrier.position(self._monotonic()) >= 1.0 and self._last_move is not Move.CLOSE

    @property
    def is_down(self) -> bool:
        """The arm is down and not on its way up."""
        return self.barrier.position(self._monotonic()) <= 0.0 and self._last_move is not Move.OPEN

    @property
    def rises(self) -> bool:
        """The last that the arm was told is to open."""
        return self._last_move is Move.OPEN

    async def wait_up(self, within_s: float) -> bool:
        """Wait until the arm is up; whether it came."""
        return await self._wait(lambda: self.is_up, within_s)

    async def wait_down(self, within_s: float) -> bool:
        """Wait until the arm is down; whether it came."""
        return await self._wait(lambda: self.is_down, within_s)

    async def wait_rising(self, within_s: float) -> bool:
        """Wait until the arm was told to open; whether it was."""
        return await self._wait(lambda: self.rises, within_s)

    async def _wait(self, there: Callable[[], bool], within_s: float) -> bool:
        """Look after each move, and when a move that is under way will have ended."""
        until = self._monotonic() + within_s
        while not there():
            left_s = until - self._monotonic()
            if left_s <= 0:
                return False
            self._moved.clear()
            travelling_s = self._left_of_travel_s()
            try:
                async with asyncio.timeout(min(left_s, travelling_s or left_s)):
                    await self._moved.wait()
            except TimeoutError:
                continue
        return True

    def _left_of_travel_s(self) -> float:
        """Real seconds until the arm reaches the end that it moves to; 0 where it rests."""
        position = self.barrier.position(self._monotonic())
        if self._last_move is Move.OPEN:
            left = 1.0 - position
        elif self._last_move is Move.CLOSE:
            left = position
        else:
            left = 0.0
        return left * self._travel_s + 0.001 if left > 0 else 0.0
