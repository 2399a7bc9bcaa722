"""A lane's shell: what reaches the arm and when, and what becomes of answers that come late."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from drivers.errors import CommandRefused, CommandUnanswered, DeviceUnreachable
from drivers.ports import Move
from edge.lane_ports import Closing
from edge.lane_runner import LaneRunner
from edge.lanes import LaneEvent, LanePhase, Levels
from edge.visit import Answered, Presented, Visit
from parking.decision import Reason
from parking.lot import LaneKind
from parking.stays import StayState
from sync.events import EventKind
from tests.unit.edge.lot_at_work import (
    DOWN,
    GONE_UP,
    HERE,
    RISING,
    UNDER,
    UP,
    Arm,
    LotAtWork,
    ticket_of,
    until,
)

PLATE = Presented.plate("AB12 CDE", 0.9)


@dataclass(slots=True)
class SlowWork:
    """Answers when a test says so."""

    answers: list[tuple[Visit, asyncio.Future[Answered]]] = field(default_factory=list)
    through: list[Visit | None] = field(default_factory=list)
    back: list[Visit] = field(default_factory=list)

    async def decide(self, visit: Visit) -> Answered:
        return await self._answer(visit)

    async def pay(self, visit: Visit) -> Answered:
        return await self._answer(visit)

    def passed(self, visit: Visit | None) -> None:
        self.through.append(visit)

    def backed_out(self, visit: Visit) -> None:
        self.back.append(visit)

    async def _answer(self, visit: Visit) -> Answered:
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self.answers.append((visit, future))
        return await future

    async def say(self, event: LaneEvent, number: int = -1) -> None:
        await until(lambda: self.answers)
        self.answers[number][1].set_result(Answered(event=event, reason=Reason.GRANTED))
        await asyncio.sleep(0.01)


def phase(runner: LaneRunner) -> LanePhase:
    return runner.state.phase


def sees(runner: LaneRunner, *levels: Levels, button: bool = False) -> None:
    for each in levels:
        runner.contacts(each, button=button)


@pytest.fixture
def arm() -> Arm:
    return Arm()


async def opened(lot: LotAtWork, arm: Arm) -> LaneRunner:
    """An entry whose arm was told to open for a ticket."""
    runner = lot.runner(LaneKind.ENTRY, arm)
    sees(runner, DOWN, HERE)
    assert runner.present(Presented.button(None))
    await until(lambda: arm.moves)
    return runner


async def test_a_walk_in_by_the_controllers_button_enters_and_the_arm_comes_down_once(
    lot: LotAtWork, arm: Arm
) -> None:
    runner = lot.runner(LaneKind.ENTRY, arm)
    sees(runner, DOWN, HERE)
    sees(runner, HERE, button=True)
    await until(lambda: arm.moves == [Move.OPEN])
    sees(runner, RISING, UP, UNDER, GONE_UP)
    await until(lambda: arm.moves == [Move.OPEN, Move.CLOSE])
    sees(runner, DOWN)
    assert phase(runner) is LanePhase.IDLE
    assert [stay.state for stay in lot.ledger.open_stays()] == [StayState.INSIDE]
    moved = lot.events(EventKind.GATE_MOVED)
    assert [(event["move"], event["why"]) for event in moved] == [("open", "opening"), ("close", "closing")]
    assert moved[0]["stay"] == lot.ledger.open_stays()[0].id


async def test_a_button_held_down_asks_once_and_one_heard_first_as_held_asks_nothing(
    lot: LotAtWork, arm: Arm
) -> None:
    runner = lot.runner(LaneKind.ENTRY, arm, SlowWork())
    runner.contacts(DOWN, button=True)
    sees(runner, HERE, button=True)
    assert phase(runner) is LanePhase.ARRIVED
    sees(runner, HERE, button=False)
    sees(runner, HERE, HERE, button=True)
    assert phase(runner) is LanePhase.DECIDING


async def test_two_kiosks_and_a_reader_at_once_make_one_decision(lot: LotAtWork, arm: Arm) -> None:
    work = SlowWork()
    runner = lot.runner(LaneKind.ENTRY, arm, work)
    sees(runner, DOWN, HERE)
    taken = [runner.present(one) for one in (Presented.button(None), Presented.code("x"), PLATE)]
    assert taken == [True, False, False]
    await work.say(LaneEvent.GRANTED)
    assert len(work.answers) == 1
    assert arm.moves == [Move.OPEN]


async def test_an_exit_has_no_button(lot: LotAtWork, arm: Arm) -> None:
    runner = lot.runner(LaneKind.EXIT, arm)
    sees(runner, DOWN, HERE)
    assert not runner.present(Presented.button(None))
    sees(runner, HERE, button=True)
    assert phase(runner) is LanePhase.ARRIVED


async def test_a_plate_read_before_the_vehicle_arrives_waits_for_it_and_not_for_long(
    lot: LotAtWork, arm: Arm
) -> None:
    runner = lot.runner(LaneKind.ENTRY, arm, SlowWork())
    sees(runner, DOWN)
    assert runner.present(PLATE)
    lot.later(seconds=11)
    sees(runner, HERE)
    assert phase(runner) is LanePhase.ARRIVED
    sees(runner, DOWN)
    assert runner.present(PLATE)
    sees(runner, HERE)
    assert phase(runner) is LanePhase.DECIDING


async def test_the_plate_of_the_car_behind_waits_while_another_is_under_the_arm(
    lot: LotAtWork, arm: Arm
) -> None:
    work = SlowWork()
    runner = lot.runner(LaneKind.ENTRY, arm, work)
    sees(runner, DOWN, HERE)
    runner.present(PLATE)
    await work.say(LaneEvent.GRANTED)
    sees(runner, UP, UNDER)
    assert not runner.present(PLATE)
    assert runner.present(Presented.plate("ZZ99 ZZZ", 0.9))
    sees(runner, UP, RISING, HERE)
    await until(lambda: len(work.answers) == 2)
    assert work.answers[1][0].presented.text == "ZZ99 ZZZ"


async def test_a_ticket_shown_while_the_arm_comes_down_behind_another_car_is_not_lost(
    lot: LotAtWork, arm: Arm
) -> None:
    work = SlowWork()
    runner = lot.runner(LaneKind.EXIT, arm, work)
    sees(runner, DOWN, HERE)
    runner.present(Presented.code("first"))
    await work.say(LaneEvent.GRANTED)
    sees(runner, UP, UNDER)
    assert not runner.present(Presented.code("first, scanned again"))
    sees(runner, GONE_UP)
    assert not runner.present(Presented.code("of nobody who stands there"))
    sees(runner, RISING)
    assert runner.present(Presented.code("second"))
    sees(runner, HERE)
    await until(lambda: len(work.answers) == 2)
    assert work.answers[1][0].presented.text == "second"


async def test_a_late_payment_of_a_lost_lane_opens_for_nobody_else(lot: LotAtWork, arm: Arm) -> None:
    work = SlowWork()
    runner = lot.runner(LaneKind.EXIT, arm, work)
    sees(runner, DOWN, HERE)
    runner.present(Presented.code("mine"))
    await work.say(LaneEvent.OWES)
    assert runner.ask_payment()
    await until(lambda: len(work.answers) == 2)
    sees(runner, Levels(), DOWN, HERE)
    runner.present(Presented.code("another's"))
    await until(lambda: len(work.answers) == 3)
    await work.say(LaneEvent.GRANTED, 1)
    assert phase(runner) is LanePhase.DECIDING
    assert arm.moves == []
    await work.say(LaneEvent.REFUSED, 2)
    assert phase(runner) is LanePhase.ARRIVED


async def test_a_lane_lost_during_payment_opens_at_the_next_presentation(lot: LotAtWork, arm: Arm) -> None:
    ticket = ticket_of(await lot.come_in())
    lot.later(minutes=50)
    runner = lot.runner(LaneKind.EXIT, arm)
    sees(runner, DOWN, HERE)
    runner.present(Presented.code(ticket))
    await until(lambda: phase(runner) is LanePhase.OWES)
    lot.terminal.thinks = asyncio.Event()
    runner.ask_payment()
    await until(lambda: lot.terminal.asked)
    sees(runner, Levels())
    lot.terminal.thinks.set()
    await until(lambda: lot.terminal.charges)
    sees(runner, DOWN, HERE)
    await until(lambda: runner.present(Presented.code(ticket)))
    await until(lambda: arm.moves == [Move.OPEN])
    assert lot.terminal.charges == 1


async def test_who_does_not_come_through_voids_the_stay_and_the_arm_comes_down(
    lot: LotAtWork, arm: Arm
) -> None:
    runner = await opened(lot, arm)
    sees(runner, UP, GONE_UP)
    await until(lambda: arm.moves == [Move.OPEN, Move.CLOSE])
    assert lot.ledger.open_stays() == []


async def test_a_tailgater_is_told_and_lifts_the_arm_again(lot: LotAtWork, arm: Arm) -> None:
    runner = await opened(lot, arm)
    sees(runner, UP, UNDER, GONE_UP, replace(GONE_UP, arm_up=False, safety=True))
    await until(lambda: arm.moves[-1] is Move.OPEN and len(arm.moves) > 1)
    assert [event["action"] for event in lot.events(EventKind.OVERRIDE)] == ["tailgated"]


async def test_an_arm_that_does_not_arrive_is_stopped_and_help_is_called_in_words(
    lot: LotAtWork, arm: Arm
) -> None:
    runner = await opened(lot, arm)
    sees(runner, RISING)
    await until(lambda: arm.moves == [Move.OPEN, Move.STOP])
    assert runner.help is not None
    assert runner.help.why == "The arm did not reach the top in 0 s. Its motor was stopped."
    assert not runner.help.by_driver
    sees(runner, UP, UNDER, GONE_UP, DOWN)
    assert runner.help is None


async def test_an_unanswered_move_is_repeated_and_then_the_time_limit_speaks(
    lot: LotAtWork, arm: Arm
) -> None:
    arm.answers = [CommandUnanswered("silence")] * 3
    runner = await opened(lot, arm)
    await until(lambda: arm.moves == [Move.OPEN] * 3 + [Move.STOP])
    assert phase(runner) is LanePhase.ARRIVED
    assert runner.help is not None
    assert runner.help.why.startswith("The arm did not reach the top")


async def test_an_unreachable_controller_is_not_asked_again_and_again(lot: LotAtWork, arm: Arm) -> None:
    arm.answers = [DeviceUnreachable("no wire")]
    await opened(lot, arm)
    await asyncio.sleep(0.02)
    assert arm.moves == [Move.OPEN]
    assert lot.events(EventKind.GATE_MOVED) == []


async def test_a_close_refused_over_a_loop_that_was_occupied_for_a_moment_is_asked_again(
    lot: LotAtWork, arm: Arm
) -> None:
    runner = await opened(lot, arm)
    arm.answers = [CommandRefused("the safety loop is occupied")]
    sees(runner, UP, UNDER, GONE_UP)
    await until(lambda: arm.moves == [Move.OPEN, Move.CLOSE, Move.CLOSE])
    sees(runner, DOWN)
    assert phase(runner) is LanePhase.IDLE
    assert runner.help is None


async def test_a_close_refused_over_a_vehicle_gives_way_to_the_opening_that_follows(
    lot: LotAtWork, arm: Arm
) -> None:
    runner = await opened(lot, arm)
    arm.answers = [CommandRefused("the safety loop is occupied")]
    sees(runner, UP, UNDER, GONE_UP)
    await until(lambda: len(arm.moves) == 2)
    sees(runner, replace(GONE_UP, safety=True))
    await asyncio.sleep(0.15)
    assert arm.moves == [Move.OPEN, Move.CLOSE, Move.OPEN]


async def test_an_opening_over_an_arm_that_still_reads_up_is_repeated_until_it_is_heard(
    lot: LotAtWork, arm: Arm
) -> None:
    """CLOSE was sent, a vehicle rolls on, the arm still reads up: the lane is PASSING at once, and the OPEN must get through all the same."""
    runner = await opened(lot, arm)
    sees(runner, UP, UNDER, GONE_UP)
    await until(lambda: arm.moves == [Move.OPEN, Move.CLOSE])
    arm.answers = [CommandUnanswered("silence")]
    sees(runner, replace(GONE_UP, safety=True))
    assert phase(runner) is LanePhase.PASSING
    await until(lambda: arm.moves == [Move.OPEN, Move.CLOSE, Move.OPEN, Move.OPEN])


async def test_a_move_that_was_overtaken_before_it_was_sent_is_not_sent(lot: LotAtWork, arm: Arm) -> None:
    runner = await opened(lot, arm)
    sees(runner, UP, UNDER, GONE_UP, replace(GONE_UP, safety=True))
    await asyncio.sleep(0.02)
    assert arm.moves == [Move.OPEN, Move.OPEN]


async def test_the_way_down_is_not_ordered_once_the_controller_and_its_loop_are_silent(
    lot: LotAtWork, arm: Arm
) -> None:
    runner = await opened(lot, arm)
    sees(runner, RISING, UP, UNDER, GONE_UP, Levels())
    await asyncio.sleep(0.01)
    assert (phase(runner), arm.moves) == (LanePhase.LOST, [Move.OPEN])


async def test_where_the_controller_closes_we_only_open(lot: LotAtWork, arm: Arm) -> None:
    runner = await opened(lot, arm)
    runner.closing = Closing.CONTROLLER
    sees(runner, UP, UNDER, GONE_UP, replace(DOWN, arm_down=False))
    assert phase(runner) is LanePhase.CLOSING
    await until(lambda: phase(runner) is LanePhase.STUCK)
    assert arm.moves == [Move.OPEN]
    sees(runner, DOWN)
    assert phase(runner) is LanePhase.IDLE


async def test_a_person_opens_and_it_is_on_record(lot: LotAtWork, arm: Arm) -> None:
    runner = lot.runner(LaneKind.ENTRY, arm)
    assert not runner.person_opens("A. Attendant", "too early")
    sees(runner, DOWN)
    assert runner.person_opens("A. Attendant", "delivery")
    await until(lambda: arm.moves == [Move.OPEN])
    told = lot.events(EventKind.OVERRIDE)
    assert [(event["action"], event["by"], event["reason"]) for event in told] == [
        ("open", "A. Attendant", "delivery")
    ]


async def test_a_person_opens_for_a_driver_whose_payment_hangs_and_the_stay_ends(
    lot: LotAtWork, arm: Arm
) -> None:
    ticket = ticket_of(await lot.come_in())
    lot.later(minutes=50)
    runner = lot.runner(LaneKind.EXIT, arm)
    sees(runner, DOWN, HERE)
    runner.present(Presented.code(ticket))
    await until(lambda: phase(runner) is LanePhase.OWES)
    lot.terminal.thinks = asyncio.Event()
    runner.ask_payment()
    assert runner.person_opens("A. Attendant", "the terminal hangs")
    sees(runner, UP, UNDER, GONE_UP, DOWN)
    assert lot.ledger.open_stays() == []
    lot.terminal.thinks.set()
    await until(lambda: lot.terminal.charges)
    assert phase(runner) is LanePhase.IDLE


async def test_a_drivers_call_ends_with_the_drivers_leaving_and_a_lost_lanes_with_its_return(
    lot: LotAtWork, arm: Arm
) -> None:
    runner = lot.runner(LaneKind.ENTRY, arm)
    sees(runner, DOWN, HERE)
    runner.call_help("The driver asked for a person.", by_driver=True)
    sees(runner, DOWN)
    assert runner.help is None
    sees(runner, Levels())
    assert runner.help is not None
    assert runner.help.why == "The barrier's controller does not answer."
    sees(runner, HERE)
    assert runner.help is None
    assert len(lot.events(EventKind.OVERRIDE)) == 2


async def test_a_drivers_call_takes_over_one_of_the_lanes_own(lot: LotAtWork, arm: Arm) -> None:
    runner = lot.runner(LaneKind.ENTRY, arm)
    sees(runner, DOWN, HERE)
    runner.call_help("A driver cannot pay.")
    since_at = runner.help and runner.help.since_at
    lot.later(seconds=5)
    for _ in range(3):
        runner.call_help("The driver asked for a person.", by_driver=True)
    assert runner.help is not None
    assert (runner.help.by_driver, runner.help.since_at) == (True, since_at)
    assert len(lot.events(EventKind.OVERRIDE)) == 2
    runner.end_help()
    assert runner.help is None


class BrokenWork(SlowWork):
    async def decide(self, visit: Visit) -> Answered:
        raise RuntimeError("a bug in a decision")

    def backed_out(self, visit: Visit) -> None:
        raise RuntimeError("a bug in a timer")

    def passed(self, visit: Visit | None) -> None:
        raise RuntimeError("a bug under a driver's reading")


async def test_a_decision_that_fails_ends_the_agent(lot: LotAtWork, arm: Arm) -> None:
    runner = lot.runner(LaneKind.ENTRY, arm, BrokenWork())
    sees(runner, DOWN, HERE)
    runner.present(Presented.button(None))
    with pytest.raises(RuntimeError, match="a bug in a decision"):
        await asyncio.wait_for(lot.failed, 1)


async def test_a_failure_under_a_drivers_reading_ends_the_agent_and_not_the_driver_alone(
    lot: LotAtWork, arm: Arm
) -> None:
    runner = lot.runner(LaneKind.ENTRY, arm, BrokenWork())
    sees(runner, DOWN)
    runner.person_opens("A. Attendant", "delivery")
    sees(runner, UP, UNDER)
    with pytest.raises(RuntimeError, match="under a driver's reading"):
        sees(runner, GONE_UP)
    assert isinstance(lot.failed.exception(), RuntimeError)


async def test_how_long_a_phase_lasts_does_not_begin_anew_with_every_contact(
    lot: LotAtWork, arm: Arm
) -> None:
    runner = lot.runner(LaneKind.ENTRY, arm, SlowWork())
    sees(runner, DOWN, HERE)
    runner.present(Presented.button(None))
    since = runner.phase_since
    lot.later(seconds=20)
    sees(runner, replace(HERE, safety=True), HERE)
    assert runner.phase_since == since
