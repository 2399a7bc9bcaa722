"""A booking whose window was changed at the centre: the lot gives up what lies outside, and keeps who is inside."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from edge.change import StoredDocument
from parking.claims import ClaimState
from parking.decision import Reason
from parking.ids import ClaimId
from parking.interval import Interval
from sync.commit_documents import CHANGE, change_body, change_from
from sync.errors import MalformedFrame
from sync.instants import to_us
from sync.part import ParticipantState
from sync.participant_news import Changed
from sync.transaction import TransactionId
from tests.unit.edge.lot_at_work import LotAtWork
from tests.unit.edge.test_bookings import (
    CLAIM,
    COMMITTED,
    ID,
    RESERVATION,
    come_with,
    opened,
    pass_of,
    prepare,
    starts_at,
    state,
)

SECOND = TransactionId(reservation=RESERVATION, revision=2)
STORED = StoredDocument(n=1, kind=CHANGE, body=b"")


async def booked(lot: LotAtWork) -> None:
    await opened(lot)
    lot.commitments.hear(prepare(lot))
    lot.commitments.hear(COMMITTED)


async def test_a_shortened_booking_gives_up_what_lies_outside_and_keeps_that_over_a_restart(
    lot: LotAtWork,
) -> None:
    await booked(lot)
    window = Interval(starts_at(lot), starts_at(lot) + timedelta(hours=1))
    lot.commitments.hear(replace(COMMITTED, revision=2))
    await lot.commitments.document(Changed(id=SECOND, window=window), STORED)
    await lot.restart()
    assert lot.ledger.document_n == 1
    assert lot.ledger.book.claim(CLAIM).window == window
    assert lot.commitments.booked_until(RESERVATION) == window.ends_at
    assert lot.commitments.newest_revision(RESERVATION) == 2


async def test_a_booking_that_moved_to_another_time_frees_its_first_place(lot: LotAtWork) -> None:
    await booked(lot)
    later = starts_at(lot) + timedelta(hours=5)
    second = replace(
        prepare(lot, claim=ClaimId("00000000-0000-0000-0000-00000000000a")),
        revision=2,
        starts_us=to_us(later),
        ends_us=to_us(later + timedelta(hours=2)),
    )
    lot.commitments.hear(second)
    lot.commitments.hear(replace(COMMITTED, revision=2))
    window = Interval(later, later + timedelta(hours=2))
    await lot.commitments.document(Changed(id=SECOND, window=window), STORED)
    assert lot.ledger.book.claim(CLAIM).state is ClaimState.RELEASED
    assert state(lot) is ParticipantState.CANC
    assert lot.commitments.booked_until(RESERVATION) == window.ends_at


async def test_who_is_inside_keeps_the_place_whatever_was_shortened_from_afar(lot: LotAtWork) -> None:
    await booked(lot)
    visit, _ = await come_with(lot, pass_of(lot))
    lot.entering.passed(visit)
    known = lot.ledger.book.claim(CLAIM)
    window = Interval(starts_at(lot), starts_at(lot) + timedelta(minutes=5))
    await lot.commitments.document(Changed(id=SECOND, window=window), STORED)
    assert lot.ledger.book.claim(CLAIM).window == known.window
    assert next(part for part in lot.ledger.parts() if part.id == ID).window == window


async def test_a_change_of_what_was_never_heard_of_keeps_its_number_and_nothing_else(lot: LotAtWork) -> None:
    await opened(lot)
    window = Interval(starts_at(lot), starts_at(lot) + timedelta(hours=1))
    await lot.commitments.document(Changed(id=SECOND, window=window), STORED)
    assert (lot.ledger.document_n, list(lot.ledger.parts())) == (1, [])


def test_a_change_is_read_as_it_was_written_and_an_empty_window_is_refused(lot: LotAtWork) -> None:
    at = starts_at(lot)
    read = change_from(change_body(SECOND, at, at + timedelta(hours=1)))
    assert read == Changed(id=SECOND, window=Interval(at, at + timedelta(hours=1)))
    with pytest.raises(MalformedFrame, match="not after"):
        change_from(change_body(SECOND, at, at))


async def test_the_pass_of_an_older_revision_does_not_admit_in_time_that_was_given_up(lot: LotAtWork) -> None:
    await booked(lot)
    old = pass_of(lot)
    lot.commitments.hear(replace(COMMITTED, revision=2))
    window = Interval(starts_at(lot), starts_at(lot) + timedelta(hours=1))
    await lot.commitments.document(Changed(id=SECOND, window=window), STORED)
    lot.later(hours=1.5)
    _, refused = await come_with(lot, old)
    assert refused.reason is Reason.PASS_WRONG_WINDOW
    lot.later(hours=-1.5)
    _, admitted = await come_with(lot, old)
    assert admitted.reason is Reason.GRANTED


async def test_an_extended_booking_admits_in_its_first_window_goes_on_in_the_next_and_leaves_both_free(
    lot: LotAtWork,
) -> None:
    await booked(lot)
    added = ClaimId("00000000-0000-0000-0000-00000000000a")
    ends_at = starts_at(lot) + timedelta(hours=2)
    second = replace(
        prepare(lot, claim=added),
        revision=2,
        starts_us=to_us(ends_at),
        ends_us=to_us(ends_at + timedelta(hours=1)),
    )
    lot.commitments.hear(second)
    lot.commitments.hear(replace(COMMITTED, revision=2))
    newest = pass_of(lot, until=ends_at + timedelta(hours=1), revision=2)
    visit, admitted = await come_with(lot, newest)
    assert (admitted.reason, admitted.stay and admitted.stay.claim) == (Reason.GRANTED, CLAIM)
    lot.entering.passed(visit)
    lot.later(hours=2, minutes=1)
    lot.promises.tick()
    (stay,) = lot.ledger.open_stays()
    assert (stay.claim, lot.bookings.covers_until(stay)) == (added, ends_at + timedelta(hours=1))
    leaving, answered = await lot.show(newest)
    assert answered.reason is Reason.PREPAID
    lot.leaving.passed(leaving)
    assert lot.ledger.book.claims_of_reservation(RESERVATION) == []
