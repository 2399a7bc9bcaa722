"""Tickets and receipts: what they carry, and what is not taken for one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from edge.ticket_office import TicketOffice
from parking.ids import LotId
from parking.stays import StayState
from sync.keys import SigningKey
from tests.unit.edge.lot_at_work import SEED, LotAtWork, ticket_of


def office(lot: LotAtWork, *, seed: bytes = SEED, at: str | None = None) -> TicketOffice:
    where = lot.premises.lot if at is None else replace(lot.premises.lot, id=LotId(at))
    return TicketOffice(lot=where, key=SigningKey.from_seed(seed), epoch=7, clock=lot.premises.clock)


async def test_a_ticket_tells_its_stay_without_a_ledger(lot: LotAtWork) -> None:
    answered = await lot.come_in()
    read = office(lot).read(ticket_of(answered))
    assert read is not None
    assert answered.stay is not None
    told = read.stay
    assert (told.id, told.type, told.state) == (answered.stay.id, answered.stay.type, StayState.INSIDE)
    assert told.entered_at == lot.premises.clock.now()
    assert (told.tariff_version, told.factor_1e4) == ("t/1", 10_000)
    assert read.paid_until is None


async def test_a_receipt_tells_until_when_it_opens(lot: LotAtWork) -> None:
    ticket = ticket_of(await lot.come_in())
    lot.later(minutes=50)
    visit, _ = await lot.show(ticket)
    paid = await lot.pay(visit)
    assert paid.receipt is not None
    read = office(lot).read(paid.receipt.text)
    assert read is not None
    assert read.paid_until == lot.premises.clock.now() + timedelta(minutes=15)


async def test_what_is_not_ours_is_not_taken_and_counted_by_its_reason(lot: LotAtWork) -> None:
    ours = ticket_of(await lot.come_in())
    desk = office(lot)
    other_key = office(lot, seed=bytes(32))
    other_lot = office(lot, at="11111111-2222-4333-8444-555555555555")
    assert desk.read(ours[:-1]) is None
    assert desk.read("hello") is None
    assert other_key.read(ours) is None
    assert other_lot.read(ours) is None
    assert sum(desk.refused.values()) == 2
    assert other_key.refused == {"unknown_key": 1}
    assert sum(other_lot.refused.values()) == 1


async def test_a_reader_that_strips_spaces_breaks_a_ticket_and_ours_does_not(lot: LotAtWork) -> None:
    """Base45 holds spaces, at the end too: what was scanned is what is checked."""
    answered = await lot.come_in()
    text = ticket_of(answered)
    assert office(lot).read(text) is not None
    assert office(lot).read(text + " ") is None
