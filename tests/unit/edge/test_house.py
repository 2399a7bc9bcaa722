"""Fire alarm, mains and call button."""

from __future__ import annotations

from datetime import UTC, datetime

from drivers.ports import Input, InputReading, Move
from edge.house import House
from edge.lanes import LanePhase, Levels
from parking.lot import LaneKind
from tests.unit.edge.lot_at_work import Arm, LotAtWork, until

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DOWN = Levels(vehicle=False, safety=False, arm_up=False, arm_down=True)
UP = Levels(vehicle=False, safety=False, arm_up=True, arm_down=False)


def contact(house: House, device: str, which: Input, closed: bool | None) -> None:
    assert house.contacts(InputReading(device=device, closed={which: closed}, read_at=0.0))


def titles(house: House) -> list[str]:
    return [fault.title for fault in house.faults()]


async def test_a_fire_alarm_raises_every_arm_and_they_come_down_once_it_is_over(lot: LotAtWork) -> None:
    arms = {"gate-in": Arm(), "gate-out": Arm()}
    runners = {
        "gate-in": lot.runner(LaneKind.ENTRY, arms["gate-in"]),
        "gate-out": lot.runner(LaneKind.EXIT, arms["gate-out"]),
    }
    house = House(lanes=runners, log=lot.log, now=lambda: NOON)
    for runner in runners.values():
        runner.contacts(DOWN, button=False)
    contact(house, "house", Input.FIRE_ALARM, False)
    assert titles(house) == []
    contact(house, "house", Input.FIRE_ALARM, True)
    await until(lambda: all(arm.moves == [Move.OPEN] for arm in arms.values()))
    for runner in runners.values():
        runner.contacts(UP, button=False)
        assert runner.state.phase is LanePhase.EVACUATED
    assert titles(house) == ["Fire alarm"]
    contact(house, "house", Input.FIRE_ALARM, None)
    assert all(runner.state.phase is LanePhase.EVACUATED for runner in runners.values())
    assert titles(house) == ["Fire alarm", "house: the contact fire alarm is not heard"]
    contact(house, "house", Input.FIRE_ALARM, False)
    assert titles(house) == []
    await until(lambda: all(arm.moves == [Move.OPEN, Move.CLOSE] for arm in arms.values()))


async def test_the_alarm_is_on_while_any_contact_says_so(lot: LotAtWork) -> None:
    house = House(lanes={}, log=lot.log, now=lambda: NOON)
    contact(house, "level-0", Input.FIRE_ALARM, True)
    contact(house, "level-1", Input.FIRE_ALARM, True)
    contact(house, "level-0", Input.FIRE_ALARM, False)
    assert house.alarm_since_at == NOON
    contact(house, "level-1", Input.FIRE_ALARM, False)
    assert house.alarm_since_at is None


async def test_a_call_button_calls_a_person_once_for_each_press(lot: LotAtWork) -> None:
    runner = lot.runner(LaneKind.ENTRY, Arm())
    runner.contacts(DOWN, button=False)
    house = House(lanes={"gate-in": runner}, log=lot.log, now=lambda: NOON)
    contact(house, "gate-in", Input.CALL_BUTTON, True)
    assert runner.help is None, "it was pressed before anybody looked: who knows for how long"
    contact(house, "gate-in", Input.CALL_BUTTON, False)
    contact(house, "gate-in", Input.CALL_BUTTON, True)
    assert runner.help is not None
    assert runner.help.by_driver


async def test_the_mains_is_told_until_it_is_back(lot: LotAtWork) -> None:
    house = House(lanes={}, log=lot.log, now=lambda: NOON)
    contact(house, "house", Input.MAINS_FAILURE, True)
    assert titles(house) == ["The mains has failed"]
    contact(house, "house", Input.MAINS_FAILURE, False)
    assert titles(house) == []


def test_a_lanes_own_contacts_are_none_of_the_houses() -> None:
    house = House(lanes={}, log=None, now=lambda: NOON)  # type: ignore[arg-type] # nothing is told
    reading = InputReading(device="gate-in", closed={Input.ARMING_LOOP: True}, read_at=0.0)
    assert not house.contacts(reading)
