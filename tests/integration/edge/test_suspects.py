"""What the lot does about sensors that lie: their spots, the facts, the status page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from drivers.ports import SpotReading
from edge.cars_counted import is_brim_full
from edge.ledger import Ledger
from edge.observing import Observing
from edge.suspects import Suspects
from parking.ids import LaneId
from parking.lot import Lane, LaneKind, SpotType
from sync.chain import unpack_envelope
from sync.events import EventKind
from tests.integration.edge.conftest import Premises, small_lot

LANE = Lane(id=LaneId("entry-1"), kind=LaneKind.ENTRY)


@pytest.fixture
def suspects(premises: Premises, ledger: Ledger) -> Suspects:
    return Suspects(ledger, clock=premises.clock)


@pytest.fixture
def observing(premises: Premises, ledger: Ledger, suspects: Suspects) -> Observing:
    sensors = {f"EUI-{spot.number}": spot.id for spot in premises.lot.spots}
    return Observing(ledger, sensors=sensors, clock=premises.clock, suspects=suspects)


def first_spot(premises: Premises, ledger: Ledger) -> tuple[str, int]:
    state = ledger.spot_state(premises.lot.spots[0].id, "edge:1")
    assert state is not None
    return state.state, state.confidence_1e4


def facts(premises: Premises, kind: EventKind) -> list[Any]:
    rows = premises.store.log_page(epoch=1, after_seq=0, limit=10_000)
    told = [unpack_envelope(row.body) for row in rows]
    return [envelope.body for envelope in told if envelope.kind == kind]


async def test_a_flapping_sensors_spot_is_unknown_and_told_and_comes_back_when_it_is_calm(
    premises: Premises, ledger: Ledger, observing: Observing, suspects: Suspects
) -> None:
    for number in range(8):
        await observing.observe(SpotReading(device="eui-a-001", occupied=number % 2 == 0))
        premises.clock.at += timedelta(seconds=20)
    assert first_spot(premises, ledger) == ("unknown", 1_000)
    (fault,) = suspects.faults()
    assert "One sensor" in fault.title
    assert "A-001: flapping" in fault.steps[0]
    assert suspects.doubts()["flapping"] == 1
    premises.clock.at += timedelta(minutes=31)
    await suspects.look()
    assert first_spot(premises, ledger) == ("free", 10_000)
    assert not suspects.faults()
    told = [row["lies"] for body in facts(premises, EventKind.SENSORS_DOUBTED) for row in body["sensors"]]
    assert told == [["flapping"], []]


async def test_a_message_that_comes_again_and_again_is_told_though_it_changes_nothing(
    premises: Premises, ledger: Ledger, observing: Observing, suspects: Suspects
) -> None:
    for number in range(6):
        for _ in range(2):
            await observing.observe(SpotReading(device="eui-a-001", occupied=True, key=f"f-{number}"))
        premises.clock.at += timedelta(minutes=10)
    assert suspects.doubts()["repeating"] == 1
    assert first_spot(premises, ledger) == ("occupied", 9_000)


async def test_a_lying_sensor_never_makes_a_booked_driver_hear_that_the_lot_is_full(
    premises: Premises,
) -> None:
    """Every place is said to be taken and no car is inside: the sensors are contradicted, and the stays decide."""
    lot = small_lot(2)
    premises.lot = type(lot)(
        **{name: getattr(lot, name) for name in lot.__slots__ if name != "lanes"}, lanes=(LANE,)
    )
    ledger = premises.start()
    suspects = Suspects(ledger, clock=premises.clock)
    sensors = {f"eui-{spot.number}": spot.id for spot in premises.lot.spots}
    observing = Observing(ledger, sensors=sensors, clock=premises.clock, suspects=suspects)
    for device in sensors:
        await observing.observe(SpotReading(device=device, occupied=True))
    assert is_brim_full(premises.lot, ledger, SpotType.REGULAR)
    assert observing.unexplained == 2
    premises.clock.at += timedelta(minutes=11)
    await suspects.look()
    assert suspects.doubts()["contradicting"] == 2
    assert not is_brim_full(premises.lot, ledger, SpotType.REGULAR)
    assert observing.unexplained == 0


async def test_a_source_that_lost_its_sensor_stays_unknown_whatever_is_thought_of_its_last_word(
    premises: Premises, ledger: Ledger, observing: Observing, suspects: Suspects
) -> None:
    for _ in range(20):
        await observing.observe(SpotReading(device="eui-a-001", occupied=True))
        premises.clock.at += timedelta(minutes=1)
    await observing.observe(SpotReading(device="eui-a-001", occupied=None, lost=True))
    premises.clock.at += timedelta(hours=2)
    await suspects.look()
    assert suspects.doubts()["silent"] == 1
    assert first_spot(premises, ledger) == ("unknown", 0)


async def test_a_sensor_that_was_taken_out_or_moved_is_doubted_no_more(
    premises: Premises, ledger: Ledger, observing: Observing, suspects: Suspects
) -> None:
    for device in ("eui-a-001", "eui-a-002"):
        for number in range(8):
            await observing.observe(SpotReading(device=device, occupied=number % 2 == 0))
            premises.clock.at += timedelta(seconds=20)
    assert suspects.doubts()["flapping"] == 2
    observing.look_at({"eui-a-002": premises.lot.spots[2].id})
    assert suspects.doubts()["flapping"] == 1
    await observing.observe(SpotReading(device="eui-a-002", occupied=True))
    assert suspects.doubts()["flapping"] == 0
    state = ledger.spot_state(premises.lot.spots[2].id, "edge:1")
    assert state is not None
    assert (state.state, state.confidence_1e4) == ("occupied", 10_000)
