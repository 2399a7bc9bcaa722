"""Searches a second, ours and PostgreSQL's alone, in one run: what the API costs on top of the query.

    .venv/bin/python benchmarks/search.py [--lots 100000] [--seconds 5] [--clients 8]

On a private database of its own (durable settings do not matter: nothing is written while it measures) it puts the real published lots of
../shared, where they are, and synthetic ones, half of them in one dense town. Then it asks for the nearest 20 within 1 km:

- database: `search_nearest` and `lines_of_lots` as the service asks them, prepared, over the same pool, without anything around it;
- service: `LotSearch.near`, with its total count and its objects;
- HTTP: GET /api/v1/parking-lots on a real server in a process of its own, with validation, JSON and ETag.

Points are drawn from the lots themselves, seeded. Client, server and database share this machine's cores: read the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import cycle
from pathlib import Path
from random import Random

import httpx
from psycopg import Connection
from psycopg.rows import DictRow

from cloud.bootstrap import Cloud, build_cloud
from cloud.database import connect
from cloud.migrating import migrate
from cloud.named_sql import named_sql
from cloud.parking_lots.importing import import_file
from cloud.parking_lots.search import Around, Slice, Sort
from cloud.settings import CloudSettings
from parking.geo import Point
from simulators.database import DatabaseCluster

SHARED_LIST = Path(__file__).parents[2] / "shared" / "data" / "car_parks.csv.gz"
QUERIES = named_sql("cloud.parking_lots")
FILL = (
    (
        b"INSERT INTO parking_lots (id, name, source, location, layout_hash)"
        b" SELECT md5(n::text)::uuid, 'Lot ' || n, 'import', ST_Point(CASE WHEN n %% 2 = 0"
        b" THEN 13.3 + (n * 7919 %% 10000) / 5e4 ELSE 6 + (n * 7919 %% 10007) / 1e3 END, CASE WHEN n %% 2 = 0"
        b" THEN 52.4 + (n * 104729 %% 10007) / 5e4 ELSE 47 + (n * 104729 %% 10009) / 1.5e3 END)::geography,"
        b" CASE WHEN n %% 10 = 0 THEN '\\x00'::bytea END FROM generate_series(1, %(lots)s::bigint) AS n"
    ),
    (
        b"INSERT INTO lot_counts (lot_id, type, total, sellable) SELECT id, type, 40, 11 FROM parking_lots,"
        b" unnest(ARRAY['regular', 'ev', 'disabled']) AS type WHERE source_reference IS NULL"
    ),
    b"ANALYZE",
)
Ask = Callable[[Point], Awaitable[object]]


def fill(url: str, lots: int) -> tuple[int, list[Point]]:
    """The lots, and 2,000 points near some of them."""
    with connect(url) as connection:
        real = import_file(connection, SHARED_LIST).added if SHARED_LIST.exists() else 0
        for statement in FILL:
            connection.execute(statement, {"lots": lots} if b"%(lots)s" in statement else None)
        return real, points_near(connection)


def points_near(connection: Connection[DictRow]) -> list[Point]:
    rows = connection.execute(
        b"SELECT ST_Y(location::geometry) AS lat, ST_X(location::geometry) AS lng FROM parking_lots ORDER BY id"
    ).fetchall()
    random = Random(1)
    chosen = random.choices(rows, k=2_000)
    return [
        Point(latitude=row["lat"] + random.gauss(0, 2e-3), longitude=row["lng"] + random.gauss(0, 3e-3))
        for row in chosen
    ]


async def measure(
    ask: Ask, points: list[Point], *, clients: int, seconds: float
) -> tuple[float, float, float]:
    """Searches a second, and p50 and p99 in milliseconds, after a warm-up of a fifth of the time."""
    taken_s: list[float] = []
    queue = cycle(points)
    begun = time.perf_counter()
    from_s, until_s = begun + seconds / 5, begun + seconds * 6 / 5

    async def client() -> None:
        while (started_s := time.perf_counter()) < until_s:
            await ask(next(queue))
            if started_s >= from_s:
                taken_s.append(time.perf_counter() - started_s)

    await asyncio.gather(*(client() for _ in range(clients)))
    taken_s.sort()
    return (
        len(taken_s) / seconds,
        1_000 * taken_s[len(taken_s) // 2],
        1_000 * taken_s[int(len(taken_s) * 0.99)],
    )


async def database_alone(cloud: Cloud, point: Point) -> object:
    asked = {**Around(point=point).parameters(), **Slice().parameters()}
    async with cloud.database.connection() as connection:
        return await (await connection.execute(QUERIES["search_nearest"], asked, prepare=True)).fetchall()


async def over_http(client: httpx.AsyncClient, point: Point) -> object:
    answer = await client.get("/api/v1/parking-lots", params={"lat": point.latitude, "lng": point.longitude})
    assert answer.status_code == 200, answer.text
    return answer


async def run(url: str, address: str, points: list[Point], options: argparse.Namespace) -> None:
    settings = CloudSettings(database_url=url, pool_min=options.clients, pool_max=options.clients)
    cloud = build_cloud(settings, {})
    limits = httpx.Limits(max_connections=options.clients)
    async with cloud.database, httpx.AsyncClient(base_url=address, limits=limits, timeout=30) as client:
        ways: dict[str, Ask] = {
            "database": lambda point: database_alone(cloud, point),
            "service": lambda point: cloud.search.near(Around(point=point), Slice(), Sort.DISTANCE),
            "HTTP": lambda point: over_http(client, point),
        }
        base = 0.0
        print(f"{'':<10}{'searches/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'of the database alone':>24}")
        for clients in (1, options.clients):
            for name, ask in ways.items():
                rate, p50, p99 = await measure(ask, points, clients=clients, seconds=options.seconds)
                base = rate if name == "database" else base
                label = f"{name} × {clients}"
                print(f"{label:<14}{rate:>8.0f}{p50:>9.2f}{p99:>9.2f}{rate / base:>22.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--lots", type=int, default=100_000, help="synthetic lots")
    parser.add_argument("--seconds", type=float, default=5.0, help="measured time of each way")
    parser.add_argument("--clients", type=int, default=8, help="at the same time")
    options = parser.parse_args()
    cluster = DatabaseCluster()
    cluster.start()
    try:
        url = cluster.create_database("search")
        migrate(url)
        real, points = fill(url, options.lots)
        print(
            f"{real} real and {options.lots} synthetic lots, 20 nearest within 1 km, load {os.getloadavg()[0]:.1f}"
        )
        with tempfile.TemporaryDirectory() as folder:
            serve(url, Path(folder), points, options)
    finally:
        cluster.stop()


def serve(url: str, folder: Path, points: list[Point], options: argparse.Namespace) -> None:
    """Measure against `lotgate cloud serve` in a process of its own."""
    port_file = folder / "port"
    environment = {
        **os.environ,
        "LOTGATE_CLOUD_DATABASE_URL": url,
        "LOTGATE_CLOUD_POOL_MAX": str(2 * options.clients + 2),
    }
    command = [
        sys.executable,
        "-m",
        "lotgate",
        "cloud",
        "serve",
        "--port",
        "0",
        "--port-file",
        str(port_file),
    ]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            while not port_file.exists() and server.poll() is None:
                time.sleep(0.05)
            address = f"http://127.0.0.1:{port_file.read_text().strip()}"
            asyncio.run(run(url, address, points, options))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
