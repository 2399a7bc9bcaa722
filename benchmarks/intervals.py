"""Is this spot free then? Our interval index, a plain scan, the package intervaltree and PostgreSQL's exclusion constraint, at 1k, 100k and 1M claims.

All claims are of one spot, an hour each with an hour between, which is the worst case of an index per spot. Half of the windows that are asked for are free.
Measured are a question (`asked_us`), and a claim taken where it is free and given back (`taken_us`); medians. The database answers over a local socket
with durability off and one statement a transaction, as the centre takes a claim: `INSERT … ON CONFLICT DO NOTHING RETURNING`; its planner is kept from
scanning the table.

How long each way takes to be filled is `filled_s`: the database by COPY under the constraint's index built afterwards, intervaltree from all its tuples at once, ours claim by
claim. A question of intervaltree looks at all its bounds, so it is asked fewer times, as the scan is. All of it takes under five minutes.

`growth` is the time of a question at the largest size over that at the smallest; log n of the two would be 2.0, n would be 1,000.

    python benchmarks/intervals.py [--sizes 1000,100000,1000000] [--asked 2000]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median

import psycopg
from intervaltree import IntervalTree
from psycopg.types.range import Range

from parking.claims import Claim, ClaimKind, ClaimState
from parking.conflicts import SpotTimeline
from parking.ids import ClaimId, SpotId
from parking.interval import Interval
from parking.lot import SpotType, Tier
from simulators.database import DatabaseCluster

FIRST_AT = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MOST_SCANNED = 3_000_000
"""Claims that slow ways may look at in all: they are asked fewer times where there are many."""
DATABASE_ASKED = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to answer: `ask` is whether a window is free, `take` takes a free one and gives it back."""

    ask: Callable[[Interval], bool]
    take: Callable[[Interval], object]
    asked: int


def window_of(hour: int, lasts: timedelta = HOUR) -> Interval:
    """The window that starts so many hours after the first."""
    starts_at = FIRST_AT + hour * HOUR
    return Interval(starts_at, starts_at + lasts)


def claim_of(number: int, window: Interval) -> Claim:
    return Claim(
        id=ClaimId(f"claim-{number}"),
        spot=SpotId("spot"),
        type=SpotType.REGULAR,
        window=window,
        kind=ClaimKind.BOOKING,
        holder_kind="reservation",
        holder_id="holder",
        state=ClaimState.FIRM,
        sold_by=Tier.EDGE,
        epoch=1,
    )


def _few(asked: int, claims: int) -> int:
    return max(4, min(asked, MOST_SCANNED // claims))


@contextmanager
def timeline(claims: int, asked: int) -> Iterator[Way]:
    """Ours: two sorted lists and `bisect`."""
    line = SpotTimeline()
    for number in range(claims):
        line.insert(claim_of(number, window_of(2 * number)))

    def take(window: Interval) -> None:
        claim = claim_of(-1, window)
        line.insert(claim)
        line.remove(claim)

    yield Way(ask=line.is_free, take=take, asked=asked)


@contextmanager
def scan(claims: int, asked: int) -> Iterator[Way]:
    """A list that is looked through."""
    windows = [window_of(2 * number) for number in range(claims)]

    def ask(window: Interval) -> bool:
        return not any(window.overlaps(other) for other in windows)

    def take(window: Interval) -> None:
        if ask(window):
            windows.append(window)
            windows.pop()

    yield Way(ask=ask, take=take, asked=_few(asked, claims))


@contextmanager
def tree(claims: int, asked: int) -> Iterator[Way]:
    """The package intervaltree: a balanced tree of nodes in Python."""
    windows = (window_of(2 * number) for number in range(claims))
    tuples = ((one.starts_at, one.ends_at) for one in windows)
    kept = IntervalTree.from_tuples(tuples)

    def take(window: Interval) -> None:
        if not kept.overlaps(window.starts_at, window.ends_at):
            kept.addi(window.starts_at, window.ends_at)
            kept.removei(window.starts_at, window.ends_at)

    def ask(window: Interval) -> bool:
        return not kept.overlaps(window.starts_at, window.ends_at)

    yield Way(ask=ask, take=take, asked=_few(asked, claims))


@contextmanager
def constraint(url: str, claims: int, asked: int) -> Iterator[Way]:
    """PostgreSQL: the exclusion constraint of the centre's claims, alone in a table."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET maintenance_work_mem = '1GB'")
        connection.execute("DROP TABLE IF EXISTS claims")
        connection.execute("CREATE TABLE claims (spot text NOT NULL, during tstzrange NOT NULL)")
        with connection.cursor() as cursor, cursor.copy("COPY claims (spot, during) FROM STDIN") as rows:
            for number in range(claims):
                window = window_of(2 * number)
                rows.write_row(("spot", Range(window.starts_at, window.ends_at)))
        connection.execute(
            "ALTER TABLE claims ADD CONSTRAINT taken_once EXCLUDE USING gist (spot WITH =, during WITH &&)"
        )
        connection.execute("ANALYZE claims")

        def ask(window: Interval) -> bool:
            found = connection.execute(
                "SELECT 1 FROM claims WHERE spot = 'spot' AND during && tstzrange(%s, %s) LIMIT 1",
                (window.starts_at, window.ends_at),
                prepare=True,
            )
            return found.fetchone() is None

        def take(window: Interval) -> None:
            taken = connection.execute(
                "INSERT INTO claims VALUES ('spot', tstzrange(%s, %s)) ON CONFLICT DO NOTHING RETURNING 1",
                (window.starts_at, window.ends_at),
                prepare=True,
            )
            if taken.fetchone() is not None:
                connection.execute(
                    "DELETE FROM claims WHERE spot = 'spot' AND during = tstzrange(%s, %s)",
                    (window.starts_at, window.ends_at),
                    prepare=True,
                )

        yield Way(ask=ask, take=take, asked=min(asked, DATABASE_ASKED))


def measured(way: Way, claims: int) -> dict[str, float]:
    """Medians in microseconds over windows spread over all claims, every other one free."""
    draw = Random(1)
    hours = [2 * draw.randrange(claims) + number % 2 for number in range(way.asked)]
    asking, taking = [], []
    for hour in hours:
        window = window_of(hour)
        began = time.perf_counter_ns()
        free = way.ask(window)
        asking.append(time.perf_counter_ns() - began)
        assert free is (hour % 2 == 1), "the ways must agree"
        if free:
            began = time.perf_counter_ns()
            way.take(window)
            taking.append(time.perf_counter_ns() - began)
    return {"asked_us": round(median(asking) / 1_000, 2), "taken_us": round(median(taking) / 1_000, 2)}


def run(sizes: Sequence[int], asked: int, url: str) -> dict[str, dict[str, dict[str, float]]]:
    """Every way at every size; one is gone before the next is made."""
    ways: Mapping[str, Callable[[int, int], AbstractContextManager[Way]]] = {
        "ours": timeline,
        "scan": scan,
        "intervaltree": tree,
        "constraint": lambda claims, times: constraint(url, claims, times),
    }
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, make in ways.items():
        for claims in sizes:
            gc.disable()  # nobody else's garbage is measured
            began_s = time.perf_counter()
            with make(claims, asked) as way:
                filled_s = time.perf_counter() - began_s
                found.setdefault(name, {})[str(claims)] = {
                    **measured(way, claims),
                    "filled_s": round(filled_s, 2),
                }
            gc.enable()
            gc.collect()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--sizes", default="1000,100000,1000000", help="claims of the spot")
    parser.add_argument("--asked", type=int, default=2_000, help="questions of each way, fewer of slow ones")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    load = os.getloadavg()[0]
    cluster = DatabaseCluster()
    cluster.start()
    began_s = time.perf_counter()
    try:
        url = cluster.create_database("intervals")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION btree_gist")
        found = run(sizes, options.asked, url)
    finally:
        cluster.stop()
    growth = {}
    for name, by in found.items():
        smallest, *_, largest = by.values()
        growth[name] = round(largest["asked_us"] / smallest["asked_us"], 1)
    took_s = round(time.perf_counter() - began_s)
    report = {
        "benchmark": "intervals",
        "load": round(load, 1),
        "took_s": took_s,
        "ways": found,
        "growth": growth,
    }
    print(json.dumps(report))
    for name, by in found.items():
        told = ", ".join(
            f"{int(size):,}: {us['asked_us']:g} µs (filled in {us['filled_s']:g} s)"
            for size, us in by.items()
        )
        print(f"{name:<13} {told}; grows {growth[name]:g} times")
    return 0


if __name__ == "__main__":
    sys.exit(main())
