"""What an agent that does nothing costs: memory, processor, and how long it takes from the command to serving.

    python benchmarks/idle_agent.py [--rows 170000] [--idle 30]

Beside each figure stands its peer of the same run: the memory of a Python that only imported what the agent imports, the start on an empty log. The idle agent
polls six barriers 25 times a second each; then six screens are switched on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from benchmarks.parts.big_lot import BigLot, fill, write_big_lot
from benchmarks.parts.lanes_at_work import LanesAtWork
from simulators.broker import Broker

MEMORY_LIMIT_MB = 90.0
START_LIMIT_S = 3.0
STARTS = 3
IMPORT_ONLY = "import lotgate\nwith lotgate.without('rich'), lotgate.without('greenlet'), lotgate.without('python_multipart'):\n import edge.cli, edge.bootstrap, drivers.mqtt.factory, drivers.modbus.barrier, edge.memory as m\nprint(m.resident_bytes())"


def imports_mb() -> float:
    """Resident memory of a Python that has imported the agent and made nothing."""
    done = subprocess.run([sys.executable, "-c", IMPORT_ONLY], capture_output=True, check=True, text=True)
    return int(done.stdout) / 1e6


async def start(folder: Path, rows: int, broker_port: int) -> tuple[BigLot, float]:
    """Make a lot with so many rows behind it, and how long its agent takes to serve (the best of STARTS)."""
    lot = write_big_lot(folder, broker_port=broker_port)
    await fill(lot, rows)
    best_s = float("inf")
    for _ in range(STARTS):
        lot.port_file.unlink(missing_ok=True)
        async with LanesAtWork(lot, []) as lanes:
            best_s = min(best_s, lanes.start_s)
    return lot, best_s


async def idle(lot: BigLot, seconds: float, *, screens: bool) -> tuple[float, float]:
    """Megabytes resident, and the share of one core over `seconds`."""
    lot.port_file.unlink(missing_ok=True)
    async with LanesAtWork(lot, [], screens=screens) as lanes:
        assert lanes.agent.pid is not None
        process = psutil.Process(lanes.agent.pid)
        await asyncio.sleep(5)
        before = process.cpu_times()
        await asyncio.sleep(seconds)
        after = process.cpu_times()
        used_s = after.user + after.system - before.user - before.system
        return process.memory_info().rss / 1e6, used_s / seconds


async def measure(folder: Path, rows: int, idle_s: float) -> dict[str, object]:
    broker = Broker(folder)
    await asyncio.to_thread(broker.start)
    try:
        _, empty_s = await start(folder / "empty", 1, broker.port)
        lot, full_s = await start(folder / "full", rows, broker.port)
        memory_mb, cpu = await idle(lot, idle_s, screens=False)
        with_screens_mb, _ = await idle(lot, 5, screens=True)
    finally:
        broker.stop()
    bare_mb = imports_mb()
    return {
        "benchmark": "idle_agent",
        "ledger_rows": rows,
        "memory_mb": round(memory_mb, 1),
        "memory_with_six_screens_mb": round(with_screens_mb, 1),
        "imports_only_mb": round(bare_mb, 1),
        "memory_ratio": round(memory_mb / bare_mb, 2),
        "memory_limit_mb": MEMORY_LIMIT_MB,
        "idle_cpu_share_of_a_core": round(cpu, 3),
        "start_s": round(full_s, 2),
        "start_on_an_empty_log_s": round(empty_s, 2),
        "start_ratio": round(full_s / empty_s, 2),
        "start_limit_s": START_LIMIT_S,
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> int:
    """Print the figures; 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=170_000)
    parser.add_argument("--idle", type=float, default=30.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        found = asyncio.run(measure(Path(folder), asked.rows, asked.idle))
    print(
        f"an idle agent holds {found['memory_mb']} MB (its imports alone {found['imports_only_mb']}, with six screens on {found['memory_with_six_screens_mb']}), takes "
        f"{found['idle_cpu_share_of_a_core']:.1%} of a core, and serves {found['start_s']} s after its start with "
        f"{asked.rows:,} rows ({found['start_on_an_empty_log_s']} s with none)"
    )
    print(json.dumps(found))
    kept = float(str(found["memory_mb"])) < MEMORY_LIMIT_MB and float(str(found["start_s"])) < START_LIMIT_S
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
