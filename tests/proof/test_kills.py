"""kill -9 of the real agent and of the real centre at random moments of a busy lot: nothing acknowledged is lost, nothing is applied twice.

Issue 3, section 8; complaints row 5. Cars, sensors, broker, agent, line, centre and PostGIS are those of the demo, and what each has on record is
compared at the end (simulators/report.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from simulators.demo_plan import DemoPlan
from tests.proof.killing import Killing

SEED = 8
ZERO = (
    "readings_lost",
    "events_lost",
    "events_duplicated",
    "places_sold_twice",
    "availability_mismatches",
    "conflicts",
    "arm_down_on_occupied_loop",
    "quarantined",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder into which the database's own user may look, unlike pytest's."""
    with TemporaryDirectory(prefix="lotgate-kills-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


async def survive(folder: Path, *, agent: int, centre: int, speed: float) -> dict[str, object]:
    """Kill so often, at so many civil seconds a real one; let everything come to rest, compare; answers with the figures that should be nought and are not."""
    draw = Random(SEED)
    victims = ["agent"] * agent + ["centre"] * centre
    draw.shuffle(victims)
    killing = Killing(DemoPlan(seed=SEED, speed=speed, bookings=False), folder, victims, draw)
    report = await killing.run()
    figures = report.figures
    assert killing.killed == {"agent": agent, "centre": centre}
    assert int(str(figures["readings_acknowledged"])) > 5 * len(victims), figures
    assert int(str(figures["events_logged"])) > 5 * len(victims), figures
    wrong = {name: figures[name] for name in ZERO if figures[name] != 0}
    return {**wrong, "seed": SEED, "faults": report.faults} if wrong else {}


async def test_agent_and_centre_killed_at_random_moments_lose_and_double_nothing(folder: Path) -> None:
    assert await survive(folder, agent=3, centre=2, speed=60) == {}


@pytest.mark.proof
async def test_fifty_deaths_of_the_agent_and_twenty_of_the_centre_lose_and_double_nothing(
    folder: Path,
) -> None:
    assert await survive(folder, agent=50, centre=20, speed=15) == {}
