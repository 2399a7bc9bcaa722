"""What devices say of themselves, as a person reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from drivers.ports import Condition, ConditionReading
from edge.device_conditions import WORDS, DeviceConditions

BEGIN = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


class Minutes:
    """A clock that goes on a minute whenever it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def now(self) -> datetime:
        self.asked += 1
        return BEGIN + timedelta(minutes=self.asked - 1)


def conditions() -> DeviceConditions:
    return DeviceConditions(clock=cast("Any", Minutes()))


def says(device: str, *holds: Condition) -> ConditionReading:
    return ConditionReading(device=device, conditions=frozenset(holds))


def silent(device: str) -> ConditionReading:
    return ConditionReading(device=device, conditions=None)


def test_every_condition_has_its_words_and_its_step() -> None:
    assert set(WORDS) == set(Condition)
    assert all(said and step.endswith(".") for said, step in WORDS.values())


def test_a_device_that_is_well_is_no_fault_and_one_that_gets_well_is_none_any_more() -> None:
    box = conditions()
    box.take(says("reader"))
    assert box.faults() == []
    box.take(silent("reader"))
    box.take(says("reader"))
    assert box.faults() == []


def test_a_fault_names_the_device_what_is_wrong_and_since_when() -> None:
    box = conditions()
    for reading in (silent("reader-exit"), says("reader-entry", Condition.WRONG_KEY), silent("reader-exit")):
        box.take(reading)
    told = [(fault.title, fault.since_at) for fault in box.faults()]
    assert told == [
        ("reader-exit does not answer", BEGIN),
        ("reader-entry has another key than ours", BEGIN + timedelta(minutes=1)),
    ]


def test_several_conditions_of_one_device_are_one_fault_with_a_step_for_each() -> None:
    box = conditions()
    box.take(says("printer", Condition.PAPER_LOW, Condition.COVER_OPEN))
    (fault,) = box.faults()
    assert fault.title == "printer is open and is low on paper"
    assert len(fault.steps) == 2
