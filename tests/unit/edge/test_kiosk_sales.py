"""Places sold at the kiosk, line up or down: one place, one payment, one ticket with a window, whatever dies in between."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from edge.kiosk_orders import Order, Sold, Unsold
from edge.kiosk_sales import (
    AHEAD_OFFLINE,
    BEFORE_HELD,
    BEFORE_SETTLED,
    BEFORE_SOLD,
    HELD,
    SETTLED,
    SOLD,
)
from edge.lanes import LaneEvent
from edge.terminals import Outcome
from edge.visit import Answered, Presented
from parking.claims import ClaimState
from parking.decision import Reason, Refusal
from parking.interval import Interval
from parking.lot import SpotType
from parking.stays import StayState
from sync.events import EventKind
from sync.failpoints import Failpoints
from sync.keys import SigningKey
from sync.part import ParticipantState
from sync.passes import PassRefusal
from tests.unit.edge.lot_at_work import SEED, LotAtWork, tariff, until

HOUR = timedelta(hours=1)


def order(
    lot: LotAtWork,
    *,
    starts_in: timedelta = 2 * HOUR,
    length: timedelta = 2 * HOUR,
    spot_type: SpotType = SpotType.REGULAR,
) -> Order:
    starts_at = lot.premises.clock.now() + starts_in
    return Order(lane="exit-1", type=spot_type, window=Interval(starts_at, starts_at + length))


async def sold(lot: LotAtWork, wanted: Order | None = None) -> Sold:
    answer = await lot.sales.sell(wanted or order(lot))
    assert isinstance(answer, Sold)
    return answer


async def refused(lot: LotAtWork, wanted: Order) -> Reason:
    answer = await lot.sales.sell(wanted)
    assert isinstance(answer, Refusal)
    return answer.reason


def states(lot: LotAtWork) -> list[str]:
    return [row["payment"]["state"] for row in lot.events(EventKind.PAYMENT_CHANGED)]


async def test_a_place_sold_at_the_kiosk_is_held_before_the_money_and_firm_after_it(lot: LotAtWork) -> None:
    lot.terminal.thinks = asyncio.Event()
    selling = asyncio.create_task(lot.sales.sell(order(lot)))
    await until(lambda: lot.terminal.asked)
    (held,) = lot.ledger.book.claims()
    assert held.state is ClaimState.HELD
    assert states(lot) == ["pending"]
    assert lot.events(EventKind.BOOKING_SOLD) == []
    lot.terminal.thinks.set()
    booking = await selling
    assert isinstance(booking, Sold)
    firm = lot.ledger.book.claim(booking.claim)
    assert (firm.state, firm.holder_kind, firm.holder_id, str(firm.sold_by)) == (
        ClaimState.FIRM,
        "reservation",
        booking.reservation,
        "edge",
    )
    assert (booking.amount_minor, lot.terminal.charges) == (600, 1)
    (told,) = lot.events(EventKind.BOOKING_SOLD)
    assert (told["reservation"], told["claim"], told["amount_minor"]) == (
        booking.reservation,
        booking.claim,
        600,
    )
    (demand,) = lot.events(EventKind.DEMAND_MADE)
    assert (told["demand"], demand["demand"]["stay"]) == (demand["demand"]["id"], booking.reservation)


async def test_a_declined_card_gives_the_place_back(lot: LotAtWork) -> None:
    lot.terminal.decline = True
    answer = await lot.sales.sell(order(lot))
    assert isinstance(answer, Unsold)
    assert answer.outcome is Outcome.NOT_TAKEN
    assert lot.ledger.book.claims() == []
    assert states(lot) == ["pending", "failed"]
    assert lot.events(EventKind.BOOKING_SOLD) == []
    lot.terminal.decline = False
    await sold(lot)


@pytest.mark.parametrize("taken", [True, False])
async def test_a_power_cut_at_the_terminal_keeps_the_place_until_it_says_what_became_of_the_money(
    lot: LotAtWork, taken: bool
) -> None:
    lot.terminal.mute = True
    answer = await lot.sales.sell(order(lot))
    assert isinstance(answer, Unsold)
    assert answer.outcome is Outcome.UNKNOWN
    if not taken:
        lot.terminal.records = dict.fromkeys(lot.terminal.records)
    await lot.restart()
    assert await lot.sales.resolve_pending() == 1
    (held,) = lot.ledger.book.claims()
    assert held.state is ClaimState.HELD
    lot.terminal.mute = False
    assert await lot.sales.resolve_pending() == 0
    assert await lot.payments.resolve_pending() == 0
    assert [claim.state for claim in lot.ledger.book.claims()] == ([ClaimState.FIRM] if taken else [])
    assert len(lot.events(EventKind.BOOKING_SOLD)) == int(taken)
    assert lot.terminal.charges == int(taken)
    assert await lot.sales.resolve_pending() == 0


async def test_a_power_cut_before_the_terminal_heard_of_it_gives_the_place_back(lot: LotAtWork) -> None:
    lot.terminal.thinks = asyncio.Event()
    selling = asyncio.create_task(lot.sales.sell(order(lot)))
    await until(lambda: lot.terminal.asked)
    selling.cancel()
    await asyncio.gather(selling, return_exceptions=True)
    await lot.restart()
    assert [claim.state for claim in lot.ledger.book.claims()] == [ClaimState.HELD]
    assert await lot.sales.resolve_pending() == 0
    assert lot.ledger.book.claims() == []
    assert lot.terminal.charges == 0


async def test_the_last_place_is_sold_to_one_of_two_kiosks(lot: LotAtWork) -> None:
    await sold(lot)
    answers = await asyncio.gather(*(lot.sales.sell(order(lot)) for _ in range(4)))
    assert sum(isinstance(answer, Sold) for answer in answers) == 1
    assert sum(answer == Refusal(reason=Reason.FULL) for answer in answers) == 3
    assert lot.sales.outcomes == {"sold": 2, "full": 3}
    assert lot.terminal.charges == 2


async def test_what_costs_nothing_is_sold_in_one_change(lot: LotAtWork) -> None:
    lot.prices.add(tariff(2, free_min=240, after_free="charged_from_entry"))
    before = lot.ledger.counters.changes
    booking = await sold(lot)
    assert lot.ledger.counters.changes == before + 1
    assert (booking.amount_minor, booking.payment, lot.terminal.asked) == (0, None, [])
    assert lot.ledger.book.claim(booking.claim).state is ClaimState.FIRM


async def test_without_a_line_a_booking_reaches_a_day_ahead_and_no_further(lot: LotAtWork) -> None:
    far = order(lot, starts_in=AHEAD_OFFLINE + HOUR)
    assert await refused(lot, far) is Reason.TOO_FAR_AHEAD
    lot.sales.line_is_up = lambda: True
    await sold(lot, far)


async def test_what_cannot_be_sold_is_refused_by_name_and_changes_nothing(lot: LotAtWork) -> None:
    before = lot.ledger.last_seq
    assert await refused(lot, order(lot, length=25 * HOUR)) is Reason.TOO_LONG
    assert await refused(lot, order(lot, starts_in=-1 * HOUR)) is Reason.TIME_OVER
    assert await refused(lot, order(lot, spot_type=SpotType.DISABLED)) is Reason.TYPE_NOT_HERE
    assert lot.ledger.last_seq == before
    await lot.ledger.fence("an old image")
    assert await refused(lot, order(lot)) is Reason.FENCED


async def test_a_disk_that_takes_nothing_sells_nothing_and_asks_nobody_for_money(lot: LotAtWork) -> None:
    lot.disk.fill()
    assert await refused(lot, order(lot)) is Reason.NOT_STORING
    assert lot.terminal.asked == []
    lot.disk.free()
    assert lot.ledger.book.claims() == []
    await sold(lot)


async def test_out_of_its_own_places_the_lot_asks_the_centre(lot: LotAtWork) -> None:
    asked: list[SpotType] = []

    async def ask(spot_type: SpotType) -> bool:
        asked.append(spot_type)
        return False

    lot.sales.ask_for_places, lot.sales.line_is_up = ask, lambda: True
    await sold(lot)
    await sold(lot)
    assert asked == []
    assert await refused(lot, order(lot)) is Reason.FULL
    assert asked == [SpotType.REGULAR]


async def come_with(lot: LotAtWork, text: str) -> Answered:
    _, answered = await lot.come(Presented.code(text))
    return answered


async def test_the_ticket_of_a_booking_opens_in_its_window_also_after_a_power_cut(lot: LotAtWork) -> None:
    booking = await sold(lot)
    assert (await come_with(lot, booking.ticket.text)).reason is Reason.PASS_WRONG_WINDOW
    await lot.restart()
    lot.later(hours=2)
    visit, answered = await lot.come(Presented.code(booking.ticket.text))
    assert (answered.event, answered.stay and answered.stay.claim) == (LaneEvent.GRANTED, booking.claim)
    lot.entering.passed(visit)
    assert (await come_with(lot, booking.ticket.text)).reason is Reason.PASS_USED
    out, left = await lot.show(booking.ticket.text)
    assert (left.event, left.reason) == (LaneEvent.GRANTED, Reason.PREPAID)
    lot.leaving.passed(out)
    assert lot.ledger.book.claims() == []


async def test_who_stays_past_a_booking_of_the_kiosk_owes_from_its_end(lot: LotAtWork) -> None:
    booking = await sold(lot)
    lot.later(hours=2)
    await lot.come_in(Presented.code(booking.ticket.text))
    lot.later(hours=3)
    _, answered = await lot.show(booking.ticket.text)
    assert answered.demand is not None
    assert answered.demand.amount_minor == 300


async def test_a_booking_signed_with_our_key_that_this_ledger_never_sold_is_none(lot: LotAtWork) -> None:
    forged = lot.office.issue_booking(
        "00000000-0000-0000-0000-00000000beef",
        SpotType.REGULAR,
        order(lot, starts_in=timedelta(0)).window,
        tariff_version="t/1",
        amount_minor=600,
        currency="GBP",
    )
    assert (await come_with(lot, forged.text)).reason is Reason.CREDENTIAL_UNKNOWN
    assert lot.bookings.refused == {PassRefusal.NOT_A_PASS.value: 1}


async def test_a_replaced_gateway_admits_on_a_booking_of_the_lost_card(lot: LotAtWork) -> None:
    booking = await sold(lot)
    await lot.new_card()
    lot.later(hours=2)
    answered = await come_with(lot, booking.ticket.text)
    assert answered.event is LaneEvent.GRANTED
    assert answered.stay is not None
    assert answered.stay.state is StayState.ADMITTED
    (part,) = lot.ledger.parts()
    assert (part.id.reservation, part.state) == (booking.reservation, ParticipantState.COMM)


async def test_a_booking_of_another_lots_kiosk_is_no_booking_here(lot: LotAtWork) -> None:
    booking = await sold(lot)
    lot.bookings._own = ()
    lot.bookings.trust([])
    lot.later(hours=2)
    assert (await come_with(lot, booking.ticket.text)).reason is Reason.PASS_UNKNOWN_KEY
    assert SigningKey.from_seed(SEED).public == lot.office.own_key.public


class PowerCutError(Exception):
    """The power goes here."""


def cut() -> None:
    raise PowerCutError


@pytest.mark.parametrize(
    ("label", "sold_after"), [(BEFORE_HELD, 0), (HELD, 0), (BEFORE_SETTLED, 1), (SETTLED, 1)]
)
async def test_a_power_cut_at_any_step_leaves_a_booking_and_its_money_or_neither(
    lot: LotAtWork, label: str, sold_after: int
) -> None:
    lot.sales.failpoints = Failpoints(armed=label, strike=cut)
    with pytest.raises(PowerCutError):
        await lot.sales.sell(order(lot))
    await lot.restart()
    assert await lot.sales.resolve_pending() == 0
    firm = [claim for claim in lot.ledger.book.claims() if claim.state is ClaimState.FIRM]
    assert len(firm) == len(lot.ledger.book.claims()) == lot.terminal.charges == sold_after
    assert len(lot.events(EventKind.BOOKING_SOLD)) == sold_after
    assert lot.ledger.pending_payments() == []


@pytest.mark.parametrize("label", [BEFORE_SETTLED, SETTLED])
async def test_a_power_cut_on_either_side_of_a_declined_cards_record_gives_the_place_back_once(
    lot: LotAtWork, label: str
) -> None:
    lot.terminal.decline = True
    lot.sales.failpoints = Failpoints(armed=label, strike=cut)
    with pytest.raises(PowerCutError):
        await lot.sales.sell(order(lot))
    await lot.restart()
    assert await lot.sales.resolve_pending() == 0
    assert [claim for claim in lot.ledger.book.claims() if claim.binds] == []
    assert (lot.terminal.charges, lot.events(EventKind.BOOKING_SOLD)) == (0, [])
    assert states(lot) == ["pending", "failed"]


@pytest.mark.parametrize(("label", "sold_after"), [(BEFORE_SOLD, 0), (SOLD, 1)])
async def test_a_power_cut_on_either_side_of_a_sale_for_nothing_leaves_a_booking_or_none(
    lot: LotAtWork, label: str, sold_after: int
) -> None:
    lot.prices.add(tariff(2, free_min=240, after_free="charged_from_entry"))
    lot.sales.failpoints = Failpoints(armed=label, strike=cut)
    with pytest.raises(PowerCutError):
        await lot.sales.sell(order(lot))
    await lot.restart()
    assert [claim.state for claim in lot.ledger.book.claims()] == [ClaimState.FIRM] * sold_after
    assert len(lot.events(EventKind.BOOKING_SOLD)) == sold_after
