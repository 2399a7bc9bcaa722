"""The way out: what it costs, and that nobody is kept inside for anything but an unpaid demand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from edge.lane_words import NO_TERMINAL
from edge.lanes import LaneEvent
from edge.leaving import PAID_BEFORE
from edge.visit import Presented
from parking.decision import Reason
from parking.stays import StayState
from sync.events import EventKind
from tests.unit.edge.lot_at_work import LotAtWork, tariff, ticket_of

PLATE = Presented.plate("AB12 CDE", 0.9)


async def test_the_price_has_lines_that_add_up_and_nothing_opens_before_it_is_paid(lot: LotAtWork) -> None:
    ticket = ticket_of(await lot.come_in())
    lot.later(hours=2, minutes=10)
    visit, owed = await lot.show(ticket)
    assert (owed.event, owed.reason) == (LaneEvent.OWES, Reason.UNPAID)
    assert owed.demand is not None
    assert owed.demand.amount_minor == 900
    assert sum(int(str(line["amount_minor"])) for line in owed.demand.lines) == 900
    assert owed.help_why == ""
    paid = await lot.pay(visit)
    assert (paid.event, paid.reason) == (LaneEvent.GRANTED, Reason.PAID)
    assert paid.receipt is not None
    assert paid.receipt.amount_minor == 900
    assert paid.receipt.leave_by_at == lot.premises.clock.now() + timedelta(minutes=15)
    lot.leaving.passed(visit)
    assert lot.ledger.open_stays() == []
    assert lot.ledger.book.claims() == []


async def test_the_price_is_that_of_the_tariff_at_entry(lot: LotAtWork) -> None:
    ticket = ticket_of(await lot.come_in())
    lot.prices.add(tariff(2, rate=[{"label": "Dear", "price": "99.00", "per_min": 60}]))
    lot.later(minutes=50)
    _, owed = await lot.show(ticket)
    assert owed.demand is not None
    assert owed.demand.amount_minor == 300


async def test_the_receipt_opens_until_its_time_is_over_and_then_only_the_rest_is_owed(
    lot: LotAtWork,
) -> None:
    ticket = ticket_of(await lot.come_in())
    lot.later(minutes=50)
    visit, _ = await lot.show(ticket)
    paid = await lot.pay(visit)
    assert paid.receipt is not None
    lot.later(minutes=14)
    _, opened = await lot.show(paid.receipt.text, lane="exit-2")
    assert (opened.event, opened.reason) == (LaneEvent.GRANTED, Reason.PAID)
    lot.later(minutes=50)
    _, owed = await lot.show(ticket)
    assert owed.demand is not None
    assert owed.demand.amount_minor == 300
    assert owed.demand.lines[-1] == {"label": PAID_BEFORE, "amount_minor": -300}


async def test_one_ticket_shown_again_and_again_makes_one_demand(lot: LotAtWork) -> None:
    ticket = ticket_of(await lot.come_in())
    lot.later(minutes=50)
    for _ in range(5):
        await lot.show(ticket)
    assert len(lot.events(EventKind.DEMAND_MADE)) == 1
    lot.later(minutes=60)
    await lot.show(ticket)
    assert len(lot.events(EventKind.DEMAND_MADE)) == 2


async def test_a_plate_leaves_by_the_camera(lot: LotAtWork) -> None:
    await lot.come_in(PLATE)
    lot.later(minutes=50)
    visit, owed = await lot.show_at_exit(PLATE)
    assert owed.event is LaneEvent.OWES
    await lot.pay(visit)
    lot.leaving.passed(visit)
    assert lot.ledger.open_stays() == []


async def test_the_receipt_of_a_plate_names_its_stay(lot: LotAtWork) -> None:
    await lot.come_in(PLATE)
    lot.later(minutes=50)
    visit, owed = await lot.show_at_exit(PLATE)
    paid = await lot.pay(visit)
    assert paid.receipt is not None
    _, again = await lot.show(paid.receipt.text)
    assert again.stay is not None
    assert owed.stay is not None
    assert again.stay.id == owed.stay.id
    assert again.stay.credential == owed.stay.credential


async def test_a_plate_that_is_nobodys_opens_nothing_and_calls_nobody(lot: LotAtWork) -> None:
    """Its driver may hold a ticket; a gate that opened for every unknown plate would open for every ticket's car."""
    await lot.come_in()
    _, answered = await lot.show_at_exit(PLATE)
    assert answered.event is LaneEvent.REFUSED
    assert answered.help_why == ""
    assert lot.log.refusals == {}


@pytest.mark.parametrize("code", ["", "rubbish", "LG1:%69 VDK2E:3"])
async def test_a_code_that_cannot_be_read_lets_out_and_calls_a_person(lot: LotAtWork, code: str) -> None:
    _, answered = await lot.show(code)
    assert (answered.event, answered.reason) == (LaneEvent.GRANTED, Reason.UNREADABLE)
    assert answered.help_why


async def test_a_ticket_that_left_before_lets_out_and_calls_a_person(lot: LotAtWork) -> None:
    ticket = ticket_of(await lot.come_in())
    lot.later(minutes=50)
    visit, _ = await lot.show(ticket)
    await lot.pay(visit)
    lot.leaving.passed(visit)
    _, again = await lot.show(ticket)
    assert (again.event, again.reason) == (LaneEvent.GRANTED, Reason.ALREADY_LEFT)
    assert again.help_why


async def test_a_ticket_of_a_lost_ledger_is_priced_by_itself_paid_and_left(lot: LotAtWork) -> None:
    """The gateway was replaced: its key is the same, its ledger is empty."""
    admitted = await lot.come_in()
    await lot.new_card()
    lot.later(minutes=50)
    visit, owed = await lot.show(ticket_of(admitted))
    assert owed.event is LaneEvent.OWES
    assert owed.demand is not None
    assert owed.demand.amount_minor == 300
    paid = await lot.pay(visit)
    assert paid.event is LaneEvent.GRANTED
    assert admitted.stay is not None
    lot.leaving.passed(visit)
    stay = lot.ledger.stay(admitted.stay.id)
    assert stay is not None
    assert stay.state is StayState.LEFT
    assert stay.version > admitted.stay.version + 10
    await lot.restart()
    _, again = await lot.show(ticket_of(admitted))
    assert again.reason is Reason.ALREADY_LEFT


async def test_a_second_entry_on_one_ticket_leaves_with_its_own_ticket(lot: LotAtWork) -> None:
    first = ticket_of(await lot.come_in())
    second = await lot.come_in(Presented.code(first))
    lot.later(minutes=5)
    visit, answered = await lot.show(ticket_of(second))
    assert answered.stay is not None
    assert second.stay is not None
    assert answered.stay.id == second.stay.id
    await lot.pay(visit)
    lot.leaving.passed(visit)
    assert len(lot.ledger.open_stays()) == 1


async def test_a_disk_that_takes_nothing_lets_out_and_bills_later(lot: LotAtWork) -> None:
    ticket = ticket_of(await lot.come_in())
    lot.later(minutes=50)
    lot.disk.fill()
    _, in_the_moment = await lot.show(ticket)
    assert (in_the_moment.event, in_the_moment.reason) == (LaneEvent.GRANTED, Reason.BILLED_LATER)
    visit, known_before = await lot.show(ticket)
    assert known_before.reason is Reason.BILLED_LATER
    lot.leaving.passed(visit)
    lot.disk.free()
    await lot.restart()
    assert lot.ledger.open_stays() == []
    assert [event["demand"]["amount_minor"] for event in lot.events(EventKind.DEMAND_MADE)] == [300]
    assert lot.terminal.asked == []


async def test_a_ledger_that_holds_as_much_as_it_may_still_asks_for_money(lot: LotAtWork) -> None:
    ticket = ticket_of(await lot.come_in())
    lot.later(minutes=50)
    lot.ledger.refusal = "the ledger holds as much as it may"
    _, owed = await lot.show(ticket)
    assert owed.event is LaneEvent.OWES


async def test_a_fenced_lot_lets_everybody_out(lot: LotAtWork) -> None:
    ticket = ticket_of(await lot.come_in())
    await lot.ledger.fence("the centre knows more than this ledger")
    lot.later(minutes=50)
    visit, _ = await lot.show(ticket)
    assert (await lot.pay(visit)).event is LaneEvent.GRANTED


async def test_an_exit_without_a_terminal_calls_a_person_for_the_money(lot: LotAtWork) -> None:
    ticket = ticket_of(await lot.come_in())
    lot.later(minutes=50)
    visit, owed = await lot.show(ticket, lane="exit-9")
    assert (owed.event, owed.help_why) == (LaneEvent.OWES, NO_TERMINAL)
    assert (await lot.pay(visit)).event is LaneEvent.DECLINED


async def test_a_stay_of_nothing_owes_nothing(lot: LotAtWork) -> None:
    lot.prices.add(tariff(2, free_min=10, after_free="charged_from_entry"))
    ticket = ticket_of(await lot.come_in())
    lot.later(minutes=9)
    _, answered = await lot.show(ticket)
    assert (answered.event, answered.reason) == (LaneEvent.GRANTED, Reason.GRACE)
