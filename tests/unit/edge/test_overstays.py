"""Who stays past a booking pays the lot's overstay rate; who comes with one to a lot full of cars is told where to go."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from edge.change import Change, SpotState
from edge.lanes import LaneEvent
from edge.visit import Presented
from parking.claims import ClaimState
from parking.decision import Reason
from parking.lot import LotPolicy
from parking.overstay import with_overstay
from parking.price import Price
from parking.stays import StayState
from sync.events import EventKind
from tests.integration.edge.conftest import NOON_AT
from tests.unit.edge.lot_at_work import LotAtWork
from tests.unit.edge.test_bookings import (
    ABORTED,
    CLAIM,
    COMMITTED,
    RESERVATION,
    come_with,
    opened,
    pass_of,
    prepare,
)


def has_policy(lot: LotAtWork, policy: LotPolicy) -> None:
    lot.leaving.lot = lot.entering.lot = replace(lot.premises.lot, policy=policy)


async def test_the_time_after_a_bookings_end_costs_the_overstay_rate_as_a_line_of_its_own(
    lot: LotAtWork,
) -> None:
    has_policy(lot, LotPolicy(overstay_factor_1e4=15_000))
    text = pass_of(lot)
    await lot.come_in(Presented.code(text))
    lot.later(hours=4)
    _, answered = await lot.show(text)
    assert answered.demand is not None
    lines = [(line["label"], line["amount_minor"]) for line in answered.demand.lines]
    assert lines == [("Parking", 600), ("after the booking's end: × 1.5", 300)]
    assert answered.demand.amount_minor == 900


async def test_within_the_booking_and_for_walk_ins_there_is_no_such_line(lot: LotAtWork) -> None:
    has_policy(lot, LotPolicy(overstay_factor_1e4=15_000))
    came = await lot.come_in()
    assert came.ticket is not None
    lot.later(hours=6)
    _, answered = await lot.show(came.ticket.text)
    assert answered.demand is not None
    assert answered.demand.amount_minor == 1_800


@pytest.mark.parametrize(("factor_1e4", "total_minor"), [(10_000, 333), (15_000, 500), (20_000, 666)])
def test_the_lines_add_up_whatever_the_rate(factor_1e4: int, total_minor: int) -> None:
    price = Price(currency="GBP", lines=(), total_minor=333, over_max_stay=False)
    until = NOON_AT + timedelta(hours=1)
    after = with_overstay(price, factor_1e4=factor_1e4, booked_until=NOON_AT, until=until)
    assert after.total_minor == total_minor
    assert sum(line.amount_minor for line in after.lines) == total_minor - 333


async def fill_with_cars(lot: LotAtWork) -> None:
    """Every place is read as occupied, though the accounts have some left."""
    for spot in lot.premises.lot.spots:
        word = SpotState(
            spot=spot.id,
            writer="edge",
            n=1,
            state="occupied",
            source="sensor",
            occurred_at=lot.premises.clock.now(),
        )
        await lot.ledger.commit(Change(spot_states=(word,)))


async def test_a_booked_driver_is_never_let_into_a_lot_full_of_cars_but_sent_on_and_help_called(
    lot: LotAtWork,
) -> None:
    await fill_with_cars(lot)
    text = pass_of(lot)
    for _ in range(2):
        _, answered = await come_with(lot, text)
        assert (answered.event, answered.reason) == (LaneEvent.REFUSED, Reason.BOOKED_BUT_FULL)
        assert answered.help_why
    (told,) = lot.events(EventKind.BOOKING_AT_RISK)
    assert (told["reservation"], told["reason"]) == (RESERVATION, "physically_full")
    assert lot.ledger.open_stays() == []


async def test_over_the_count_nobody_is_let_into_a_lot_with_as_many_cars_as_places(lot: LotAtWork) -> None:
    for spot_type in (None, None):
        await lot.come_in(Presented.button(spot_type))
    _, third = await come_with(lot, pass_of(lot))
    assert third.stay is not None
    assert (third.event, third.stay.state) == (LaneEvent.GRANTED, StayState.ADMITTED)
    other = pass_of(lot, reservation="00000000-0000-0000-0000-0000000000ff")
    _, fourth = await come_with(lot, other)
    assert fourth.reason is Reason.BOOKED_BUT_FULL


async def test_a_sensor_that_reads_one_place_free_lets_the_booked_driver_in(lot: LotAtWork) -> None:
    await fill_with_cars(lot)
    spot = lot.premises.lot.spots[0]
    free = SpotState(
        spot=spot.id, writer="edge", n=2, state="free", source="sensor", occurred_at=lot.premises.clock.now()
    )
    await lot.ledger.commit(Change(spot_states=(free,)))
    _, answered = await come_with(lot, pass_of(lot))
    assert answered.event is LaneEvent.GRANTED


async def test_a_booking_that_comes_too_early_is_told_when_it_may_come(lot: LotAtWork) -> None:
    starts_at = lot.premises.clock.now() + timedelta(hours=1)
    _, answered = await come_with(lot, pass_of(lot, at=starts_at))
    assert answered.reason is Reason.PASS_WRONG_WINDOW
    assert answered.until_at == starts_at - timedelta(minutes=15)
    lot.later(hours=4)
    _, late = await come_with(lot, pass_of(lot, at=starts_at))
    assert (late.reason, late.until_at) == (Reason.PASS_WRONG_WINDOW, None)


async def test_an_attendant_lets_a_car_in_with_a_name_and_a_reason_on_record(lot: LotAtWork) -> None:
    came = await lot.come_in(Presented.by_hand("Anna", "the reader is broken"))
    assert came.ticket is not None
    assert came.stay is not None
    assert came.stay.claim is not None
    (told,) = lot.events(EventKind.OVERRIDE)
    assert (told["by"], told["reason"], told["action"]) == ("Anna", "the reader is broken", "admitted")


async def test_over_the_count_an_attendant_still_lets_a_car_in_and_it_counts(lot: LotAtWork) -> None:
    for _ in range(2):
        await lot.come_in()
    came = await lot.come_in(Presented.by_hand("Anna", "a doctor on call"))
    assert came.stay is not None
    assert (came.event, came.stay.over_count, came.stay.claim) == (LaneEvent.GRANTED, True, None)
    (told,) = lot.events(EventKind.OVERRIDE)
    assert told["action"] == "admitted_over_count"


@pytest.mark.parametrize("outcome", ["committed", "aborted"])
async def test_a_car_let_in_over_a_held_place_leaves_the_lots_word_standing_until_the_decision(
    lot: LotAtWork, outcome: str
) -> None:
    """The lot voted yes: no fact of its own ends that; the stay is over the count, and the decision finds its claim."""
    await opened(lot)
    await lot.come_in()
    lot.commitments.hear(prepare(lot))
    came = await lot.come_in(Presented.by_hand("Anna", "a doctor on call"))
    assert came.stay is not None
    assert came.stay.over_count
    held = lot.ledger.book.claim(CLAIM)
    assert held.state is ClaimState.HELD
    lot.later(hours=1)
    lot.promises.tick()
    assert lot.ledger.book.claim(CLAIM) == held, "held between vote and decision, it never moves"
    lot.commitments.hear(COMMITTED if outcome == "committed" else ABORTED)
    lot.promises.tick()
    decided = lot.ledger.book.claim(CLAIM).state
    assert decided is (ClaimState.FIRM if outcome == "committed" else ClaimState.RELEASED)
    stay = lot.ledger.stay(came.stay.id)
    assert stay is not None
    assert (stay.claim is None) == (outcome == "committed"), "a place that came free is the car's"
    at_risk = [told["claim"] for told in lot.events(EventKind.BOOKING_AT_RISK)]
    assert at_risk == ([CLAIM] if outcome == "committed" else [])
