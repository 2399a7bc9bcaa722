"""A lane with a printer: paper before the arm, and never a lane that waits for paper."""

from __future__ import annotations

import pytest

from drivers.errors import CommandRefused, CommandUnanswered, DeviceUnreachable, DriverError
from drivers.ports import Command, Done, Move, PrintSlip
from edge.lanes import LaneEvent, LanePhase, Levels
from edge.screens import showing
from edge.slips import PrintingWork
from edge.visit import Presented, Visit
from parking.lot import LaneKind
from tests.unit.edge.lot_at_work import Arm, LotAtWork, ticket_of, until

DOWN = Levels(vehicle=False, safety=False, arm_up=False, arm_down=True)
HERE = Levels(vehicle=True, safety=False, arm_up=False, arm_down=True)


class Printer:
    """Prints, or answers as it is told; `arm_before` is what the arm had been told when the first slip came."""

    def __init__(self, arm: Arm | None = None) -> None:
        self.slips: list[PrintSlip] = []
        self.answer: DriverError | None = None
        self.arm_before: list[Move] | None = None
        self._arm = arm

    async def ask(self, command: Command, _timeout_s: float) -> Done:
        assert isinstance(command, PrintSlip)
        if self._arm is not None and self.arm_before is None:
            self.arm_before = list(self._arm.moves)
        if self.answer is not None:
            raise self.answer
        self.slips.append(command)
        return Done()


def printing(lot: LotAtWork, printer: Printer, kind: LaneKind) -> PrintingWork:
    work = lot.entering if kind is LaneKind.ENTRY else lot.leaving
    return PrintingWork(work=work, lot=lot.premises.lot, printer="entry-printer", ask=printer.ask)


async def test_the_ticket_is_on_paper_before_the_arm_opens(lot: LotAtWork) -> None:
    arm = Arm()
    printer = Printer(arm)
    runner = lot.runner(LaneKind.ENTRY, arm, printing(lot, printer, LaneKind.ENTRY))
    runner.contacts(DOWN, button=False)
    runner.contacts(HERE, button=False)
    runner.contacts(HERE, button=True)
    await until(lambda: runner.state.phase is LanePhase.OPENING and arm.moves)
    assert printer.arm_before == []
    ticket = showing(runner).ticket
    assert ticket is not None
    assert ticket.printed
    (slip,) = printer.slips
    assert slip.code == ticket.text
    assert ticket.code in slip.lines
    assert slip.title == lot.premises.lot.name


@pytest.mark.parametrize(
    "answer", [CommandRefused("paper_out"), CommandUnanswered("silence"), DeviceUnreachable("no wire")]
)
async def test_a_printer_without_paper_keeps_no_lane_shut_and_the_screen_says_so(
    lot: LotAtWork, answer: DriverError
) -> None:
    arm, printer = Arm(), Printer()
    printer.answer = answer
    runner = lot.runner(LaneKind.ENTRY, arm, printing(lot, printer, LaneKind.ENTRY))
    runner.contacts(DOWN, button=False)
    runner.contacts(HERE, button=False)
    runner.present(Presented.button(None))
    await until(lambda: arm.moves == [Move.OPEN])
    ticket = showing(runner).ticket
    assert ticket is not None
    assert not ticket.printed
    assert ticket.text.startswith("LG1:")


async def test_a_receipt_is_printed_and_nobody_waits_for_it(lot: LotAtWork) -> None:
    entered = await lot.come_in()
    lot.later(hours=2)
    printer = Printer()
    work = printing(lot, printer, LaneKind.EXIT)
    visit = Visit(lane="exit-1", presented=Presented.code(ticket_of(entered)))
    visit.answered = await work.decide(visit)
    assert visit.answered.event is LaneEvent.OWES
    paid = await work.pay(visit)
    assert paid.event is LaneEvent.GRANTED
    assert paid.receipt is not None
    await until(lambda: printer.slips)
    (slip,) = printer.slips
    assert slip.code == paid.receipt.text
    assert any(line.endswith(paid.receipt.currency) for line in slip.lines)


async def test_nothing_is_printed_for_whoever_is_refused_or_has_a_ticket(lot: LotAtWork) -> None:
    printer = Printer()
    work = printing(lot, printer, LaneKind.ENTRY)
    answered = await work.decide(Visit(lane="entry-1", presented=Presented.code("rubbish")))
    assert answered.event is LaneEvent.REFUSED
    assert printer.slips == []
