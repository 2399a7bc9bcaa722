"""What an agent costs that has nothing to do: the share of a core without any driver, and with 2,000 sensors on a broker that say nothing.

python benchmarks/idle_cpu.py [--seconds 60] [--sensors 2000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.parts.sensor_field import KeysSeen, SensorField, write_field
from simulators.broker import Broker
from simulators.programs import Program, lotgate

MOST_SHARE = 0.01
SETTLED_S = 5.0
START_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """What was used over the time looked at. `wakes_a_second`: voluntary context switches of all its threads."""

    share_of_a_core: float
    wakes_a_second: float
    memory_mb: float


async def idle(folder: Path, *, sensors: int, broker: Broker | None, seconds: float) -> Idle:
    """Start an agent, let each of its sensors speak once where it has a broker, and look at it while nothing happens.

    Raises:
        ProgramEnded: it did not come to serve.
    """
    toml = write_field(folder, sensors=sensors, broker_port=None if broker is None else broker.port)
    agent = Program(
        name="agent",
        command=lotgate("edge", "run", "--config", str(toml)),
        environment={},
        log=folder / "agent.log",
    )
    await agent.start()
    try:
        await agent.wait_for_file(folder / "api.port", START_S)
        if broker is not None:
            await _all_speak(folder, broker, sensors)
        await asyncio.sleep(SETTLED_S)
        process = psutil.Process(agent.pid)
        before, woke = process.cpu_times(), process.num_ctx_switches().voluntary
        await asyncio.sleep(seconds)
        after = process.cpu_times()
        return Idle(
            share_of_a_core=(after.user + after.system - before.user - before.system) / seconds,
            wakes_a_second=(process.num_ctx_switches().voluntary - woke) / seconds,
            memory_mb=process.memory_info().rss / 1e6,
        )
    finally:
        await agent.stop()


async def _all_speak(folder: Path, broker: Broker, sensors: int) -> None:
    seen = KeysSeen(folder / "ledger.sqlite")
    field = SensorField(port=broker.port, sensors=sensors, rate_per_s=1_000)
    await field.heard(seen)
    await field.run(sensors / field.rate_per_s)
    async with asyncio.timeout(START_S):
        while await asyncio.to_thread(seen.read) < len(field.sent):  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.2)


async def measure(folder: Path, sensors: int, seconds: float) -> dict[str, object]:
    """Both agents, one after the other."""
    broker = Broker(folder)
    await asyncio.to_thread(broker.start)
    try:
        bare = await idle(folder / "bare", sensors=sensors, broker=None, seconds=seconds)
        listening = await idle(folder / "listening", sensors=sensors, broker=broker, seconds=seconds)
    finally:
        await asyncio.to_thread(broker.stop)
    return {
        "benchmark": "idle_cpu",
        "sensors": sensors,
        "share_without_drivers": round(bare.share_of_a_core, 4),
        "wakes_a_second_without_drivers": round(bare.wakes_a_second, 1),
        "share_with_idle_sensors": round(listening.share_of_a_core, 4),
        "wakes_a_second_with_idle_sensors": round(listening.wakes_a_second, 1),
        "memory_mb_with_idle_sensors": round(listening.memory_mb, 1),
        "limit": MOST_SHARE,
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> int:
    """Print the figures; 1 where the limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--sensors", type=int, default=2_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        found = asyncio.run(measure(Path(folder), asked.sensors, asked.seconds))
    print(
        f"an agent without drivers takes {found['share_without_drivers']:.2%} of a core, one with {asked.sensors} sensors that say nothing "
        f"{found['share_with_idle_sensors']:.2%}"
    )
    print(json.dumps(found))
    shares = (found["share_without_drivers"], found["share_with_idle_sensors"])
    return int(any(float(str(share)) > MOST_SHARE for share in shares))


if __name__ == "__main__":
    sys.exit(main())
