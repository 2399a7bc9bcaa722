"""A lot whose clock cannot be trusted: gates, tickets, passes and exits work, no promise ends, no price is above the true one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from drivers.ports import SpotReading
from edge.lanes import LaneEvent
from edge.lot_clock import reading_kept_in
from edge.observing import Observing
from edge.store.reader import StoreReader
from edge.visit import Presented
from parking.claims import Claim, ClaimState
from parking.decision import Reason
from parking.lot import SpotType
from parking.price import price
from parking.stays import StayState
from parking.trusted_time import EARLIEST_AT, ClockQuality
from sync.events import EventKind
from tests.integration.edge.conftest import NOON_AT
from tests.integration.edge.dark_lot import DarkLot, DarkPremises, World
from tests.unit.edge.lot_at_work import tariff, three_places, ticket_of
from tests.unit.edge.test_bookings import CLAIM, COMMITTED, pass_of, prepare

HOUR = timedelta(hours=1)
WILD = {
    "at 1970": EARLIEST_AT - NOON_AT,
    "nine years ahead": timedelta(days=9 * 365),
    "an hour ahead": HOUR,
    "an hour behind": -HOUR,
    "right": timedelta(0),
}
SYNCED, HOLDOVER, UNKNOWN = ClockQuality.SYNCED, ClockQuality.HOLDOVER, ClockQuality.UNKNOWN

wild = pytest.mark.parametrize("off", WILD.values(), ids=WILD)


@pytest_asyncio.fixture
async def lot(tmp_path: Path) -> AsyncIterator[DarkLot]:
    premises = DarkPremises(tmp_path, three_places())
    yield DarkLot(premises)
    for ledger in premises.started:
        await ledger.close()


async def lot_that_boots(folder: Path, off: timedelta, *, has_centre: bool = True) -> DarkLot:
    premises = DarkPremises(folder, three_places(), world=World(civil_off=off), has_centre=has_centre)
    return DarkLot(premises)


async def booked(lot: DarkLot) -> Claim:
    """The centre sells two hours from now."""
    lot.commitments.hear(prepare(lot))
    lot.commitments.hear(COMMITTED)
    await lot.ledger.durable()
    claim = lot.ledger.book.claim(CLAIM)
    assert claim.state is ClaimState.FIRM
    return claim


async def time_passes_here(lot: DarkLot) -> None:
    """What the agent does every half minute."""
    lot.clock.tick()
    lot.promises.tick()
    freeing = asyncio.create_task(lot.commitments.run())
    for _ in range(5):
        await asyncio.sleep(0)
    freeing.cancel()
    await asyncio.gather(freeing, return_exceptions=True)


def true_price(lot: DarkLot, since_hours: float) -> int:
    """What a stay that ends now and took so long truly costs."""
    now = lot.world.true_at
    return price(tariff(), now - timedelta(hours=since_hours), now).total_minor


@wild
async def test_a_new_lot_that_was_never_told_the_time_lets_in_and_out(tmp_path: Path, off: timedelta) -> None:
    lot = await lot_that_boots(tmp_path, off)
    assert lot.qualities() == [UNKNOWN]
    came = await lot.come_in()
    assert came.event is LaneEvent.GRANTED
    lot.world.passes(minutes=90)
    assert await lot.leaves(ticket_of(came)) == true_price(lot, 1.5)
    assert [stay.state for stay in lot.ledger.open_stays()] == []
    await lot.ledger.close()


@wild
async def test_a_pass_admits_by_whatever_clock_and_its_driver_owes_nothing(
    tmp_path: Path, off: timedelta
) -> None:
    lot = await lot_that_boots(tmp_path, off)
    text = pass_of(lot, at=NOON_AT)
    came = await lot.come_in(Presented.code(text))
    assert (came.event, came.reason) == (LaneEvent.GRANTED, Reason.GRANTED)
    lot.world.passes(hours=1)
    assert await lot.leaves(text) == 0
    await lot.ledger.close()


@wild
async def test_after_a_dark_time_no_promise_has_ended_and_nobody_pays_more_than_the_truth(
    lot: DarkLot, off: timedelta
) -> None:
    lot.told()
    came = await lot.come_in()
    claim = await booked(lot)
    lot.world.passes(minutes=30)
    lot.told()
    await lot.come()
    lot.world.civil_off = off
    await lot.power_cut(hours=1)
    assert lot.clock.quality is UNKNOWN
    await time_passes_here(lot)
    assert lot.ledger.book.claim(claim.id).binds
    lot.world.passes(minutes=30)
    assert await lot.leaves(ticket_of(came)) <= true_price(lot, 2)
    text = pass_of(lot, at=NOON_AT)
    assert (await lot.come_in(Presented.code(text))).event is LaneEvent.GRANTED


@wild
async def test_a_booking_that_nobody_used_binds_past_its_window_until_the_time_is_known(
    lot: DarkLot, off: timedelta
) -> None:
    lot.told()
    await booked(lot)
    lot.world.civil_off = off
    await lot.power_cut(hours=5)
    lot.world.passes(hours=5)
    await time_passes_here(lot)
    assert lot.clock.lower_bound() > NOON_AT + 2 * HOUR, "it is over, and still nothing is released"
    assert {kind: left.count for kind, left in lot.ledger.counts().items()}[SpotType.REGULAR] == 1
    assert [(await lot.come_in()).event for _ in range(2)] == [LaneEvent.GRANTED, LaneEvent.REFUSED]
    lot.told()
    assert (await lot.come_in()).event is LaneEvent.GRANTED


@wild
async def test_a_place_in_doubt_is_kept_past_its_window_until_the_time_is_known(
    lot: DarkLot, off: timedelta
) -> None:
    lot.told()
    lot.commitments.hear(prepare(lot))
    await lot.ledger.durable()
    lot.world.civil_off = off
    await lot.power_cut(hours=5)
    lot.world.passes(hours=5)
    await time_passes_here(lot)
    assert lot.ledger.book.claim(CLAIM).state is ClaimState.HELD
    lot.told()
    await time_passes_here(lot)
    assert lot.ledger.book.claim(CLAIM).state is ClaimState.RELEASED


@wild
async def test_a_civil_clock_that_jumps_while_the_lot_works_changes_nothing(
    lot: DarkLot, off: timedelta
) -> None:
    lot.told()
    claim = await booked(lot)
    came = await lot.come_in()
    for step in (off, timedelta(0), -off if abs(off) <= HOUR else off, timedelta(0)):
        lot.world.civil_off = step
        lot.world.passes(minutes=15)
        await time_passes_here(lot)
        assert lot.ledger.book.claim(claim.id).binds
        assert abs(lot.clock.now() - lot.world.true_at) < timedelta(milliseconds=1)
    assert await lot.leaves(ticket_of(came)) == true_price(lot, 1)


async def test_a_promise_ends_by_the_lower_bound_and_not_by_the_estimate(lot: DarkLot) -> None:
    lot.told()
    await booked(lot)
    lot.world.passes(hours=2, seconds=1)
    assert lot.clock.now() > NOON_AT + 2 * HOUR
    assert lot.clock.released_before() < NOON_AT + 2 * HOUR
    two_regular_places = [await lot.come_in(), await lot.come_in()]
    assert [came.event for came in two_regular_places] == [LaneEvent.GRANTED, LaneEvent.REFUSED]
    lot.world.passes(seconds=10)
    assert (await lot.come_in()).event is LaneEvent.GRANTED


async def test_a_walk_in_of_the_dark_has_no_end_until_the_time_is_known_and_is_put_right_in_one_step(
    lot: DarkLot,
) -> None:
    lot.told()
    await lot.come_in()
    await lot.power_cut(hours=3)
    came = await lot.come_in()
    assert came.stay is not None
    dark = lot.ledger.book.claim(came.stay.claim or pytest.fail("no claim"))
    assert dark.window.ends_at is None
    lot.world.passes(minutes=20)
    before = lot.ledger.last_seq
    lot.told()
    told = lot.events()[before:]
    kinds = [next(key for key in ("claim", "stay", "quality") if key in body) for body in told]
    assert kinds == ["claim", "stay", "quality"], "the car of before stays as it was"
    claim = lot.ledger.book.claim(dark.id)
    stay = lot.ledger.stay(came.stay.id)
    assert stay is not None
    assert stay.state is StayState.INSIDE
    assert abs(stay.admitted_at - (lot.world.true_at - timedelta(minutes=20))) < timedelta(seconds=2)
    assert claim.window.ends_at is not None
    assert claim.window.ends_at >= lot.world.true_at + HOUR
    assert lot.qualities() == [UNKNOWN, SYNCED, UNKNOWN, SYNCED]
    await lot.restart()
    assert lot.ledger.book.claim(dark.id) == claim
    assert await lot.leaves(ticket_of(came)) == true_price(lot, 1 / 3)


async def test_a_car_that_nobody_saw_drive_in_in_the_dark_pays_for_its_own_time_too(lot: DarkLot) -> None:
    """Its stay is void, yet it is inside: the controller was silent as it passed."""
    lot.told()
    await lot.power_cut(hours=3)
    visit, answered = await lot.come()
    lot.entering.backed_out(visit)
    assert answered.stay is not None
    lot.world.passes(minutes=20)
    lot.told()
    stay = lot.ledger.stay(answered.stay.id)
    assert stay is not None
    assert stay.state is StayState.VOID
    assert abs(stay.admitted_at - (lot.world.true_at - timedelta(minutes=20))) < timedelta(seconds=2)
    assert await lot.leaves(ticket_of(answered)) == true_price(lot, 1 / 3)


async def test_a_stay_from_before_the_dark_is_not_moved_when_the_time_is_known(lot: DarkLot) -> None:
    lot.told()
    came = await lot.come_in()
    assert came.stay is not None
    lot.world.passes(minutes=10)
    await lot.power_cut(hours=3)
    lot.told()
    stay = lot.ledger.stay(came.stay.id)
    assert stay is not None
    assert stay.admitted_at == came.stay.admitted_at
    assert await lot.leaves(ticket_of(came)) == true_price(lot, 3 + 1 / 6)


async def test_a_lot_that_began_nine_years_ahead_takes_its_cars_back_with_it(tmp_path: Path) -> None:
    lot = await lot_that_boots(tmp_path, WILD["nine years ahead"])
    came = await lot.come_in()
    lot.world.passes(minutes=20)
    lot.told()
    assert came.stay is not None
    stay = lot.ledger.stay(came.stay.id)
    assert stay is not None
    assert abs(stay.admitted_at - NOON_AT) < timedelta(seconds=2)
    assert await lot.leaves(ticket_of(came)) == true_price(lot, 1 / 3)
    await lot.ledger.close()


async def test_an_agent_that_dies_and_starts_in_the_same_boot_still_knows_the_time(lot: DarkLot) -> None:
    lot.told()
    await lot.come_in()
    lot.world.passes(minutes=30)
    lot.world.civil_off = WILD["nine years ahead"]
    await lot.restart()
    assert lot.clock.quality is HOLDOVER
    assert lot.clock.now() == lot.world.true_at
    assert lot.qualities() == [UNKNOWN, SYNCED, HOLDOVER]


async def test_the_lower_bound_comes_back_with_the_last_commit_and_never_goes_back(lot: DarkLot) -> None:
    lot.told()
    bounds = [lot.clock.lower_bound()]
    for _ in range(4):
        lot.world.passes(minutes=7)
        await lot.come_in()
        bounds.append(lot.clock.lower_bound())
        lot.world.civil_off -= HOUR
        await lot.power_cut(minutes=50)
        bounds.append(lot.clock.lower_bound())
    assert bounds == sorted(bounds)
    assert bounds[-1] <= lot.world.true_at


async def test_closed_hours_that_nobody_can_judge_keep_nobody_out(lot: DarkLot) -> None:
    lot.entering.prices = lot.prices
    await lot.power_cut(hours=1)
    standing = lot.entering._standing()
    assert (standing.open, standing.clock_known) == (True, False)


@wild
async def test_a_lot_without_a_centre_believes_its_own_clock_unless_it_cannot_be_right(
    tmp_path: Path, off: timedelta
) -> None:
    lot = await lot_that_boots(tmp_path, off, has_centre=False)
    believed = off != WILD["at 1970"]
    assert lot.clock.quality is (HOLDOVER if believed else UNKNOWN)
    came = await lot.come_in()
    lot.world.passes(minutes=90)
    lot.world.civil_off = timedelta(0)
    lot.clock.tick()
    assert lot.clock.quality is HOLDOVER
    assert await lot.leaves(ticket_of(came)) == true_price(lot, 1.5)
    assert len(lot.events(EventKind.STAY_LEFT)) == 1
    await lot.ledger.close()


async def test_what_inspect_reads_beside_the_agent_is_the_lots_own_time(lot: DarkLot) -> None:
    lot.told()
    await lot.come_in()
    lot.world.civil_off = WILD["nine years ahead"]
    lot.world.passes(minutes=30)
    reader = StoreReader(lot.premises.path)
    try:
        reading = reading_kept_in(reader, lot.world.machine())
        lot.world.is_dark(hours=5)
        after_boot = reading_kept_in(reader, lot.world.machine())
    finally:
        reader.close()
    assert reading is not None
    assert (reading.quality, reading.estimate_at) == (SYNCED, NOON_AT + timedelta(minutes=30))
    assert reading.offset_s == WILD["nine years ahead"].total_seconds()
    assert reading.lower_at <= reading.estimate_at
    assert after_boot is not None
    assert after_boot.estimate_at == NOON_AT, "of the dark nobody knows"


async def test_sensors_are_heard_again_after_the_clock_is_put_back(tmp_path: Path) -> None:
    lot = await lot_that_boots(tmp_path, WILD["nine years ahead"])
    spot = lot.premises.lot.spots[0].id
    observing = Observing(lot.ledger, sensors={"sensor-1": spot}, clock=lot.clock)
    await observing.observe(SpotReading(device="sensor-1", occupied=True))
    lot.world.passes(minutes=5)
    lot.told()
    await observing.observe(SpotReading(device="sensor-1", occupied=False))
    assert [state.state for state in lot.ledger.spot_states()] == ["free"]
    await lot.ledger.close()


@wild
async def test_a_ticket_of_a_lost_ledger_is_not_priced_by_a_clock_that_nobody_told(
    tmp_path: Path, off: timedelta
) -> None:
    lot = await lot_that_boots(tmp_path, timedelta(0))
    lot.told()
    text = ticket_of(await lot.come_in())
    lot.world.passes(hours=1)
    lot.world.civil_off = off
    await lot.new_card()
    lot.world.passes(minutes=30)
    assert lot.clock.quality is UNKNOWN
    assert await lot.leaves(text) <= true_price(lot, 1.5)
    for ledger in lot.premises.started:
        await ledger.close()


async def test_a_car_let_in_by_hand_in_the_dark_has_a_claim_without_an_end(lot: DarkLot) -> None:
    lot.told()
    await lot.power_cut(hours=1)
    came = await lot.come_in(Presented.by_hand("Ada", "flat tyre"))
    assert came.stay is not None
    assert came.stay.claim is not None
    assert lot.ledger.book.claim(came.stay.claim).window.ends_at is None
