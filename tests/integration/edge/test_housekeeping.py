"""The disk is bounded, and what is money or promise never goes (complaints rows 21 and 28)."""

from __future__ import annotations

from datetime import timedelta

from edge.change import Change, PlateOfStay, ReadingKey, SpotState, fact
from edge.housekeeping import LOG_KEPT, Housekeeping
from edge.ledger import Ledger
from edge.store.opening import Witness, read_witness
from parking.claims import ClaimState
from parking.stays import StayEvent
from sync.chain import verify
from sync.events import EventKind
from sync.instants import to_us
from tests.integration.edge.conftest import Premises


def keeper(premises: Premises, ledger: Ledger, max_bytes: int = 1 << 30) -> Housekeeping:
    return Housekeeping(ledger, premises.store, clock=premises.clock, max_bytes=max_bytes)


async def a_visit(premises: Premises, ledger: Ledger) -> None:
    """A car comes and goes."""
    change, stay, claim = premises.admit(ledger)
    await ledger.commit(change)
    now = premises.clock.now()
    gone = Change.record(
        at=now, claims=(claim.moved_to(ClaimState.RELEASED),), stays=(stay.after(StayEvent.LEFT, now),)
    )
    await ledger.commit(gone)


async def talk(premises: Premises, ledger: Ledger, facts: int) -> None:
    at_us = to_us(premises.clock.now())
    told = tuple(fact(EventKind.OVERRIDE, at_us, lane="x", reason="r" * 400) for _ in range(facts))
    await ledger.commit(Change(events=told))


async def everything_acknowledged(ledger: Ledger) -> None:
    await ledger.acknowledge(ledger.last_seq, ledger.last_hash)


async def test_rows_go_fourteen_days_after_their_acknowledgement_and_not_before(
    premises: Premises, ledger: Ledger
) -> None:
    await a_visit(premises, ledger)
    await everything_acknowledged(ledger)
    last = ledger.last_seq
    house = keeper(premises, ledger)
    premises.clock.at += LOG_KEPT - timedelta(hours=1)
    await house.step()
    assert ledger.log_page(0, 1)[0].seq == 1
    premises.clock.at += timedelta(hours=3)
    await talk(premises, ledger, 1)
    await house.step()
    assert ledger.log_page(0, 1)[0].seq == last + 1


async def test_closed_stays_and_released_claims_go_with_the_rows_that_told_them_and_open_ones_stay(
    premises: Premises, ledger: Ledger
) -> None:
    await a_visit(premises, ledger)
    change, open_stay, claim = premises.admit(ledger)
    await ledger.commit(change)
    await everything_acknowledged(ledger)
    premises.clock.at += LOG_KEPT + timedelta(hours=2)
    await keeper(premises, ledger).step()
    counted = premises.store.rows("count_rows")[0]
    assert (counted["claims"], counted["open_stays"]) == (1, 1)
    assert ledger.log_page(0, 100) == ()
    await ledger.close()
    again = premises.start()
    assert [stay.id for stay in again.open_stays()] == [open_stay.id]
    assert [kept.id for kept in again.book.claims()] == [claim.id]
    assert again.losses == ()
    assert premises.store.rows("read_stays", closed_since_us=0)[0]["id"] == open_stay.id


async def test_what_is_not_acknowledged_never_goes(premises: Premises, ledger: Ledger) -> None:
    await talk(premises, ledger, 50)
    premises.clock.at += timedelta(days=400)
    await keeper(premises, ledger).step()
    assert len(ledger.log_page(0, 100)) == 51


async def test_at_the_size_limit_the_sale_stops_nothing_is_dropped_and_it_resumes_by_itself(
    premises: Premises, ledger: Ledger
) -> None:
    house = keeper(premises, ledger, max_bytes=1_000_000)
    while ledger.degraded is None:
        await talk(premises, ledger, 100)
        await house.step()
    assert "of at most 1000000" in ledger.degraded
    assert not ledger.may_sell
    rows = ledger.log_page(0, 10_000)
    assert [row.seq for row in rows] == list(range(1, ledger.last_seq + 1))

    state = SpotState(
        spot=premises.lot.spots[0].id,
        writer="edge:1",
        n=1,
        state="occupied",
        source="s",
        occurred_at=premises.clock.now(),
    )
    await ledger.commit(Change(spot_states=(state,)))  # sensors are taken all the while
    change, stay, _ = premises.admit(ledger)
    await ledger.commit(change)  # and so is whatever happens at a gate

    await everything_acknowledged(ledger)
    await house.step()
    assert ledger.degraded is not None  # acknowledged, and kept for 14 days
    premises.clock.at += LOG_KEPT + timedelta(hours=2)
    while await house.step():
        pass
    await house.step()
    assert ledger.degraded is None
    assert ledger.may_sell
    assert ledger.open_stay(stay.credential) == stay
    size = premises.path.stat().st_size
    await talk(premises, ledger, 100)
    assert premises.path.stat().st_size <= size + 200_000


async def test_telemetry_never_grows_beyond_one_row_a_spot(premises: Premises, ledger: Ledger) -> None:
    house = keeper(premises, ledger)
    spots = premises.lot.spots
    used = 0
    for n in range(1, 2_001):
        spot = spots[n % len(spots)].id
        state = SpotState(
            spot=spot, writer="edge:1", n=n, state="free", source="s", occurred_at=premises.clock.now()
        )
        ledger.commit(Change(spot_states=(state,)))
        if n == 200:
            used = premises.store.used_bytes()
    await house.step()
    assert len(premises.store.rows("read_spot_states")) == len(spots)
    assert premises.store.used_bytes() <= used


async def test_only_the_newest_reading_keys_are_kept(premises: Premises, ledger: Ledger) -> None:
    keys = tuple(ReadingKey(source="s", key=str(number)) for number in range(25_000))
    await ledger.commit(Change(reading_keys=keys))
    await keeper(premises, ledger).step()
    kept = [row["key"] for row in premises.store.rows("read_reading_keys")]
    assert (len(kept), kept[-1]) == (20_000, "24999")


async def test_plates_go_two_days_after_their_stay(premises: Premises, ledger: Ledger) -> None:
    change, stay, claim = premises.admit(ledger)
    plates = (PlateOfStay(stay=stay.id, plate="BX19 KLM"),)
    await ledger.commit(Change(claims=change.claims, stays=change.stays, events=change.events, plates=plates))
    premises.clock.at += timedelta(days=5)
    await keeper(premises, ledger).step()
    assert ledger.plate(stay.id) == "BX19 KLM"  # the car is still here
    now = premises.clock.now()
    gone = Change.record(
        at=now, claims=(claim.moved_to(ClaimState.RELEASED),), stays=(stay.after(StayEvent.LEFT, now),)
    )
    await ledger.commit(gone)
    premises.clock.at += timedelta(days=2, seconds=1)
    await keeper(premises, ledger).step()
    assert ledger.plate(stay.id) is None


async def test_a_lot_without_a_centre_keeps_its_log_for_itself_and_drops_it_after_fourteen_days(
    premises: Premises,
) -> None:
    premises.gateway, premises.epoch = "", 0
    ledger = premises.start()
    house = keeper(premises, ledger)
    await talk(premises, ledger, 20)
    await house.step()
    assert ledger.backlog == 0
    premises.clock.at += LOG_KEPT + timedelta(hours=2)
    await house.step()
    assert ledger.log_page(0, 100) == ()


async def test_the_chain_goes_on_over_what_was_dropped(premises: Premises, ledger: Ledger) -> None:
    await talk(premises, ledger, 5)
    await everything_acknowledged(ledger)
    seam = ledger.last_hash
    premises.clock.at += LOG_KEPT + timedelta(hours=2)
    await keeper(premises, ledger).step()
    await ledger.close()
    again = premises.start()
    assert again.losses == ()
    assert verify(seam, again.log_page(0, 100)) == again.last_hash
    assert again.hash_at(again.acknowledged_seq) == seam


async def test_the_witness_remembers_only_what_is_durable(premises: Premises, ledger: Ledger) -> None:
    await talk(premises, ledger, 3)
    await keeper(premises, ledger).step()
    assert read_witness(premises.path) == Witness(epoch=1, seq=4)
