"""The way in: what is decided at an entry, and what of it is on record before the arm's word."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from edge.lanes import LaneEvent
from edge.visit import Presented, Visit
from parking.admission import Passback
from parking.decision import Reason
from parking.lot import OpeningHours, SpotType
from parking.stays import StayState
from sync.events import EventKind
from tests.unit.edge.lot_at_work import LotAtWork, tariff, ticket_of

PLATE = Presented.plate("AB12 CDE", 0.9)


async def test_a_walk_in_gets_a_ticket_a_claim_and_a_stay_in_one_change(lot: LotAtWork) -> None:
    before = lot.ledger.last_seq
    _, answered = await lot.come()
    assert (answered.event, answered.reason) == (LaneEvent.GRANTED, Reason.GRANTED)
    stay = answered.stay
    assert stay is not None
    assert stay.claim is not None
    assert lot.ledger.book.claim(stay.claim).binds
    assert stay.tariff_version == "t/1"
    read = lot.office.read(ticket_of(answered))
    assert read is not None
    assert read.subject == stay.id
    told = [row.seq for row in lot.ledger.log_page(before, 10)]
    assert told == [before + 1, before + 2, before + 3]


async def test_what_was_granted_is_there_after_a_power_cut(lot: LotAtWork) -> None:
    _, answered = await lot.come()
    await lot.restart()
    assert [stay.id for stay in lot.ledger.open_stays()] == [answered.stay and answered.stay.id]


async def test_a_plate_comes_in_without_a_ticket_and_stands_in_no_event(lot: LotAtWork) -> None:
    _, answered = await lot.come(PLATE)
    assert answered.event is LaneEvent.GRANTED
    assert answered.ticket is None
    assert "AB12" not in repr(lot.events())
    assert answered.stay is not None
    assert lot.ledger.plate(answered.stay.id) == "AB12 CDE"


async def test_the_same_credential_presented_again_opens_for_the_same_stay(lot: LotAtWork) -> None:
    _, first = await lot.come(PLATE)
    _, again = await lot.come(PLATE, lane="entry-2")
    assert (again.event, again.reason) == (LaneEvent.GRANTED, Reason.ALREADY_ADMITTED)
    assert again.stay == first.stay
    assert len(lot.ledger.open_stays()) == 1


async def test_who_backs_out_leaves_no_stay_and_the_place_is_free_again(lot: LotAtWork) -> None:
    visit, answered = await lot.come()
    assert lot.ledger.counts()[SpotType.REGULAR].count == 1
    lot.entering.backed_out(visit)
    assert answered.stay is not None
    voided = lot.ledger.stay(answered.stay.id)
    assert voided is not None
    assert voided.state is StayState.VOID
    assert lot.ledger.counts()[SpotType.REGULAR].count == 2


async def test_a_full_lot_says_until_when_and_keeps_its_charger_for_who_asks_for_it(lot: LotAtWork) -> None:
    await lot.come_in()
    await lot.come_in()
    _, full = await lot.come()
    assert (full.event, full.reason) == (LaneEvent.REFUSED, Reason.FULL)
    assert full.until_at == lot.premises.clock.now() + timedelta(hours=4)
    _, charging = await lot.come(Presented.button(SpotType.EV))
    assert charging.event is LaneEvent.GRANTED
    _, compact = await lot.come(Presented.button(SpotType.COMPACT))
    assert compact.reason is Reason.TYPE_NOT_HERE


async def test_the_last_place_goes_to_one_of_two_who_ask_in_the_same_instant(lot: LotAtWork) -> None:
    await lot.come_in()
    visits = [Visit(lane=f"entry-{n}", presented=Presented.button(None)) for n in (1, 2)]
    first, second = lot.entering.decide(visits[0]), lot.entering.decide(visits[1])
    reasons = {(await first).reason, (await second).reason}
    assert reasons == {Reason.GRANTED, Reason.FULL}


async def test_outside_the_lots_own_hours_the_entry_says_when_it_opens(lot: LotAtWork) -> None:
    daily = OpeningHours(by_weekday={day: (time(14), time(22)) for day in range(7)})
    lot.opens(daily)
    _, shut = await lot.come()
    assert (shut.event, shut.reason) == (LaneEvent.REFUSED, Reason.CLOSED)
    assert shut.until_at == datetime(2026, 11, 24, 14, tzinfo=UTC)
    lot.later(hours=2)
    _, opened = await lot.come()
    assert opened.event is LaneEvent.GRANTED


async def test_a_lot_without_any_hours_is_closed_without_a_time(lot: LotAtWork) -> None:
    lot.opens(OpeningHours(by_weekday={}))
    _, shut = await lot.come()
    assert (shut.reason, shut.until_at) == (Reason.CLOSED, None)


async def test_the_hours_of_the_tariff_close_too_and_the_later_end_counts(lot: LotAtWork) -> None:
    lot.prices.add(tariff(2, closed=[{"from": "10:00", "until": "16:00"}]))
    daily = OpeningHours(by_weekday={day: (time(14), time(22)) for day in range(7)})
    lot.opens(daily)
    _, shut = await lot.come()
    assert shut.until_at == datetime(2026, 11, 24, 16, tzinfo=UTC)


async def test_a_soft_second_entry_is_let_in_and_on_record(lot: LotAtWork) -> None:
    await lot.come_in(PLATE)
    _, again = await lot.come(PLATE)
    assert (again.event, again.reason) == (LaneEvent.GRANTED, Reason.PASSBACK_TOLERATED)
    told = lot.events(EventKind.OVERRIDE)
    assert [(event["action"], event["lane"]) for event in told] == [("passback_tolerated", "entry-1")]


async def test_a_hard_second_entry_is_refused_and_a_person_called(lot: LotAtWork) -> None:
    lot.entering.passback = Passback.HARD
    await lot.come_in(PLATE)
    _, again = await lot.come(PLATE)
    assert (again.event, again.reason) == (LaneEvent.REFUSED, Reason.ALREADY_INSIDE)
    assert "inside already" in again.help_why


@pytest.mark.parametrize("code", ["", "LG1:rubbish", "LG1:%69 VDK2E:3"])
async def test_a_code_that_nobody_issued_is_refused(lot: LotAtWork, code: str) -> None:
    _, answered = await lot.come(Presented.code(code))
    assert (answered.event, answered.reason) == (LaneEvent.REFUSED, Reason.CREDENTIAL_UNKNOWN)


async def test_a_fenced_lot_lets_nobody_in(lot: LotAtWork) -> None:
    await lot.ledger.fence("the centre knows more than this ledger")
    _, answered = await lot.come()
    assert (answered.event, answered.reason) == (LaneEvent.REFUSED, Reason.FENCED)


async def test_a_disk_that_takes_nothing_lets_nobody_in(lot: LotAtWork) -> None:
    lot.ledger.refusal = "the ledger holds as much as it may"
    _, answered = await lot.come()
    assert (answered.event, answered.reason) == (LaneEvent.REFUSED, Reason.NOT_STORING)


async def test_a_disk_that_fills_up_in_the_very_moment_refuses_and_keeps_no_place(lot: LotAtWork) -> None:
    lot.disk.fill()
    _, answered = await lot.come()
    assert (answered.event, answered.reason) == (LaneEvent.REFUSED, Reason.NOT_STORING)
    assert lot.ledger.open_stays() == []
    lot.disk.free()
    await lot.ledger.durable()
    _, later = await lot.come()
    assert later.event is LaneEvent.GRANTED
