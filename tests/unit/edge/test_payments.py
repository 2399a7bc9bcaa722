"""Money at the terminal: on record before it is asked for, asked for once, looked up where the answer is lost."""

from __future__ import annotations

import asyncio

import pytest

from drivers.errors import DeviceUnreachable
from drivers.ports import LookupPayment, TakePayment
from edge.lane_words import PAYMENT_UNKNOWN
from edge.lanes import LaneEvent
from edge.visit import Answered, Visit
from parking.demands import PaymentState
from sync.events import EventKind
from tests.unit.edge.lot_at_work import LotAtWork, ticket_of


async def owing(lot: LotAtWork, lane: str = "exit-1", ticket: str | None = None) -> Visit:
    """A driver who stands at an exit and owes three pounds."""
    if ticket is None:
        ticket = ticket_of(await lot.come_in())
        lot.later(minutes=50)
    visit, owed = await lot.show(ticket, lane)
    assert owed.event is LaneEvent.OWES
    return visit


def states(lot: LotAtWork) -> list[str]:
    return [event["payment"]["state"] for event in lot.events(EventKind.PAYMENT_CHANGED)]


async def test_the_payment_is_on_record_before_the_terminal_is_asked(lot: LotAtWork) -> None:
    visit = await owing(lot)
    lot.terminal.thinks = asyncio.Event()
    paying = asyncio.create_task(lot.pay(visit))
    await asyncio.sleep(0)
    assert [type(command) for command in lot.terminal.asked] == [TakePayment]
    assert states(lot) == ["pending"]
    lot.terminal.thinks.set()
    assert (await paying).event is LaneEvent.GRANTED
    assert states(lot) == ["pending", "completed"]


async def test_a_declined_card_may_be_tried_again(lot: LotAtWork) -> None:
    visit = await owing(lot)
    lot.terminal.decline = True
    assert (await lot.pay(visit)).event is LaneEvent.DECLINED
    lot.terminal.decline = False
    assert (await lot.pay(visit)).event is LaneEvent.GRANTED
    assert states(lot) == ["pending", "failed", "pending", "completed"]
    assert lot.terminal.charges == 1
    assert lot.log.refusals == {"unpaid": 1}


async def test_a_lost_answer_is_looked_up_and_nobody_pays_twice(lot: LotAtWork) -> None:
    visit = await owing(lot)
    lot.terminal.lose_answers = True
    answered = await lot.pay(visit)
    assert answered.event is LaneEvent.GRANTED
    assert lot.terminal.charges == 1


async def test_an_unknown_answer_calls_a_person_and_is_asked_about_before_anything_is_charged_again(
    lot: LotAtWork,
) -> None:
    visit = await owing(lot)
    lot.terminal.mute = True
    for _ in range(3):
        answered = await lot.pay(visit)
        assert (answered.event, answered.help_why) == (LaneEvent.DECLINED, PAYMENT_UNKNOWN)
    assert lot.terminal.charges == 1
    lot.terminal.mute = False
    assert (await lot.pay(visit)).event is LaneEvent.GRANTED
    assert lot.terminal.charges == 1
    assert states(lot) == ["pending", "completed"]


async def test_a_terminal_that_never_heard_of_a_payment_is_asked_anew(lot: LotAtWork) -> None:
    visit = await owing(lot)
    lot.terminal.mute = True
    await lot.pay(visit)
    lot.terminal.mute = False
    lot.terminal.records.clear()
    assert (await lot.pay(visit)).event is LaneEvent.GRANTED
    assert states(lot) == ["pending", "failed", "pending", "completed"]


async def test_a_terminal_without_a_wire_was_not_told(lot: LotAtWork) -> None:
    visit = await owing(lot)
    lot.terminal.unreachable = DeviceUnreachable("no wire")
    assert (await lot.pay(visit)).event is LaneEvent.DECLINED
    assert states(lot) == ["pending", "failed"]


@pytest.mark.parametrize("taken", [True, False])
async def test_a_power_cut_between_asking_and_knowing_is_resolved_at_the_next_start(
    lot: LotAtWork, taken: bool
) -> None:
    visit = await owing(lot)
    lot.terminal.mute = True
    await lot.pay(visit)
    if not taken:
        lot.terminal.records.clear()
    await lot.restart()
    assert await lot.payments.resolve_pending() == 1
    lot.terminal.mute = False
    assert await lot.payments.resolve_pending() == 0
    assert states(lot)[-1] == ("completed" if taken else "failed")
    _, answered = await lot.show(lot.office.issue_ticket(lot.ledger.open_stays()[0]).text)
    assert answered.event is (LaneEvent.GRANTED if taken else LaneEvent.OWES)


async def test_a_payment_of_who_was_let_out_meanwhile_is_resolved_too(lot: LotAtWork) -> None:
    visit = await owing(lot)
    lot.terminal.mute = True
    await lot.pay(visit)
    lot.leaving.passed(visit)
    lot.terminal.mute = False
    assert await lot.payments.resolve_pending() == 0
    assert states(lot)[-1] == "completed"


async def test_what_a_driver_is_just_paying_is_not_looked_up_from_elsewhere(lot: LotAtWork) -> None:
    """Asked about before the terminal heard of it, it would be written off and then be paid."""
    ticket = ticket_of(await lot.come_in())
    lot.later(minutes=50)
    here, there = await owing(lot, "exit-1", ticket), await owing(lot, "exit-2", ticket)
    lot.terminal.thinks = asyncio.Event()
    paying: asyncio.Task[Answered] = asyncio.create_task(lot.pay(here))
    await asyncio.sleep(0)
    assert await lot.payments.resolve_pending() == 1
    assert (await lot.pay(there)).help_why == PAYMENT_UNKNOWN
    assert not any(isinstance(command, LookupPayment) for command in lot.terminal.asked)
    lot.terminal.thinks.set()
    assert (await paying).event is LaneEvent.GRANTED
    assert lot.terminal.charges == 1


async def test_without_room_on_the_disk_nobody_is_asked_for_money(lot: LotAtWork) -> None:
    visit = await owing(lot)
    lot.disk.fill()
    answered = await lot.pay(visit)
    assert answered.event is LaneEvent.GRANTED
    assert lot.terminal.asked == []
    lot.disk.free()
    assert await lot.payments.resolve_pending() == 0
    assert states(lot) == ["pending", "failed"]


async def test_what_the_terminal_took_while_the_disk_filled_up_opens_and_is_found_again(
    lot: LotAtWork,
) -> None:
    visit = await owing(lot)
    lot.terminal.thinks = asyncio.Event()
    paying = asyncio.create_task(lot.pay(visit))
    await asyncio.sleep(0)
    lot.disk.fill()
    lot.terminal.thinks.set()
    assert (await paying).event is LaneEvent.GRANTED
    assert [payment.state for payment in lot.ledger.pending_payments()] == []
    lot.disk.free()
    assert states(lot) == ["pending", PaymentState.COMPLETED.value]
