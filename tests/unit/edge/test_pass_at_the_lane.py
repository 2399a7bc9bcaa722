"""The pass at a real lane's machine, line down: the arm opens for a good one, also for a booking nobody told the lot of, and stays down by name for a bad one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from drivers.ports import Move
from edge.kiosk_orders import Order, Sold
from edge.visit import Presented
from parking.decision import Reason
from parking.ids import LotId
from parking.interval import Interval
from parking.lot import LaneKind, SpotType
from parking.stays import StayState
from sync.events import EventKind
from sync.keys import SigningKey
from sync.part import ParticipantState
from tests.unit.edge.lot_at_work import DOWN, GONE_UP, HERE, RISING, UNDER, UP, Arm, LotAtWork, until
from tests.unit.edge.test_bookings import come_with, opened, pass_of, prepare

STRANGER = SigningKey.from_seed(b"a key that nobody ever told of..")
ELSEWHERE = LotId("00000000-0000-4000-8000-000000000001")


async def shown(lot: LotAtWork, text: str) -> tuple[Arm, Reason]:
    """A car drives up and its code is read; what the arm was told, and why."""
    arm = Arm()
    runner = lot.runner(LaneKind.ENTRY, arm)
    runner.contacts(DOWN, button=False)
    runner.contacts(HERE, button=False)
    assert runner.present(Presented.code(text))
    await until(lambda: runner.visit is not None and runner.visit.answered is not None)
    assert runner.visit is not None
    assert runner.visit.answered is not None
    answered = runner.visit.answered
    if answered.event.value == "granted":
        await until(lambda: arm.moves)
        for levels in (RISING, UP, UNDER, GONE_UP):
            runner.contacts(levels, button=False)
    return arm, answered.reason


def altered(lot: LotAtWork) -> str:
    text = pass_of(lot)
    return text[:-6] + ("0" if text[-6] != "0" else "1") + text[-5:]


WRONG: dict[str, tuple[Callable[[LotAtWork], str], Reason]] = {
    "another car park's": (lambda lot: pass_of(lot, where=ELSEWHERE), Reason.PASS_WRONG_LOT),
    "tomorrow's": (
        lambda lot: pass_of(lot, at=lot.premises.clock.now() + timedelta(days=1)),
        Reason.PASS_WRONG_WINDOW,
    ),
    "altered": (altered, Reason.PASS_CHANGED),
    "a stranger's": (lambda lot: pass_of(lot, key=STRANGER), Reason.PASS_UNKNOWN_KEY),
}


@pytest.mark.parametrize("which", WRONG)
async def test_a_wrong_pass_keeps_the_arm_down_by_its_own_name(lot: LotAtWork, which: str) -> None:
    made, reason = WRONG[which]
    arm, why = await shown(lot, made(lot))
    assert (arm.moves, why) == ([], reason)
    assert lot.ledger.open_stays() == []


async def test_a_pass_that_is_inside_keeps_the_arm_down(lot: LotAtWork) -> None:
    text = pass_of(lot)
    first, _ = await shown(lot, text)
    assert first.moves == [Move.OPEN]
    (stay,) = lot.ledger.open_stays()
    assert stay.state is StayState.INSIDE
    again, why = await shown(lot, text)
    assert (again.moves, why) == ([], Reason.PASS_USED)


async def test_the_arm_opens_for_a_booking_that_nobody_told_the_lot_of_and_the_log_commits_it(
    lot: LotAtWork,
) -> None:
    arm, _ = await shown(lot, pass_of(lot))
    assert arm.moves == [Move.OPEN]
    (told,) = lot.events(EventKind.COMMITTED)
    assert told["by"] == "pass"


async def test_the_arm_opens_for_a_booking_in_doubt_and_the_pass_ends_the_doubt(lot: LotAtWork) -> None:
    await opened(lot)
    lot.commitments.hear(prepare(lot))
    lot.commitments.link_lost()
    arm, _ = await shown(lot, pass_of(lot))
    assert arm.moves == [Move.OPEN]
    (part,) = lot.ledger.parts()
    assert (part.state, part.by) == (ParticipantState.COMM, "pass")


async def test_the_arm_opens_for_the_ticket_of_a_booking_from_the_kiosk(lot: LotAtWork) -> None:
    now = lot.premises.clock.now()
    order = Order(lane="exit-1", type=SpotType.REGULAR, window=Interval(now, now + timedelta(hours=2)))
    sale = await lot.sales.sell(order)
    assert isinstance(sale, Sold)
    arm, _ = await shown(lot, sale.ticket.text)
    assert arm.moves == [Move.OPEN]


async def test_a_receipt_opens_another_exit_lane_with_the_line_down(lot: LotAtWork) -> None:
    came = await lot.come_in()
    assert came.ticket is not None
    lot.later(hours=1)
    visit, _ = await lot.show(came.ticket.text)
    paid = await lot.pay(visit)
    assert paid.receipt is not None
    arm = Arm()
    runner = lot.runner(LaneKind.EXIT, arm)
    runner.contacts(DOWN, button=False)
    runner.contacts(HERE, button=False)
    assert runner.present(Presented.code(paid.receipt.text))
    await until(lambda: arm.moves)
    assert arm.moves == [Move.OPEN]


async def test_who_dies_under_the_arm_is_let_in_by_the_same_pass_after_the_restart(lot: LotAtWork) -> None:
    text = pass_of(lot)
    await come_with(lot, text)
    await lot.restart()
    arm, why = await shown(lot, text)
    assert (arm.moves, why) == ([Move.OPEN], Reason.ALREADY_ADMITTED)
    assert len(lot.ledger.open_stays()) == 1
