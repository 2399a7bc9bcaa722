"""Sales a second out of a lot's own spots, as a ratio to the durable commits that the same disk does in the same run.

A sale is all of it: the book of 500 spots says whether something is left, packs, the claim with its row of the log is one change in memory and on the
disk, and it counts when the disk has it. `one_by_one` waits for each before the next, as one kiosk does; `together` is sold from so many tasks at once,
which share what the writer groups. The raw limit is SQLite alone (WAL, synchronous FULL), one small row a transaction. Both run in turns.

    python benchmarks/local_sale.py [--rounds 5] [--sales 400] [--sellers 6]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from statistics import median

from benchmarks.parts.disk import Disk, percentile
from benchmarks.parts.linked_lots import lot_of
from edge.change import Change
from edge.ledger import Ledger
from edge.store.cipher import PlateKeys
from edge.store.store import Store
from edge.system_clock import SystemClock
from edge.writer import ThreadWriter
from parking.book import ClaimRequest, Sale
from parking.claims import ClaimKind
from parking.ids import ClaimId
from parking.interval import Interval
from parking.lot import SpotType
from sync.failpoints import Failpoints

SPOTS = 500
HOUR = timedelta(hours=1)


def windows() -> Iterator[Interval]:
    """Every spot once an evening, evening after evening: there is always something to sell."""
    first_at = datetime.now(UTC) + HOUR
    for number in count():
        starts_at = first_at + (number // (SPOTS - 50)) * 2 * HOUR
        yield Interval(starts_at, starts_at + HOUR)


async def sell(ledger: Ledger, window: Interval, number: int) -> None:
    """One sale, durable on return."""
    now = datetime.now(UTC)
    asked = ClaimRequest(
        id=ClaimId(f"claim-{number}"),
        type=SpotType.REGULAR,
        window=window,
        kind=ClaimKind.BOOKING,
        holder_kind="reservation",
        holder_id=f"holder-{number}",
        epoch=ledger.epoch,
    )
    sold = ledger.book.sell(asked, now=now)
    assert isinstance(sold, Sale), sold
    await ledger.commit(Change.record(at=now, claims=sold.claims), urgent=True)


async def sales_per_s(
    ledger: Ledger, wanted: Iterator[tuple[int, Interval]], sales: int, sellers: int
) -> tuple[float, list[float]]:
    """So many sales by so many tasks at once: a second, and what each took in milliseconds."""
    took_ms: list[float] = []
    left = iter(range(sales))

    async def seller() -> None:
        for _ in left:
            number, window = next(wanted)
            began = time.perf_counter()
            await sell(ledger, window, number)
            took_ms.append((time.perf_counter() - began) * 1_000)

    began = time.perf_counter()
    await asyncio.gather(*(seller() for _ in range(sellers)))
    return sales / (time.perf_counter() - began), took_ms


async def run(folder: Path, rounds: int, sales: int, sellers: int) -> dict[str, object]:
    store = Store(folder / "ledger.sqlite", cipher=PlateKeys(bytes(32)), failpoints=Failpoints())
    ledger = Ledger.open(
        store,
        ThreadWriter(store.commit),
        lot=lot_of(1, SPOTS),
        gateway="g",
        epoch=1,
        boot="benchmark",
        clock=SystemClock(),
    )
    disk = Disk(folder / "raw.sqlite")
    wanted = enumerate(windows())
    rates: dict[str, list[float]] = {"raw": [], "one_by_one": [], "together": []}
    took: dict[str, list[float]] = {"one_by_one": [], "together": []}
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(sales):
            disk.commit_ms()
        rates["raw"].append(sales / (time.perf_counter() - began))
        for name, at_once in (("one_by_one", 1), ("together", sellers)):
            rate, took_ms = await sales_per_s(ledger, wanted, sales, at_once)
            rates[name].append(rate)
            took[name] += took_ms
    disk.close()
    await ledger.close()
    return {
        "raw_commits_per_s": round(median(rates["raw"])),
        "sellers": sellers,
        **{
            name: {
                "sales_per_s": round(median(rates[name])),
                "ratio_to_raw": round(
                    median(ours / raw for ours, raw in zip(rates[name], rates["raw"], strict=True)), 3
                ),
                "p50_ms": round(percentile(took_ms, 50), 2),
                "p99_ms": round(percentile(took_ms, 99), 2),
            }
            for name, took_ms in took.items()
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sales", type=int, default=400, help="in each round and way")
    parser.add_argument("--sellers", type=int, default=6, help="at the same time, where they sell together")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        found = asyncio.run(run(Path(folder), options.rounds, options.sales, options.sellers))
    print(json.dumps({"benchmark": "local_sale", "load": round(load, 1), **found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
