"""What sensors say becomes the last state of each spot, once for each message, and never a stay."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.ports import MalformedReading, SpotReading
from edge.ledger import Ledger
from edge.observing import Observing
from edge.writer import ThreadWriter
from sync.chain import unpack_envelope
from tests.integration.edge.conftest import Premises, small_lot


@pytest.fixture
def observing(premises: Premises, ledger: Ledger) -> Observing:
    return watch(premises, ledger)


def watch(premises: Premises, ledger: Ledger) -> Observing:
    sensors = {f"EUI-{spot.number}": spot.id for spot in premises.lot.spots}
    return Observing(ledger, sensors=sensors, clock=premises.clock)


def reading(occupied: bool | None, *, key: str | None = None, at: datetime | None = None) -> SpotReading:
    return SpotReading(device="eui-a-001", occupied=occupied, key=key, occurred_at=at)


def state_of(premises: Premises, ledger: Ledger) -> tuple[int, str] | None:
    state = ledger.spot_state(premises.lot.spots[0].id, "edge:1")
    return None if state is None else (state.n, state.state)


async def test_each_reading_is_the_next_update_of_its_spot(
    premises: Premises, ledger: Ledger, observing: Observing
) -> None:
    await observing.observe(reading(True))
    await observing.observe(reading(False))
    assert state_of(premises, ledger) == (2, "free")
    await ledger.close()
    assert state_of(premises, premises.start()) == (2, "free")


async def test_a_message_that_comes_twice_counts_once_even_over_a_restart(
    premises: Premises, ledger: Ledger, observing: Observing
) -> None:
    await observing.observe(reading(True, key="f-17"))
    await observing.observe(reading(True, key="f-17"))
    await ledger.close()
    again = premises.start()
    after = watch(premises, again)
    await after.observe(reading(True, key="f-17"))
    assert state_of(premises, again) == (1, "occupied")
    assert (observing.counters.repeated, after.counters.repeated) == (1, 1)


async def test_a_repetition_is_answered_only_when_the_first_one_is_durable(premises: Premises) -> None:
    store = premises.open_file()
    ledger = premises.start(ThreadWriter(store.commit))
    await ledger.durable()
    observing = watch(premises, ledger)
    first = observing.observe(reading(True, key="f-1"))
    second = observing.observe(reading(True, key="f-1"))
    assert not second.done()
    await second
    assert first.done()


async def test_a_spot_whose_sensor_is_no_longer_heard_is_unknown_until_it_is(
    premises: Premises, ledger: Ledger, observing: Observing
) -> None:
    await observing.observe(reading(True))
    await observing.observe(SpotReading(device="eui-a-001", occupied=None, lost=True))
    assert state_of(premises, ledger) == (2, "unknown")
    await observing.observe(reading(True))
    assert state_of(premises, ledger) == (3, "occupied")


async def test_an_older_reading_that_arrives_late_changes_nothing(
    premises: Premises, ledger: Ledger, observing: Observing
) -> None:
    now = premises.clock.now()
    await observing.observe(reading(True, key="b", at=now - timedelta(minutes=1)))
    await observing.observe(reading(False, key="a", at=now - timedelta(minutes=9)))
    assert state_of(premises, ledger) == (1, "occupied")
    assert observing.counters.superseded == 1
    await observing.observe(reading(False, key="a", at=now))
    assert observing.counters.repeated == 1


@pytest.mark.parametrize("at", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2106, 2, 7, tzinfo=UTC)])
async def test_a_sensor_with_a_wrong_clock_is_believed_to_speak_now(
    premises: Premises, ledger: Ledger, observing: Observing, at: datetime
) -> None:
    await observing.observe(reading(True, at=at))
    state = ledger.spot_state(premises.lot.spots[0].id, "edge:1")
    assert state is not None
    assert state.occurred_at == premises.clock.now()
    await observing.observe(reading(False, at=premises.clock.now()))
    assert state_of(premises, ledger) == (2, "free")


async def test_a_device_that_speaks_of_itself_says_nothing_of_its_spot(
    premises: Premises, ledger: Ledger, observing: Observing
) -> None:
    await observing.observe(reading(None))
    assert state_of(premises, ledger) is None
    assert observing.counters.without_state == 1


async def test_rubbish_is_kept_aside_told_once_an_hour_and_disturbs_nothing(
    premises: Premises, ledger: Ledger, observing: Observing
) -> None:
    rubbish = MalformedReading(
        device="eui-a-001", field="payload", problem="3 bytes are missing", raw=b"\x00\xff"
    )
    for _ in range(100):
        await observing.quarantine(rubbish)
    premises.clock.at += timedelta(hours=1)
    await observing.quarantine(rubbish)
    rows = premises.store.rows("last_quarantine", limit=10)
    assert [(row["source"], row["field"]) for row in rows] == [("eui-a-001", "payload")] * 2
    kinds = [unpack_envelope(row.body).kind for row in ledger.log_page(0, 100)]
    assert kinds == ["boot", "record_quarantined", "record_quarantined"]
    assert observing.counters.malformed == 101
    await observing.observe(reading(True))
    assert state_of(premises, ledger) == (1, "occupied")


async def test_a_device_that_nobody_configured_is_told_and_acknowledged(
    premises: Premises, ledger: Ledger, observing: Observing
) -> None:
    stranger = SpotReading(device="stranger", occupied=True)
    for _ in range(3):
        await observing.observe(stranger)
    assert observing.counters.unknown_device == 3
    assert premises.store.rows("count_quarantine")[0]["rows"] == 1


async def test_the_difference_between_sensors_and_stays_is_told_where_every_spot_is_watched(
    premises: Premises, ledger: Ledger, observing: Observing
) -> None:
    await observing.observe(reading(True))
    assert observing.unexplained == 0
    for spot in premises.lot.spots[1:]:
        await observing.observe(SpotReading(device=f"EUI-{spot.number}", occupied=False))
    assert observing.unexplained == 1
    change, _, _ = premises.admit(ledger)
    await ledger.commit(change)
    assert observing.unexplained == 0
    assert watch(premises, ledger).unexplained == 0


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), max_size=30))
def test_in_any_order_and_with_any_repetition_the_latest_message_of_a_spot_is_its_state(
    tmp_path_factory: pytest.TempPathFactory, messages: list[tuple[int, bool, int]]
) -> None:
    asyncio.run(_deliver(Premises(tmp_path_factory.mktemp("card"), small_lot()), messages))


async def _deliver(premises: Premises, messages: list[tuple[int, bool, int]]) -> None:
    ledger = premises.start()
    observing = watch(premises, ledger)
    expected: tuple[datetime, bool] | None = None
    taken: set[str] = set()
    for minute, occupied, number in messages:
        at = premises.clock.now() - timedelta(minutes=minute)
        key = f"{minute}-{number}"
        await observing.observe(reading(occupied, key=key, at=at))
        if key not in taken and (expected is None or at >= expected[0]):
            expected = (at, occupied)
        taken.add(key)
    state = ledger.spot_state(premises.lot.spots[0].id, "edge:1")
    shown = None if state is None else (state.occurred_at, state.state == "occupied")
    assert shown == expected
    await ledger.close()
