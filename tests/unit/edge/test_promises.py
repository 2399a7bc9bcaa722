"""Promises in step with time: every open stay keeps a claim, and who never came is forgotten."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from edge.figures import EdgeFigures
from edge.observing import ReadingCounters
from parking.stays import Stay, StayState
from sync.events import EventKind
from tests.unit.edge.lot_at_work import LotAtWork, until


class NoLine:
    """A lot without a centre."""

    def refused(self) -> dict[str, int]:
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
