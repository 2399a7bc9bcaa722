"""The stand-ins of the simulated day answer as PostgreSQL does, and keep the same rows: one suite of calls, put to both."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg.errors import ForeignKeyViolation
from psycopg.types.json import Jsonb

from simulators.database import DatabaseCluster
from tests.contract.memory.calls import FIRST_AT, GATEWAYS, LOTS, SPOTS, Parameters, parameters_of
from tests.simulation.memory_database import HANDLERS, Handler, sql_of
from tests.simulation.sql_database import LEFT_OUT, Differs, TwinDatabase
from tests.simulation.sql_server import the_database
from tests.simulation.world import STAND_INS

Call = tuple[int, str, Parameters]
MODULES = {module.__name__ for module in STAND_INS}
NAMES = sorted({name for name, stand_in in HANDLERS.items() if stand_in.__module__ in MODULES} - LEFT_OUT)
LAYOUT = {
    "name": "lot",
    "address": "",
    "timezone": "UTC",
    "currency": "EUR",
    "total_spots": 3,
    "longitude": 8.0,
    "latitude": 47.0,
    "policy": Jsonb({"turnover_buffer_s": 900}),
    "lanes": Jsonb([]),
    "operating_hours": None,
    "hash": b"x" * 32,
}
ZONES = {"id": ["P"], "level": ["0"], "kind": ["free_choice"], "enforced_by": [None]}
SAID = "cloud.reservations.tell_processes"


def fleet() -> Iterator[tuple[str, Parameters]]:
    """Two lots with their gateways, zones and spots, some of which are the centre's."""
    for gateway, (lot, epoch) in GATEWAYS.items():
        of_lot = {"region": "default", "lot": lot}
        if epoch == 1:
            yield "cloud.parking_lots.lot_announce", {**of_lot, "name": "lot"}
            yield "cloud.parking_lots.lot_lay_out", {**of_lot, **LAYOUT}
            yield "cloud.parking_lots.zones_lay_out", {**of_lot, **ZONES}
            yield "cloud.parking_lots.spots_lay_out", {**of_lot, **spots_as_built(lot)}
            centres = {"owner": "cloud", "in_transfer": None, "spots": SPOTS[lot][1:]}
            yield "cloud.reservations.owner_set", {**of_lot, **centres, "was": "edge", "was_in": None}
            enrolled = {"gateway": gateway, "epoch": epoch, "public_key": b"k" * 32, "hash": b"x" * 32}
            yield "cloud.gateways.gateway_enrol", {**of_lot, **enrolled}


def spots_as_built(lot: UUID) -> Parameters:
    """All of a lot, the last for charging."""
    there = SPOTS[lot]
    same = {"zone_id": "P", "level": "0"}
    kinds = [*("regular" for _ in there[1:]), "ev"]
    columns = {name: [value for _ in there] for name, value in same.items()}
    return {**columns, "id": there, "number": [str(spot.int) for spot in there], "type": kinds}


class Clock:
    """The instant of the moment, for both."""

    now_at = FIRST_AT

    def __call__(self) -> datetime:
        return self.now_at


class Undone(Exception):
    """Ends a transaction without a trace."""


class Both:
    """Two empty databases with one clock."""

    def __init__(self, database: TwinDatabase, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.called: set[str] = set()

    async def play(self, calls: list[Call]) -> None:
        """All of them over a little fleet, each in a savepoint of its own; nothing is kept."""
        self.clock.now_at = FIRST_AT
        with suppress(Undone):
            async with self.database.transaction():
                for name, parameters in fleet():
                    self.database.execute(sql_of(name), parameters)
                for minutes, name, parameters in calls:
                    self.clock.now_at += timedelta(minutes=minutes)
                    await self.call(name, parameters)
                self.database.look_at_all()
                raise Undone

    async def call(self, name: str, parameters: Parameters) -> None:
        """One. What belongs to nothing is refused by PostgreSQL and not kept by either."""
        self.called.add(name)
        try:
            async with self.database.transaction():
                self.database.execute(sql_of(name), parameters)
        except Differs as differs:
            if not isinstance(differs.__cause__, ForeignKeyViolation):
                raise
        except psycopg.Error:
            return  # both said so


@pytest.fixture(scope="module")
def both(database_cluster: DatabaseCluster, database_template: str) -> Iterator[Both]:
    clock = Clock()
    with the_database(database_cluster.url(database_template)) as make:
        database = make(clock)
        assert isinstance(database, TwinDatabase)
        yield Both(database, clock)


def call_of(name: str) -> st.SearchStrategy[Call]:
    return st.tuples(st.integers(0, 40), st.just(name), parameters_of(name, sql_of(name)))


any_call = st.sampled_from(NAMES).flatmap(call_of)
calls_of_a_while = st.lists(any_call, min_size=20, max_size=60)
SETTINGS = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@SETTINGS
@given(calls=calls_of_a_while)
def test_whatever_is_called_in_whatever_order_both_answer_the_same_and_keep_the_same_rows(
    both: Both, calls: list[Call]
) -> None:
    asyncio.run(both.play(calls))


@pytest.mark.proof
@settings(SETTINGS, max_examples=5_000)
@given(calls=calls_of_a_while)
def test_five_thousand_such_whiles_are_the_same_to_both(both: Both, calls: list[Call]) -> None:
    asyncio.run(both.play(calls))


@settings(SETTINGS, max_examples=2, phases=[Phase.generate])
@given(calls=st.tuples(*map(call_of, NAMES)))
def test_no_stand_in_is_left_out_of_the_suite(both: Both, calls: tuple[Call, ...]) -> None:
    both.called.clear()
    asyncio.run(both.play(list(calls)))
    assert both.called == set(NAMES)


def test_a_word_is_said_once_at_the_commit_and_none_of_what_was_rolled_back(both: Both) -> None:
    heard: list[str] = []
    both.database.said = heard.append

    async def speak() -> None:
        async with both.database.transaction():
            for word in ("a", "b", "a"):
                both.database.execute(sql_of(SAID), {"word": word})
            with suppress(Undone):
                async with both.database.transaction():
                    both.database.execute(sql_of(SAID), {"word": "c"})
                    raise Undone
            assert heard == []

    asyncio.run(speak())  # what PostgreSQL says is compared at the commit
    assert heard == ["a", "b"]


LIES: list[tuple[str, Handler]] = [
    ("cloud.reservations.spots_here", lambda _, asked: []),
    ("cloud.gateways.epoch_next", lambda _, asked: [{"epoch": 7}]),
    ("cloud.gateways.tariff_keep", lambda _, asked: [{"version": asked["version"]}]),  # and keeps nothing
]


@pytest.mark.parametrize(("name", "lie"), LIES)
def test_a_stand_in_that_is_wrong_is_found(
    both: Both, name: str, lie: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    tariff = {"version": "a", "valid_from": FIRST_AT, "body": b"x"}
    parameters = {"region": "default", "lot": LOTS[0], "spots": SPOTS[LOTS[0]], **tariff}
    asyncio.run(both.play([(0, name, parameters)]))
    monkeypatch.setitem(HANDLERS, name, lie)
    with pytest.raises(Differs):
        asyncio.run(both.play([(0, name, parameters)]))
