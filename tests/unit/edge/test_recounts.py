"""A person counted the cars: the ledger follows in one durable change, and the cars drive out as they would have."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from edge.lanes import LaneEvent
from edge.recounts import NotStoring, Recounted, Recounts
from edge.suspects import Suspects, word_of
from parking.claims import ClaimState
from parking.decision import Reason
from parking.liars import Lie
from parking.lot import SpotType
from parking.recount import Miscount, MiscountFound
from parking.stays import StayState
from sync.events import EventKind
from tests.unit.edge.lot_at_work import LotAtWork, ticket_of

WHO: dict[str, Any] = {"by": "Anna", "reason": "night walk"}


def recounts_of(lot: LotAtWork) -> Recounts:
    return Recounts(
        ledger=lot.ledger,
        prices=lot.prices,
        suspects=Suspects(lot.ledger, clock=lot.premises.clock),
        clock=lot.premises.clock,
        new_id=lot.new_id,
    )


async def test_a_car_that_left_unseen_is_closed_its_place_is_sold_again_and_the_count_is_on_record(
    lot: LotAtWork,
) -> None:
    gone = await lot.come_in()
    lot.later(minutes=30)
    await lot.come_in()
    assert lot.ledger.counts()[SpotType.REGULAR].count == 0
    recounts = recounts_of(lot)

    done = await recounts.recount({SpotType.REGULAR: 1}, **WHO)

    assert isinstance(done, Recounted)
    assert done.durable
    assert gone.stay is not None
    closed = lot.ledger.stay(gone.stay.id)
    assert closed is not None
    assert (closed.state, closed.left_at) == (StayState.LEFT, lot.premises.clock.at)
    assert lot.ledger.counts()[SpotType.REGULAR].count == 1
    (told,) = lot.events(EventKind.RECOUNT)
    assert {name: told[name] for name in ("by", "reason", "before", "counted", "closed", "opened")} == {
        **WHO,
        "before": {"regular": 2},
        "counted": {"regular": 1},
        "closed": 1,
        "opened": 0,
    }
    assert len(lot.events(EventKind.STAY_LEFT)) == 1
    assert recounts.done == {"recounts": 1, "closed": 1, "opened": 0}
    await lot.restart()
    assert len(lot.ledger.open_stays()) == 1


async def test_who_was_closed_and_is_there_after_all_drives_out_as_one_that_left_before(
    lot: LotAtWork,
) -> None:
    ticket = ticket_of(await lot.come_in())
    await recounts_of(lot).recount({SpotType.REGULAR: 0}, **WHO)
    lot.later(hours=2)
    visit, answered = await lot.show(ticket)
    assert answered.event is LaneEvent.GRANTED
    assert answered.reason is Reason.ALREADY_LEFT
    lot.leaving.passed(visit)
    assert lot.ledger.open_stays() == []


async def test_who_was_asked_for_money_since_is_closed_after_who_was_not(lot: LotAtWork) -> None:
    ticket = ticket_of(await lot.come_in())
    lot.later(minutes=30)
    silent = await lot.come_in()
    lot.later(hours=1)
    await lot.show(ticket)
    await recounts_of(lot).recount({SpotType.REGULAR: 1}, **WHO)
    assert silent.stay is not None
    (inside,) = lot.ledger.open_stays()
    assert inside.id != silent.stay.id


async def test_cars_that_came_in_unseen_have_stays_and_places_and_over_the_count_where_there_is_none(
    lot: LotAtWork,
) -> None:
    done = await recounts_of(lot).recount({SpotType.REGULAR: 3, SpotType.EV: 1}, **WHO)
    assert isinstance(done, Recounted)
    assert sorted((str(stay.type), stay.over_count) for stay in lot.ledger.open_stays()) == [
        ("ev", False),
        ("regular", False),
        ("regular", False),
        ("regular", True),
    ]
    assert len(lot.events(EventKind.STAY_ENTERED)) == 4
    assert lot.ledger.counts()[SpotType.REGULAR].count == 0
    lot.promises.tick()
    await recounts_of(lot).recount({SpotType.REGULAR: 0, SpotType.EV: 0}, **WHO)
    assert lot.ledger.open_stays() == []
    assert {claim.state for claim in lot.ledger.book.claims()} <= {ClaimState.RELEASED}


async def test_a_count_that_cannot_be_and_a_disk_that_takes_nothing_change_nothing(lot: LotAtWork) -> None:
    await lot.come_in()
    recounts = recounts_of(lot)
    seq = lot.ledger.last_seq
    wrong = await recounts.recount({SpotType.REGULAR: 5}, **WHO)
    assert isinstance(wrong, MiscountFound)
    assert (wrong.problem, wrong.most) == (Miscount.TOO_MANY, 4)
    lot.disk.fill()
    lot.ledger.line_lost()
    assert lot.ledger.unwritable is not None
    assert await recounts.recount({SpotType.REGULAR: 0}, **WHO) is NotStoring.NOT_STORING
    lot.disk.free()
    assert lot.ledger.last_seq == seq
    assert len(lot.ledger.open_stays()) == 1


async def test_a_disk_that_fills_up_in_that_moment_is_said_and_the_count_is_written_later(
    lot: LotAtWork,
) -> None:
    await lot.come_in()
    recounts = recounts_of(lot)
    lot.disk.fill()
    done = await recounts.recount({SpotType.REGULAR: 0}, **WHO)
    assert isinstance(done, Recounted)
    assert not done.durable
    lot.disk.free()
    await lot.ledger.durable()
    await lot.restart()
    assert lot.ledger.open_stays() == []


async def test_what_was_held_against_a_sensor_is_void_after_a_recount(lot: LotAtWork) -> None:
    recounts = recounts_of(lot)
    spot = lot.premises.lot.spots[0].id
    for number in range(8):
        now = lot.later(seconds=20)
        occupied = number % 2 == 0
        word = word_of("eui-1", spot, occupied=occupied, occurred_at=now, received_at=now)
        recounts.suspects.hear(word)
    assert recounts.suspects.doubts()[Lie.FLAPPING] == 1
    await recounts.recount({SpotType.REGULAR: 0}, **WHO)
    assert not any(recounts.suspects.doubts().values())
    assert not recounts.suspects.faults()
    (told,) = lot.events(EventKind.SENSORS_DOUBTED)
    assert [(row["source"], row["lies"]) for row in told["sensors"]] == [("eui-1", [])]


async def test_who_was_let_in_and_has_not_passed_yet_is_left_alone(lot: LotAtWork) -> None:
    premises = lot.premises
    change, stay, claim = premises.admit(lot.ledger)
    lot.ledger.commit(change)
    lot.later(minutes=1)
    await recounts_of(lot).recount({SpotType.REGULAR: 0}, **WHO)
    assert lot.ledger.stay(stay.id) == stay
    assert lot.ledger.book.claim(claim.id) == claim
    assert premises.clock.at - stay.admitted_at == timedelta(minutes=1)
