"""A field of 2,000 spot sensors at 200 messages a second, the agent on one core: nothing lost over two restarts of the broker and three kills of the agent.

    python benchmarks/soak.py [--seconds 600] [--sensors 2000] [--rate 200]      # --seconds 60 to try

Told are the processor seconds for 1,000 messages (the agent's starts included), the peak of its memory and the slope of memory over its longest life, once it is settled. Lost is a message
that the broker acknowledged and whose key the ledger never held; wrong is a place whose last word is not what its sensor said last.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.parts.sensor_field import KeysSeen, SensorField, write_field
from simulators.agent_keeper import AgentKeeper
from simulators.broker import Broker
from simulators.programs import Program, lotgate

CORE = "0"
LOOK_EVERY_S = 1.0
SETTLED_S = 200.0
"""What is remembered of a sensor fills with its first sixteen words (parking/liars), 160 s at the soak's pace."""
DRAIN_S = 120.0
START_S = 60.0
MOST_MB_AN_HOUR = 20.0


@dataclass(slots=True)
class Watch:
    """What the agent's processes used: `lives` are (seconds since the soak began, bytes resident) of each life."""

    agent: Program
    cpu_s: float = 0.0
    lives: list[list[tuple[float, int]]] = field(default_factory=list)

    async def run(self) -> None:
        """Look every second, until cancelled."""
        pid, last = None, 0.0
        began = asyncio.get_running_loop().time()
        while True:
            if self.agent.pid != pid:
                pid, last = self.agent.pid, 0.0
                self.lives.append([])
            with suppress(psutil.Error):
                if pid is not None:
                    process = psutil.Process(pid)
                    used = process.cpu_times()
                    self.cpu_s += used.user + used.system - last
                    last = used.user + used.system
                    at = asyncio.get_running_loop().time() - began
                    self.lives[-1].append((at, process.memory_info().rss))
            await asyncio.sleep(LOOK_EVERY_S)

    @property
    def peak_mb(self) -> float:
        """The most that any life held."""
        return max((rss for life in self.lives for _, rss in life), default=0) / 1e6

    def slope_mb_an_hour(self) -> float | None:
        """The slope of memory over the longest life, from when it is settled; None where none was long enough."""
        life = max(self.lives, key=len, default=[])
        points = [(at, rss) for at, rss in life if at >= life[0][0] + SETTLED_S]
        if len(points) < 10:
            return None
        mean_at = sum(at for at, _ in points) / len(points)
        mean_rss = sum(rss for _, rss in points) / len(points)
        spread = sum((at - mean_at) ** 2 for at, _ in points)
        return sum((at - mean_at) * (rss - mean_rss) for at, rss in points) / spread * 3_600 / 1e6


async def disturb(seconds: float, broker: Broker, keeper: AgentKeeper) -> None:
    """Three kills of the agent and two restarts of the broker, spread over the run; its second half is left alone, so that memory shows its slope."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for share, kills in ((0.08, True), (0.15, False), (0.22, True), (0.3, False), (0.4, True)):
        await asyncio.sleep(max(0.0, began + seconds * share - loop.time()))
        if kills:
            await keeper.kill()
        else:
            await asyncio.to_thread(broker.restart)


async def follow(seen: KeysSeen) -> None:
    """Read the ledger as it grows, until cancelled."""
    while True:
        with suppress(sqlite3.OperationalError):  # its tables are being made, or it is being recovered
            await asyncio.to_thread(seen.read)
        await asyncio.sleep(5)


async def soak(folder: Path, seconds: float, sensors: int, rate: float) -> dict[str, object]:
    broker = Broker(folder)
    await asyncio.to_thread(broker.start)
    toml = write_field(folder, sensors=sensors, broker_port=broker.port)
    pinned = ["taskset", "-c", CORE, *lotgate("edge", "run", "--config", str(toml))]
    agent = Program(name="agent", command=pinned, environment={}, log=folder / "agent.log")
    keeper = AgentKeeper(agent=agent, port_file=folder / "api.port", failpoints=(), start_s=START_S)
    watch, seen = Watch(agent), KeysSeen(folder / "ledger.sqlite")
    field_of = SensorField(port=broker.port, sensors=sensors, rate_per_s=rate)
    tasks = [asyncio.ensure_future(each) for each in (keeper.run(), watch.run(), follow(seen))]
    loop = asyncio.get_running_loop()
    try:
        await keeper.serves()
        await field_of.heard(seen)
        began = loop.time()
        await asyncio.gather(field_of.run(seconds), disturb(seconds, broker, keeper))
        published_s = loop.time() - began
        async with asyncio.timeout(DRAIN_S):
            while await asyncio.to_thread(seen.read) <= len(field_of.sent):  # noqa: ASYNC110 - another process's file
                await asyncio.sleep(0.5)
    except TimeoutError:
        sys.stderr.write(f"not all came within {DRAIN_S:g} s\n")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await agent.stop()
        await asyncio.to_thread(broker.stop)
    said = seen.states()
    lost = sorted(field_of.sent.keys() - seen.keys, key=field_of.sent.__getitem__)
    wrong = sum(said.get(d) not in ("occupied" if o else "free", "unknown") for d, o in field_of.last.items())
    return {
        "benchmark": "soak",
        "sensors": sensors,
        "seconds": round(published_s, 1),
        "messages": len(field_of.sent),
        "messages_a_second": round(len(field_of.sent) / published_s, 1),
        "lost": len(lost),
        "lost_at_s": [round(field_of.sent[key] - began, 2) for key in lost],
        "twice": seen.twice,
        "last_word_wrong": wrong,
        "agent_kills": keeper.kills,
        "cpu_s_per_1000_messages": round(watch.cpu_s / len(field_of.sent) * 1_000, 3),
        "peak_mb": round(watch.peak_mb, 1),
        "slope_mb_an_hour": None if (slope := watch.slope_mb_an_hour()) is None else round(slope, 1),
        "ledger_mb": round((folder / "ledger.sqlite").stat().st_size / 1e6, 1),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> int:
    """Print the figures; 1 where something is lost, or memory grows over a run of ten minutes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--sensors", type=int, default=2_000)
    parser.add_argument("--rate", type=float, default=200.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        found = asyncio.run(soak(Path(folder), asked.seconds, asked.sensors, asked.rate))
    print(
        f"{found['messages']} messages of {asked.sensors} sensors at {found['messages_a_second']} a second, {found['agent_kills']} kills: {found['lost']} lost, "
        f"{found['last_word_wrong']} last words wrong; {found['cpu_s_per_1000_messages']} processor seconds per 1,000, peak {found['peak_mb']} MB, "
        f"slope {found['slope_mb_an_hour']} MB an hour"
    )
    print(json.dumps(found))
    slope = found["slope_mb_an_hour"]
    grows = asked.seconds >= 600 and isinstance(slope, float) and slope > MOST_MB_AN_HOUR
    return int(bool(found["lost"] or found["last_word_wrong"] or grows))


if __name__ == "__main__":
    sys.exit(main())
