"""kill -9 of everything that the commit rests on, under competing sales from both sides: nothing is lost, sold twice or paid for in vain.

Agent, two processes of the centre and PostgreSQL die; the provider is cut off with its books kept; the line is cut, held, swallows and is slow, each
direction by itself (tests/proof/town_kills.py). At rest both tiers, the provider and what people were told are compared (tests/proof/town_books.py).

The long proof goes in batches of 50 kills, each with a seed and a town of its own. What was survived is remembered in pytest's cache under the
fingerprint of the sources, so that a run which was broken off goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from simulators.database import DatabaseCluster
from tests.proof.town_kills import Outcome, survive

ROOT = Path(__file__).parents[2]
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
    pytestconfig: pytest.Config,
    seed: int,
) -> None:
    survived = f"lotgate/town_kills/{fingerprint()}/{seed}"
    cache = pytestconfig.cache
    before = cache.get(survived, None)
    if before is not None:
        pytest.skip(f"survived before, on these very sources: {before}")
    outcome = await survive(BATCH, seed, folder, cluster, say)
    say(f"seed {seed}: {outcome}")
    assert_alive(outcome, BATCH)
    cache.set(survived, str(outcome))


def fingerprint() -> str:
    """Of all sources that are under test, and of those that test them."""
    rooms = ("parking", "sync", "drivers", "edge", "cloud", "simulators", "tests/proof")
    files = sorted(
        path for room in rooms for path in (ROOT / room).rglob("*") if path.suffix in {".py", ".sql"}
    )
    return sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]
