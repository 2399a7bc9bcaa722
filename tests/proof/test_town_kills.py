"""kill -9 of everything that the commit rests on, under competing sales from both sides: nothing is lost, sold twice or paid for in vain.

Agent, two processes of the centre, PostgreSQL and the provider die; the line is cut, held, swallows and is slow, each direction by itself, and the provider is
cut off (tests/proof/town_kills.py). After every ten kills all come to rest, and both tiers, the terminal, the provider and what people were told are compared
(tests/proof/town_books.py).

The long proof goes in batches of 50 kills, each with a seed and a town of its own; tests/proof/remembered.py knows which have passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from simulators.database import DatabaseCluster
from tests.proof.remembered import Remembered
from tests.proof.town_kills import Outcome, survive

REMEMBERED = Remembered("town_kills")
BATCH, BATCHES = 50, 10


@pytest.fixture
def cluster() -> Iterator[DatabaseCluster]:
    """A server that may be killed: with fsync, and for nobody else."""
    cluster = DatabaseCluster(durable=True)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="lotgate-town-") as name:
        yield Path(name)


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Progress, on the terminal."""
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")

    def write(text: str) -> None:
        if reporter is not None:
            reporter.write_line(text)

    return write


def assert_alive(outcome: Outcome, kills: int) -> None:
    assert outcome.wrong == []
    assert sum(outcome.killed.values()) == kills
    assert outcome.told[200] > 0, "somebody booked"
    assert outcome.tickets > 0, "somebody drove in"
    assert outcome.kiosk["sold"] > 0, "somebody booked at the kiosk"


async def test_ten_deaths_under_competing_sales_lose_and_double_nothing(
    cluster: DatabaseCluster, folder: Path
) -> None:
    assert_alive(await survive(10, 1, folder, cluster, lambda _: None), 10)


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(2, 2 + BATCHES))
async def test_five_hundred_deaths_in_batches_lose_and_double_nothing(
    cluster: DatabaseCluster,
    folder: Path,
    say: Callable[[str], None],
    seed: int,
) -> None:
    before = REMEMBERED.before(seed)
    if before is not None:
        pytest.skip(f"survived before, on these very sources: {before}")
    outcome = await survive(BATCH, seed, folder, cluster, say)
    say(f"seed {seed}: {outcome}")
    assert_alive(outcome, BATCH)
    REMEMBERED.passed(seed, str(outcome), outcome.seconds)
