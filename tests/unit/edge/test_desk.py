"""The lot's desk: what screens ask and people do, and the whole box on one page."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from edge.api.desk import ClockStatus, LaneUnknown, LinkState, LinkStatus, Screen, StayQuote
from edge.desk import LotDesk
from edge.lanes import LanePhase, Levels
from edge.lot_status import LotStatus
from edge.settings import LaneSettings
from parking.decision import Reason, Refusal
from parking.ids import LaneId
from parking.lot import LaneKind, SpotType
from sync.events import EventKind
from tests.unit.edge.lot_at_work import DOWN, HERE, Arm, LotAtWork, ticket_of, until

IN, OUT = "entry-1", "exit-1"


def desk_of(lot: LotAtWork, link: LinkState = LinkState.NONE) -> LotDesk:
    runners = {
        IN: lot.runner(LaneKind.ENTRY, Arm()),
        OUT: lot.runner(LaneKind.EXIT, Arm()),
    }
    lanes = {
        lane: LaneSettings(id=LaneId(lane), kind=runner.kind, barrier=f"gate-{lane}", reader_side="left")
        for lane, runner in runners.items()
    }
    box = LotStatus(
        lot=lot.premises.lot,
        gateway="gateway-1",
        software="0",
        runners=runners,
        ledger=lot.ledger,
        prices=lot.prices,
        driver_health=tuple,
        clock=lot.premises.clock,
        store_path=lot.premises.path,
        link_status=lambda: LinkStatus(state=link, backlog=3),
        clock_status=lambda: ClockStatus(quality="synced"),
        started_at=lot.premises.clock.now(),
    )
    desk = LotDesk(
        lot=lot.premises.lot,
        runners=runners,
        lane_settings=lanes,
        box=box,
        ledger=lot.ledger,
        leaving=lot.leaving,
        office=lot.office,
        prices=lot.prices,
        clock=lot.premises.clock,
        link_status=box.link_status,
        picture_changed=lambda: None,
    )
    desk.follow()
    return desk


def arrives(desk: LotDesk, lane: str) -> None:
    for levels in (DOWN, HERE):
        desk.runners[lane].contacts(levels, button=False)


async def test_where_several_types_are_free_the_screen_asks_which_and_takes_the_answer(
    lot: LotAtWork,
) -> None:
    desk = desk_of(lot)
    arrives(desk, IN)
    assert (await desk.press_button(IN, None)).accepted
    view = desk.lane_view(IN)
    assert (view.screen, view.types) == (Screen.CHOOSE, (SpotType.REGULAR, SpotType.EV))
    assert (await desk.press_button(IN, SpotType.EV)).accepted
    await until(lambda: desk.lane_view(IN).screen is Screen.TICKET)
    assert lot.ledger.open_stays()[0].type is SpotType.EV


async def test_where_one_type_is_free_a_touch_is_a_ticket(lot: LotAtWork) -> None:
    await lot.come_in(None)
    desk = desk_of(lot)
    arrives(desk, IN)
    await desk.press_button(IN, SpotType.EV)
    await until(lambda: desk.lane_view(IN).screen is Screen.TICKET)
    for levels in (DOWN, HERE):
        desk.runners[IN].contacts(levels, button=False)
    assert [count.sellable for count in desk.lane_view(IN).counts] == [1, 0]


async def test_full_says_until_when_and_the_price_stands_beside_it(lot: LotAtWork) -> None:
    for kind in (SpotType.REGULAR, SpotType.REGULAR):
        assert kind
        await lot.come_in()
    desk = desk_of(lot)
    arrives(desk, IN)
    await desk.press_button(IN, SpotType.REGULAR)
    await until(lambda: desk.lane_view(IN).screen is Screen.FULL)
    view = desk.lane_view(IN)
    assert view.until_at is not None
    assert view.reason is Reason.FULL
    assert view.price_hint is not None
    assert (view.price_hint.amount_minor, view.price_hint.minutes) == (300, 60)
    assert view.sellable_total == 1


async def test_what_a_lane_cannot_take_up_now_is_said_with_a_sentence(lot: LotAtWork) -> None:
    desk = desk_of(lot)
    for answer in (
        await desk.press_button(IN, None),
        await desk.press_button(OUT, SpotType.REGULAR),
        await desk.present_code(OUT, "x"),
        await desk.present_plate(OUT, "AB12", 0.9),
        await desk.pay(OUT),
        await desk.open_with_reason(IN, "A. Attendant", "delivery"),
    ):
        assert not answer.accepted
        assert answer.sentence.endswith(".")
    with pytest.raises(LaneUnknown):
        await desk.pay("exit-9")


async def test_a_watcher_sees_the_latest_view_and_not_each_in_between(lot: LotAtWork) -> None:
    desk = desk_of(lot)
    async with aclosing(desk.watch(IN)) as views:  # type: ignore[type-var]  # an async generator behind the port
        first = await anext(views)
        assert first.screen is Screen.ARM_FAULT
        arrives(desk, IN)
        assert (await anext(views)).screen is Screen.DETECTED
        follows = asyncio.ensure_future(anext(views))
        await lot.come_in()
        assert (await asyncio.wait_for(follows, 2)).sellable_total == 2


async def test_a_quote_changes_nothing_and_says_what_is_owed_by_now(lot: LotAtWork) -> None:
    desk = desk_of(lot)
    ticket = ticket_of(await lot.come_in())
    lot.later(minutes=50)
    before = lot.ledger.last_seq
    quoted = await desk.quote(ticket)
    assert isinstance(quoted, StayQuote)
    assert quoted.price.total_minor == 300
    assert lot.ledger.last_seq == before
    visit, _ = await lot.show(ticket)
    await lot.pay(visit)
    again = await desk.quote(ticket)
    assert isinstance(again, StayQuote)
    assert again.price.total_minor == sum(line.amount_minor for line in again.price.lines) == 0
    assert again.paid_until_at is not None
    assert await desk.quote("rubbish") == Refusal(reason=Reason.UNREADABLE)


async def test_help_is_called_shown_and_ended(lot: LotAtWork) -> None:
    desk = desk_of(lot)
    arrives(desk, OUT)
    await desk.call_help(OUT)
    view = desk.lane_view(OUT)
    assert (view.screen, view.called_at) == (Screen.HELP, lot.premises.clock.now())
    await desk.end_help(OUT)
    assert desk.lane_view(OUT).called_at is None


async def test_a_person_opens_and_the_name_and_reason_are_on_record(lot: LotAtWork) -> None:
    desk = desk_of(lot)
    arrives(desk, OUT)
    assert (await desk.open_with_reason(OUT, "A. Attendant", "lost ticket")).accepted
    (told,) = lot.events(EventKind.OVERRIDE)
    assert (told["lane"], told["action"], told["by"], told["reason"]) == (
        OUT,
        "open",
        "A. Attendant",
        "lost ticket",
    )


async def test_a_person_lets_the_car_in_that_waits_over_the_count_and_the_status_page_says_so(
    lot: LotAtWork,
) -> None:
    desk = desk_of(lot)
    for _ in range(2):
        await lot.come_in()
    assert not (await desk.admit_with_reason(IN, "A. Attendant", "a doctor")).accepted, "nobody waits"
    arrives(desk, IN)
    assert (await desk.admit_with_reason(IN, "A. Attendant", "a doctor")).accepted
    await until(lambda: lot.events(EventKind.OVERRIDE))
    (told,) = lot.events(EventKind.OVERRIDE)
    assert (told["action"], told["by"]) == ("admitted_over_count", "A. Attendant")
    assert "One car is inside without a space that is kept" in [fault.title for fault in desk.status().faults]
    arrives(desk, OUT)
    assert not (await desk.admit_with_reason(OUT, "A. Attendant", "a doctor")).accepted, "an exit"


async def test_trouble_is_sorted_by_people_and_every_fault_has_steps_in_words(lot: LotAtWork) -> None:
    desk = desk_of(lot, LinkState.DOWN)
    assert not desk.status().ready
    await lot.ledger.fence("the centre knows more than this ledger")
    desk.runners[IN].contacts(Levels(), button=None)
    arrives(desk, OUT)
    await desk.call_help(OUT)
    status = desk.status()
    assert [fault.title for fault in status.faults] == [
        "exit-1: The driver asked for a person.",
        "This gateway may not sell",
        "entry-1: The barrier's controller does not answer.",
        "The line to the centre is down",
    ]
    assert all(step.endswith((".", "ledger")) for fault in status.faults for step in fault.steps)
    assert all("→" not in fault.title for fault in status.faults)
    assert status.ready


async def test_every_phase_is_told_in_a_sentence(lot: LotAtWork) -> None:
    desk = desk_of(lot)
    for phase in LanePhase:
        desk.runners[IN].state = type(desk.runners[IN].state)(phase=phase)
        lane = desk.status().lanes[0]
        assert lane.detail.endswith(".")
        assert "_" not in lane.state


async def test_a_disk_that_takes_nothing_is_the_first_thing_said(lot: LotAtWork) -> None:
    desk = desk_of(lot)
    lot.disk.fill()
    lot.log.tailgated(IN)
    fault = desk.status().faults[0]
    assert fault.title == "The ledger cannot be written"
    assert fault.stops
    assert desk.status().ledger.degraded is not None


async def test_the_last_things_that_happened_stand_on_the_page_without_anything_personal(
    lot: LotAtWork,
) -> None:
    desk = desk_of(lot)
    for _ in range(2):
        await lot.come_in()
    await asyncio.sleep(0)
    texts = [line.text for line in desk.status().events]
    assert texts[0] == "stay entered"
    assert len(texts) <= 12
