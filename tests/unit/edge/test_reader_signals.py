"""What a card reader shows while its lane decides."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drivers.errors import CommandRefused, CommandUnanswered, DriverError
from drivers.ports import Command, Done, ShowSignal, Signal
from edge.lane_runner import LaneRunner
from edge.lanes import LaneEvent, LanePhase
from edge.reader_signals import ReaderSignals, signal_of


def at(phase: LanePhase, answered: LaneEvent | None = None) -> LaneRunner:
    """A lane that stands there."""
    told = None if answered is None else SimpleNamespace(event=answered)
    lane = SimpleNamespace(
        state=SimpleNamespace(phase=phase), visit=SimpleNamespace(answered=told), changed=lambda: None
    )
    return cast("LaneRunner", lane)


def move(runner: LaneRunner, phase: LanePhase, answered: LaneEvent | None = None) -> None:
    lane = cast("Any", runner)
    lane.state.phase = phase
    lane.visit.answered = None if answered is None else SimpleNamespace(event=answered)
    runner.changed()


SHOWN = [
    (LanePhase.IDLE, None, Signal.READY),
    (LanePhase.ARRIVED, None, Signal.READY),
    (LanePhase.DECIDING, None, Signal.WAIT),
    (LanePhase.ARRIVED, LaneEvent.REFUSED, Signal.REFUSED),
    (LanePhase.OWES, LaneEvent.OWES, Signal.WAIT),
    (LanePhase.OWES, LaneEvent.DECLINED, Signal.REFUSED),
    (LanePhase.PAYING, LaneEvent.OWES, Signal.WAIT),
    (LanePhase.OPENING, LaneEvent.GRANTED, Signal.GRANTED),
    (LanePhase.OPEN, LaneEvent.GRANTED, Signal.GRANTED),
    (LanePhase.CLEARING, LaneEvent.GRANTED, Signal.READY),
    (LanePhase.LOST, LaneEvent.REFUSED, Signal.READY),
]


@pytest.mark.parametrize(("phase", "answered", "shown"), SHOWN)
def test_the_reader_shows_where_its_lane_is(
    phase: LanePhase, answered: LaneEvent | None, shown: Signal
) -> None:
    assert signal_of(at(phase, answered)) is shown


@dataclass
class Reader:
    """Takes signals, as slowly as it is told to."""

    fails: DriverError | None = None
    free: asyncio.Event = field(default_factory=asyncio.Event)
    shown: list[Signal] = field(default_factory=list)

    async def ask(self, device: str, command: Command, timeout_s: float) -> Done:
        assert isinstance(command, ShowSignal)
        assert device == command.device == "reader"
        self.shown.append(command.signal)
        await self.free.wait()
        if self.fails is not None:
            raise self.fails
        return Done()


def followed(reader: Reader) -> LaneRunner:
    runner = at(LanePhase.IDLE)
    ReaderSignals(runners={"lane": runner}, readers={"lane": "reader"}, ask=reader.ask).follow()
    return runner


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_slow_reader_shows_the_newest_and_never_a_row_of_old_ones() -> None:
    reader = Reader()
    runner = followed(reader)
    move(runner, LanePhase.DECIDING)
    await settled()
    move(runner, LanePhase.OPENING, LaneEvent.GRANTED)
    move(runner, LanePhase.ARRIVED, LaneEvent.REFUSED)
    reader.free.set()
    await settled()
    assert reader.shown == [Signal.WAIT, Signal.REFUSED]


async def test_a_change_that_shows_nothing_else_is_not_sent() -> None:
    reader = Reader()
    reader.free.set()
    runner = followed(reader)
    for phase in (LanePhase.ARRIVED, LanePhase.IDLE, LanePhase.OPENING, LanePhase.OPEN):
        move(runner, phase, LaneEvent.GRANTED)
        await settled()
    assert reader.shown == [Signal.GRANTED]


async def test_a_reader_without_a_light_is_asked_once() -> None:
    reader = Reader(fails=CommandRefused("no light"))
    reader.free.set()
    runner = followed(reader)
    for phase in (LanePhase.DECIDING, LanePhase.IDLE, LanePhase.DECIDING):
        move(runner, phase)
        await settled()
    assert reader.shown == [Signal.WAIT]


async def test_a_signal_that_did_not_arrive_is_followed_by_the_next_one() -> None:
    reader = Reader(fails=CommandUnanswered("silent"))
    reader.free.set()
    runner = followed(reader)
    for phase in (LanePhase.DECIDING, LanePhase.OPENING):
        move(runner, phase)
        await settled()
    assert reader.shown == [Signal.WAIT, Signal.GRANTED]


async def test_whoever_heard_the_lane_before_still_hears_it() -> None:
    heard: list[str] = []
    runner = at(LanePhase.IDLE)
    runner.changed = lambda: heard.append("desk")
    ReaderSignals(runners={"lane": runner}, readers={"lane": "reader"}, ask=Reader().ask).follow()
    move(runner, LanePhase.IDLE)
    assert heard == ["desk"]
