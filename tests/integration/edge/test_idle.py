"""Row 22 of the complaints: a gateway that takes a whole core with nothing connected, and one whose memory grows while its line comes and goes.

What a whole field of sensors costs over ten minutes is benchmarks/soak.py, what an agent does with nothing to do benchmarks/idle_cpu.py (*proof*).
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from pathlib import Path

import psutil

from benchmarks.parts.sensor_field import write_field
from simulators.programs import Program, lotgate
from tests.integration.edge.centre import Centre, listening
from tests.integration.edge.linked_unit import Unit, eventually, linked_unit
from tests.unit.sync.two_ends import GATEWAY, KEY

LOOKED_AT_S = 4.0
MOST_SHARE = 0.01
START_S = 60.0
SETTLED, CYCLES = 4, 20
WORDS = 20
MOST_GROWTH_BYTES = 32 * 1024
OURS = [
    tracemalloc.Filter(inclusive=True, filename_pattern=f"*/{part}/*") for part in ("edge", "sync", "parking")
]


async def test_an_agent_without_any_driver_takes_less_than_a_hundredth_of_a_core(tmp_path: Path) -> None:
    agent = Program(
        name="agent",
        command=lotgate(
            "edge", "run", "--config", str(write_field(tmp_path, sensors=2_000, broker_port=None))
        ),
        environment={},
        log=tmp_path / "agent.log",
    )
    await agent.start()
    try:
        await agent.wait_for_file(tmp_path / "api.port", START_S)
        process = psutil.Process(agent.pid)
        await asyncio.sleep(1.0)  # what a start leaves to do is no idling
        before = process.cpu_times()
        await asyncio.sleep(LOOKED_AT_S)  # time is what is measured here
        after = process.cpu_times()
    finally:
        await agent.stop()
    assert after.user + after.system - before.user - before.system <= MOST_SHARE * LOOKED_AT_S


async def test_memory_does_not_grow_while_the_line_is_cut_half_of_the_time(tmp_path: Path) -> None:
    centre = Centre()
    sizes: list[int] = []
    async with (
        listening(centre) as url,
        linked_unit(tmp_path / "ledger.sqlite", url, gateway=GATEWAY, key=KEY) as unit,
    ):
        tracemalloc.start()
        try:
            for cycle in range(CYCLES):
                await up_and_down(unit, centre, cycle)
                if cycle in {SETTLED, CYCLES - 1}:
                    gc.collect()
                    sizes.append(held_by_us())
        finally:
            tracemalloc.stop()
    assert centre.connections >= CYCLES
    settled, after = sizes
    assert after - settled < MOST_GROWTH_BYTES


async def up_and_down(unit: Unit, centre: Centre, cycle: int) -> None:
    """The same number of words with the line up and with it dead; all of it arrives in the end."""
    n = 1 + cycle * 2 * WORDS
    centre.swallow_up = True
    await centre.hang_up()
    for word in range(WORDS):
        unit.sense(n + word, "free" if word % 2 else "occupied")
    await asyncio.sleep(0)
    centre.swallow_up = False
    await centre.hang_up()
    for word in range(WORDS, 2 * WORDS):
        unit.sense(n + word, "free" if word % 2 else "occupied")
    await eventually(lambda: unit.link.status.state == "up" and not unit.ledger.dirty_spot_states(1))
    unit.told.clear()  # the test unit notes what it was told, for others


def held_by_us() -> int:
    """Bytes that our code made and that are still held."""
    snapshot = tracemalloc.take_snapshot().filter_traces(OURS)
    return sum(statistic.size for statistic in snapshot.statistics("filename"))
