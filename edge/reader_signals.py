"""What a lane's card reader shows of the lane's answer, by its light and its buzzer. Next file: drivers/osdp/signals.py.

A signal is for the person at the reader and never in the way of the lane: it is sent beside it, the newest one counts, and one that
did not arrive is not sent again. A reader that refuses has no light, and is not asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import structlog

from drivers.errors import CommandRefused, DriverError
from drivers.ports import Command, Done, ShowSignal, Signal
from edge.lane_runner import LaneRunner
from edge.lanes import LaneEvent, LanePhase

LOG = structlog.stdlib.get_logger("edge.reader_signals")

SIGNAL_TIMEOUT_S = 2.0
WAITING = frozenset({LanePhase.DECIDING, LanePhase.OWES, LanePhase.PAYING})
GOING = frozenset({LanePhase.OPENING, LanePhase.OPEN})
NO = frozenset({LaneEvent.REFUSED, LaneEvent.DECLINED})


def signal_of(runner: LaneRunner) -> Signal:
    """What the person at the reader should see now."""
    phase, visit = runner.state.phase, runner.visit
    answered = None if visit is None else visit.answered
    if phase in GOING:
        return Signal.GRANTED
    if answered is not None and answered.event in NO and phase in {LanePhase.ARRIVED, LanePhase.OWES}:
        return Signal.REFUSED
    return Signal.WAIT if phase in WAITING else Signal.READY


@dataclass(slots=True, kw_only=True)
class ReaderSignals:
    """Follows the lanes. `readers` names each lane's reader, `ask` carries a command to its driver."""

    runners: Mapping[str, LaneRunner]
    readers: Mapping[str, str]
    ask: Callable[[str, Command, float], Awaitable[Done]]
    _shown: dict[str, Signal] = field(default_factory=dict)
    _at_work: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _without_light: set[str] = field(default_factory=set)

    def follow(self) -> None:
        """Hear every change of a lane that has a reader, behind whoever hears it already."""
        for lane in self.readers:
            runner = self.runners[lane]
            runner.changed = partial(self._changed, lane, runner.changed)

    def _changed(self, lane: str, heard_before: Callable[[], None]) -> None:
        heard_before()
        if self.readers[lane] in self._without_light or lane in self._at_work:
            return
        if signal_of(self.runners[lane]) is not self._shown.get(lane, Signal.READY):
            self._at_work[lane] = asyncio.get_running_loop().create_task(self._show(lane))

    async def _show(self, lane: str) -> None:
        """Show what the lane answers, until the reader shows the newest."""
        device = self.readers[lane]
        try:
            while (signal := signal_of(self.runners[lane])) is not self._shown.get(lane, Signal.READY):
                self._shown[lane] = signal
                await self.ask(device, ShowSignal(device=device, signal=signal), SIGNAL_TIMEOUT_S)
        except CommandRefused:
            self._without_light.add(device)
        except DriverError as lost:
            LOG.info("signal_not_shown", lane=lane, reader=device, error=str(lost))
        finally:
            del self._at_work[lane]
