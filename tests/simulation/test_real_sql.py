"""Days whose centre runs on the real SQL: the same trace as in memory, statement for statement the same answers (sql_database.py)."""

from __future__ import annotations

import pytest

from edge.commitments import PREPARED
from simulators.database import DatabaseCluster
from tests.simulation.command import Played, play

MORNING_S = 3_600.0


@pytest.fixture
def template(database_cluster: DatabaseCluster, database_template: str) -> str:
    return database_cluster.url(database_template)


def require_same(real: Played, memory: Played) -> None:
    assert not real.failure, real.failure
    assert not memory.failure, memory.failure
    assert real.digest == memory.digest
    assert real.reached[PREPARED] > 0, "nothing was ever prepared, and what is the same means nothing"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_morning_on_the_real_sql_has_the_trace_that_it_has_in_memory(seed: int, template: str) -> None:
    require_same(play(seed, sql=template, until_s=MORNING_S), play(seed, until_s=MORNING_S))


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(1, 31))
def test_a_whole_day_on_the_real_sql_has_the_trace_that_it_has_in_memory(seed: int, template: str) -> None:
    require_same(play(seed, sql=template), play(seed))
