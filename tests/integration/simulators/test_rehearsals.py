"""Each shipped configuration under `lotgate simulate --config`: the real command, its agent, its broker, its cables."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from parking.clock import CivilScale
from simulators.programs import Program, lotgate
from simulators.system_clock import CIVIL_SCALE

CONFIG = Path(__file__).parents[3] / "config"
TUESDAY = datetime(2026, 11, 24, 11, tzinfo=ZoneInfo("Europe/London"))
PATIENCE_S = 60.0
CARS = 2
SPOTS = "SELECT count(*) FROM spot_states"
STREET_STAYS = "SELECT count(*) FROM stays WHERE credential_kind = 'sensor'"


async def rehearsed(name: str, folder: Path, *, inside: int, sensors: int, seen: int) -> None:
    """Run it until so many cars are inside, and so many spots have spoken and so many sensors have opened a stay in the ledger."""
    scale = CivilScale(anchor_at=TUESDAY, anchor_monotonic=time.monotonic(), speed=60)
    running = Program(
        name=name,
        command=lotgate(
            "simulate", "--config", str(CONFIG / f"{name}.toml"), "--into", str(folder), "--orders"
        ),
        environment={CIVIL_SCALE: str(scale)},
        log=folder / "lot.log",
        talks=True,
    )
    await running.start()
    try:
        await running.wait_for("ready", PATIENCE_S)
        running.tell(do="arrive", count=CARS)
        async with asyncio.timeout(PATIENCE_S):
            while not (
                _entered(running) >= inside
                and _rows(folder, SPOTS) >= sensors
                and _rows(folder, STREET_STAYS) >= seen
            ):
                assert running.pid is not None, running.obituary()
                await asyncio.sleep(0.1)
    except TimeoutError as late:
        agent = (folder / "agent.log").read_text().splitlines()[-5:]
        raise AssertionError(f"{running.heard[-1]}, {_rows(folder, SPOTS)} spots; {agent}") from late
    finally:
        await running.stop()
    assert running.status == 0
    told = [json.loads(line) for line in (folder / "agent.log").read_text().splitlines() if line[:1] == "{"]
    assert not [said for said in told if said["event"] in {"driver_misconfigured", "driver_crashed"}]


def _entered(running: Program) -> int:
    return max((int(str(said["entered"])) for said in running.heard if said["event"] == "status"), default=0)


def _rows(folder: Path, counting: str) -> int:
    ledger = folder / "ledger.sqlite"
    if not ledger.exists():
        return 0
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute(counting).fetchone()[0])
        except sqlite3.OperationalError:  # its tables are being made
            return 0


@pytest.mark.parametrize(
    ("name", "inside", "sensors", "seen"),
    [
        ("street", CARS, 60, CARS),
        ("small-barrier-lot", 1, 2, 0),
        ("multi-storey", 1, 480, 0),
        ("permit-only", 0, 0, 0),
        ("camera-only", 1, 0, 0),
    ],
)
async def test_a_shipped_configuration_is_rehearsed_with_its_real_agent(
    name: str, inside: int, sensors: int, seen: int, tmp_path: Path
) -> None:
    await rehearsed(name, tmp_path, inside=inside, sensors=sensors, seen=seen)
