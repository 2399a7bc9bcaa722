"""Promises in step with time: every open stay keeps a claim, and who never came is forgotten."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from edge.change import Change
from edge.figures import EdgeFigures
from edge.observing import ReadingCounters
from edge.owners import Owners
from edge.visit import Presented
from parking.book import ClaimRequest, Sale
from parking.claims import Claim, ClaimKind, ClaimState
from parking.ids import ClaimId
from parking.interval import Interval
from parking.lot import SpotType
from parking.stays import Stay, StayState
from sync.events import EventKind
from sync.failpoints import Failpoints
from tests.unit.edge.lot_at_work import LotAtWork, ticket_of, until
from tests.unit.edge.test_bookings import pass_of


class NoLine:
    """A lot without a centre."""

    def refused(self) -> dict[str, int]:
        return {}

    def gate_commands(self) -> dict[str, int]:
        return {}


def only_stay(lot: LotAtWork) -> Stay:
    (stay,) = lot.ledger.open_stays()
    return stay


async def test_five_real_minutes_without_passage_void_a_stay_and_free_its_place(lot: LotAtWork) -> None:
    _, answered = await lot.come()
    lot.promises.tick()
    lot.later(minutes=4, seconds=59)
    lot.promises.tick()
    assert only_stay(lot).state is StayState.ADMITTED
    lot.later(seconds=1)
    lot.promises.tick()
    assert answered.stay is not None
    voided = lot.ledger.stay(answered.stay.id)
    assert voided is not None
    assert voided.state is StayState.VOID
    assert lot.ledger.book.claims() == []


async def test_the_five_minutes_begin_anew_when_the_agent_starts(lot: LotAtWork) -> None:
    await lot.come()
    lot.promises.tick()
    lot.later(minutes=4)
    await lot.restart()
    lot.promises.tick()
    lot.later(minutes=4)
    lot.promises.tick()
    assert only_stay(lot).state is StayState.ADMITTED


async def test_who_is_inside_is_never_voided(lot: LotAtWork) -> None:
    await lot.come_in()
    lot.promises.tick()
    lot.later(minutes=30)
    lot.promises.tick()
    assert only_stay(lot).state is StayState.INSIDE


async def test_every_open_stay_keeps_a_claim_whose_end_is_half_an_hour_away(lot: LotAtWork) -> None:
    await lot.come_in()
    await lot.come_in()
    for _ in range(40):
        lot.later(minutes=29)
        lot.promises.tick()
        for stay in lot.ledger.open_stays():
            assert stay.claim is not None
            ends_at = lot.ledger.book.claim(stay.claim).window.ends_at
            assert ends_at is not None
            assert ends_at - lot.premises.clock.now() >= timedelta(minutes=30)


async def test_what_was_extended_is_there_after_a_power_cut(lot: LotAtWork) -> None:
    await lot.come_in()
    lot.later(hours=9)
    lot.promises.tick()
    before = lot.ledger.book.claims()
    await lot.restart()
    assert lot.ledger.book.claims() == before


async def test_a_stay_without_a_claim_is_counted_and_gets_one_as_soon_as_there_is_a_place(
    lot: LotAtWork,
) -> None:
    """A car whose stay the lost ledger had, in a lot that the new one has filled since."""
    first = await lot.come_in()
    assert first.stay is not None
    await lot.new_card()
    for _ in range(2):
        await lot.come_in()
    lot.later(minutes=50)
    await lot.show(lot.office.issue_ticket(first.stay).text)
    lot.promises.tick()
    assert over_count(lot) == 1.0
    leaving = next(stay for stay in lot.ledger.open_stays() if stay.id != first.stay.id)
    visit, _ = await lot.show(lot.office.issue_ticket(leaving).text)
    lot.leaving.passed(visit)
    lot.promises.tick()
    assert over_count(lot) == 0.0
    assert all(stay.claim is not None for stay in lot.ledger.open_stays())


def over_count(lot: LotAtWork) -> float:
    figures = EdgeFigures(
        ledger=lot.ledger,
        readings=ReadingCounters(),
        lane_log=lot.log,
        office=lot.office,
        line=NoLine(),
        commitments=lot.commitments,
        bookings=lot.bookings,
        owners=Owners(
            lot.ledger,
            clock=lot.premises.clock,
            new_id=lambda: "t",
            failpoints=Failpoints(),
        ),
    )
    (family,) = (one for one in figures.collect() if one.name == "lotgate_edge_over_count")
    return float(family.samples[0].value)


async def test_the_upkeep_wakes_by_itself_when_something_changes(lot: LotAtWork) -> None:
    running = asyncio.create_task(lot.promises.run())
    try:
        await asyncio.sleep(0)
        await lot.come()
        await asyncio.sleep(0.01)
        lot.later(minutes=5)
        await lot.come()
        await until(lambda: len(lot.events(EventKind.STAY_VOIDED)) == 1)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_after_a_power_cut_under_the_arm_five_more_minutes_without_passage_void_the_stay(
    lot: LotAtWork,
) -> None:
    _, answered = await lot.come()
    await lot.restart()
    lot.promises.tick()
    lot.later(minutes=5)
    lot.promises.tick()
    assert lot.ledger.open_stays() == []
    assert lot.ledger.book.claims() == []
    (voided,) = lot.events(EventKind.STAY_VOIDED)
    assert answered.stay is not None
    assert voided["stay"]["id"] == answered.stay.id


async def test_a_car_that_died_under_the_arm_and_drove_in_is_admitted_until_its_ticket_is_shown(
    lot: LotAtWork,
) -> None:
    _, answered = await lot.come()
    await lot.restart()
    lot.promises.tick()
    lot.later(minutes=2)
    lot.promises.tick()
    visit, out = await lot.show(ticket_of(answered))
    assert out.stay is not None
    assert out.stay.state is StayState.ADMITTED
    lot.leaving.passed(visit)
    assert lot.ledger.open_stays() == []


async def book_for_later(lot: LotAtWork, name: str, *, starts_in: timedelta) -> Claim:
    """A booking that the centre's decision has made firm."""
    now = lot.premises.clock.now()
    asked = ClaimRequest(
        id=ClaimId(name),
        type=SpotType.REGULAR,
        window=Interval(now + starts_in, now + starts_in + timedelta(hours=2)),
        kind=ClaimKind.BOOKING,
        holder_kind="reservation",
        holder_id=f"of {name}",
        epoch=lot.ledger.epoch,
    )
    sale = lot.ledger.book.sell(asked, now=now)
    assert isinstance(sale, Sale)
    await lot.ledger.commit(Change.record(at=now, claims=sale.claims), urgent=True)
    return sale.claim


async def test_a_booking_met_by_a_car_that_stays_goes_elsewhere_and_the_log_says_why(lot: LotAtWork) -> None:
    first = await lot.come_in()
    met = await book_for_later(lot, "met", starts_in=timedelta(hours=4, minutes=15))
    assert first.stay is not None
    assert first.stay.claim is not None
    assert met.spot == lot.ledger.book.claim(first.stay.claim).spot
    lot.later(hours=3, minutes=50)
    lot.promises.tick()
    moved = lot.ledger.book.claim(met.id)
    assert moved.spot != met.spot
    (told,) = lot.events(EventKind.BOOKING_REHOMED)
    assert (told["reservation"], told["claim"], told["from_spot"], told["to_spot"]) == (
        "of met",
        met.id,
        met.spot,
        moved.spot,
    )
    assert (told["stay"], told["why"]) == (first.stay.id, "overstay")
    assert lot.events(EventKind.BOOKING_AT_RISK) == []


async def test_a_booking_that_nothing_can_be_found_for_is_told_to_be_at_risk_once(lot: LotAtWork) -> None:
    for _ in range(2):
        await lot.come_in()
    met = [
        await book_for_later(lot, name, starts_in=timedelta(hours=4, minutes=15)) for name in ("one", "two")
    ]
    lot.later(hours=3, minutes=50)
    lot.promises.tick()
    await lot.restart()
    for _ in range(3):
        lot.promises.tick()
        lot.later(minutes=10)
    told = lot.events(EventKind.BOOKING_AT_RISK)
    assert [(row["claim"], row["reason"]) for row in told] == [(claim.id, "overstay") for claim in met]
    assert all(stay.claim is None and stay.over_count for stay in lot.ledger.open_stays())
    assert over_count(lot) == 2.0
    assert all(lot.ledger.book.claim(claim.id).state is ClaimState.FIRM for claim in met)


async def test_half_an_hour_before_its_start_a_booking_is_looked_at_once_more(lot: LotAtWork) -> None:
    """A car came in over the count after the booking was made."""
    await lot.come_in()
    met = await book_for_later(lot, "met", starts_in=timedelta(minutes=45))
    await lot.come_in(Presented.code(pass_of(lot)))
    lot.promises.tick()
    assert lot.events(EventKind.BOOKING_AT_RISK) == []
    lot.later(minutes=16)
    lot.promises.tick()
    lot.promises.tick()
    (told,) = lot.events(EventKind.BOOKING_AT_RISK)
    assert (told["claim"], told["reason"]) == (met.id, "over_count")
