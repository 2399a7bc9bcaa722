"""How many sensor readings a second become durable, as a ratio to what one thread can append to this disk in groups of the same size.

The raw limit is SQLite alone (WAL, synchronous FULL), 64 rows a transaction, each row as long as a spot's state with its key. The readings go the
whole way of the product: `Observing.observe`, the ledger's memory, the writer's thread, the file. Both run in turns within one run, so
that the disk's mood is shared.

    python benchmarks/durable_readings.py [--rounds 5] [--readings 10000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from drivers.ports import SpotReading
from edge.ledger import Ledger
from edge.observing import Observing
from edge.store.cipher import PlateKeys
from edge.store.store import Store
from edge.system_clock import SystemClock
from edge.writer import GROUP_SIZE, ThreadWriter
from parking.ids import LotId, ZoneId, spot_id
from parking.lot import Lot, Spot, SpotType, Zone
from sync.failpoints import Failpoints

LOT = LotId("5f0c2b7e-2c45-4c0e-9d7b-6a3f6d3b2a10")
SPOTS = 500


def raw_rows_per_s(path: Path, rows: int) -> float:
    """Append `rows` rows in transactions of a group each; rows a second."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS raw (id INTEGER PRIMARY KEY, a TEXT, b TEXT, c INTEGER)")
    began = time.perf_counter()
    for first in range(0, rows, GROUP_SIZE):
        connection.execute("BEGIN")
        group = [(LOT, f"device-{number:032}", number) for number in range(first, first + GROUP_SIZE)]
        connection.executemany("INSERT INTO raw (a, b, c) VALUES (?, ?, ?)", group)
        connection.execute("COMMIT")
    took_s = time.perf_counter() - began
    connection.close()
    return rows / took_s


async def readings_per_s(
    observing: Observing, numbers: count[int], readings: int, devices: list[str]
) -> float:
    """Deliver `readings` as fast as they are taken, at most 2,000 unacknowledged; durable readings a second."""
    began = time.perf_counter()
    waiting: list[asyncio.Future[None]] = []
    for number in range(readings):
        key = str(next(numbers))
        reading = SpotReading(device=devices[number % SPOTS], occupied=number % 2 == 0, key=key)
        waiting.append(observing.observe(reading))
        if len(waiting) == 2_000:
            await asyncio.gather(*waiting)
            waiting.clear()
    await asyncio.gather(*waiting)
    return readings / (time.perf_counter() - began)


def a_lot() -> Lot:
    numbers = [f"A-{number:03}" for number in range(SPOTS)]
    yard = ZoneId("yard")
    spots = (Spot(id=spot_id(LOT, n), zone=yard, number=n, type=SpotType.REGULAR) for n in numbers)
    return Lot(
        id=LOT,
        name="Benchmark",
        timezone=ZoneInfo("UTC"),
        currency="EUR",
        latitude=0,
        longitude=0,
        zones=(Zone(id=yard, level="0"),),
        spots=tuple(spots),
        lanes=(),
    )


async def run(folder: Path, rounds: int, readings: int) -> dict[str, object]:
    clock = SystemClock()
    lot = a_lot()
    store = Store(folder / "ledger.sqlite", cipher=PlateKeys(bytes(32)), failpoints=Failpoints())
    ledger = Ledger.open(
        store, ThreadWriter(store.commit), lot=lot, gateway="g", epoch=1, boot="benchmark", clock=clock
    )
    devices = [f"device-{spot.number}" for spot in lot.spots]
    sensors = {device: spot.id for device, spot in zip(devices, lot.spots, strict=True)}
    observing = Observing(ledger, sensors=sensors, clock=clock)
    numbers = count()
    raw: list[float] = []
    durable: list[float] = []
    for _ in range(rounds):
        raw.append(raw_rows_per_s(folder / "raw.sqlite", readings))
        durable.append(await readings_per_s(observing, numbers, readings, devices))
    await ledger.close()
    return {
        "benchmark": "durable_readings",
        "rounds": rounds,
        "readings_per_round": readings,
        "raw_rows_per_s": round(median(raw)),
        "durable_readings_per_s": round(median(durable)),
        "ratio": round(median(d / r for d, r in zip(durable, raw, strict=True)), 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--readings", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        found = asyncio.run(run(Path(folder), asked.rounds, asked.readings))
    print(json.dumps(found))
    print(
        f"{found['durable_readings_per_s']:,} durable readings a second, {found['ratio']:.0%} of this disk's "
        f"{found['raw_rows_per_s']:,} raw rows a second in groups of {GROUP_SIZE}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
