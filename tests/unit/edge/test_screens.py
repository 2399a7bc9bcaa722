"""What a lane's screen shows in each phase and after each answer, enumerated."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest

from edge.api.desk import Screen
from edge.lane_runner import LaneRunner
from edge.lanes import TABLES, LanePhase, LaneState, Levels
from edge.screens import arm_of, showing
from edge.visit import Presented
from parking.decision import Reason
from parking.lot import LaneKind, SpotType
from tests.unit.edge.lot_at_work import DOWN, GONE_UP, HERE, RISING, UNDER, UP, Arm, LotAtWork, until

PLATE = Presented.plate("AB12 CDE", 0.9)
ENTRY_ONLY = {Screen.DETECTED, Screen.CHOOSE, Screen.TICKET, Screen.FULL, Screen.CLOSED}
EXIT_ONLY = {Screen.PRICE, Screen.PAYING, Screen.DECLINED, Screen.PAID}


def screen(runner: LaneRunner) -> Screen:
    return showing(runner).screen


def see(runner: LaneRunner, *levels: Levels) -> None:
    for each in levels:
        runner.contacts(each, button=False)


async def test_every_phase_of_every_lane_has_a_screen_of_its_kind(lot: LotAtWork) -> None:
    for kind, asked in product((LaneKind.ENTRY, LaneKind.EXIT), (False, True)):
        phases = {phase for phase, _ in TABLES[kind]}
        runner = lot.runner(kind, Arm())
        shown = [phase_screen(runner, phase, asked=asked) for phase in phases]
        assert not (EXIT_ONLY if kind is LaneKind.ENTRY else ENTRY_ONLY) & set(shown)


def phase_screen(runner: LaneRunner, phase: LanePhase, *, asked: bool) -> Screen:
    runner.state = LaneState(phase=phase)
    if asked:
        runner.call_help("The driver asked for a person.", by_driver=True)
    return screen(runner)


async def test_a_walk_in_sees_its_turn_its_ticket_and_the_way_in(lot: LotAtWork) -> None:
    runner = lot.runner(LaneKind.ENTRY, Arm())
    seen = []
    for levels in (DOWN, HERE):
        see(runner, levels)
        seen.append(screen(runner))
    runner.present(Presented.button(None))
    seen.append(screen(runner))
    await until(lambda: runner.state.phase is LanePhase.OPENING)
    ticket = showing(runner).ticket
    assert ticket is not None
    assert ticket.text.startswith("LG1:")
    for levels in (RISING, UP, UNDER, GONE_UP, DOWN):
        see(runner, levels)
        seen.append(screen(runner))
    assert seen == [
        Screen.IDLE,
        Screen.DETECTED,
        Screen.CHECKING,
        Screen.TICKET,
        Screen.TICKET,
        Screen.DRIVE,
        Screen.IDLE,
        Screen.IDLE,
    ]


async def test_a_driver_out_sees_lines_that_add_up_the_terminal_and_the_receipt(lot: LotAtWork) -> None:
    await lot.come_in(PLATE)
    lot.later(minutes=50)
    runner = lot.runner(LaneKind.EXIT, Arm())
    see(runner, DOWN, HERE)
    assert screen(runner) is Screen.IDLE
    runner.present(PLATE)
    await until(lambda: screen(runner) is Screen.PRICE)
    shown = showing(runner)
    assert shown.price is not None
    assert sum(line.amount_minor for line in shown.price.lines) == shown.price.total_minor == 300
    assert shown.stay is not None
    assert (shown.stay.shown, shown.plate) == ("AB12 CDE", "AB12 CDE")
    lot.terminal.decline = True
    runner.ask_payment()
    assert screen(runner) is Screen.PAYING
    await until(lambda: screen(runner) is Screen.DECLINED)
    lot.terminal.decline = False
    runner.ask_payment()
    await until(lambda: screen(runner) is Screen.PAID)
    payment = showing(runner).payment
    assert payment is not None
    assert payment.receipt_text is not None
    assert payment.amount_minor == 300


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(SpotType.COMPACT, Screen.REFUSED), (SpotType.REGULAR, Screen.FULL)],
)
async def test_a_refusal_says_why_and_full_until_when(lot: LotAtWork, kind: SpotType, reason: Screen) -> None:
    await lot.come_in()
    await lot.come_in()
    runner = lot.runner(LaneKind.ENTRY, Arm())
    see(runner, DOWN, HERE)
    runner.present(Presented.button(kind))
    await until(lambda: runner.state.phase is LanePhase.ARRIVED)
    assert screen(runner) is reason
    assert showing(runner).reason in {Reason.TYPE_NOT_HERE, Reason.FULL}


async def test_take_a_ticket_instead_is_taken_up_after_a_refusal(lot: LotAtWork) -> None:
    runner = lot.runner(LaneKind.ENTRY, Arm())
    see(runner, DOWN, HERE)
    runner.present(Presented.code("not ours"))
    await until(lambda: screen(runner) is Screen.REFUSED)
    assert runner.present(Presented.button(SpotType.REGULAR))
    await until(lambda: screen(runner) is Screen.TICKET)


async def test_an_unknown_plate_at_an_exit_asks_for_the_ticket_as_before(lot: LotAtWork) -> None:
    runner = lot.runner(LaneKind.EXIT, Arm())
    see(runner, DOWN, HERE)
    runner.present(PLATE)
    await until(lambda: runner.visit is not None and runner.visit.answered is not None)
    assert screen(runner) is Screen.IDLE


async def test_choosing_a_type_is_over_when_something_else_happens(lot: LotAtWork) -> None:
    runner = lot.runner(LaneKind.ENTRY, Arm())
    see(runner, DOWN)
    assert not runner.ask_which_type()
    see(runner, HERE)
    assert runner.ask_which_type()
    assert screen(runner) is Screen.CHOOSE
    see(runner, DOWN, HERE)
    assert screen(runner) is Screen.DETECTED
    assert not lot.runner(LaneKind.EXIT, Arm()).ask_which_type()


async def test_only_the_drivers_own_call_takes_the_screen_and_only_until_the_arm_moves(
    lot: LotAtWork,
) -> None:
    runner = lot.runner(LaneKind.ENTRY, Arm())
    see(runner, DOWN, HERE)
    runner.call_help("A driver cannot pay.")
    assert screen(runner) is Screen.DETECTED
    runner.call_help("The driver asked for a person.", by_driver=True)
    assert screen(runner) is Screen.HELP
    runner.person_opens("A. Attendant", "spoke to the driver")
    await asyncio.sleep(0)
    assert screen(runner) is Screen.OPENING


async def test_where_the_arm_is_follows_its_contacts(lot: LotAtWork) -> None:
    runner = lot.runner(LaneKind.ENTRY, Arm())
    for levels, arm in ((DOWN, "down"), (UP, "up"), (RISING, "between"), (Levels(), "between")):
        runner.state = LaneState(levels=levels)
        assert arm_of(runner) == arm
