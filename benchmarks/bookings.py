"""Bookings a second through the whole two-phase commit, with the payment authorised: one lot, and two hundred.

A booking that is measured is one `confirm` over HTTP: begin, prepare to the lot, its vote from its own disk, the decision. The centre is `lotgate cloud
serve` in a process of its own on a durable PostgreSQL; the provider is the simulator in another; the lots live in this process, each with its real
ledger on this disk and its real link over a WebSocket (benchmarks/parts/linked_lots.py), and so do the drivers. Drafts are made and paid before the
clock starts; captures go on beside what is measured.

`postgresql_commits_per_s` is what the same server does alone in the same run: one small row a transaction, from as many connections as there are
drivers. A booking is several such commits at the centre, and two on the lot's disk.

    python benchmarks/bookings.py [--lots 1,200] [--bookings 100] [--drivers 8]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import psycopg
import structlog

from benchmarks.parts.disk import percentile
from benchmarks.parts.linked_lots import Enrolled, enrol, linked, lot_of
from cloud.bootstrap import build_cloud
from cloud.migrating import migrate
from cloud.settings import CloudSettings
from edge.ledger import Ledger
from parking.tariff_document import parse_tariff
from simulators.database import DatabaseCluster
from simulators.demo_provider import DemoProvider
from simulators.programs import Program, lotgate

START_S = 60.0
ALONE_S = 4.0
TOKEN = "benchmark-token-0123"  # noqa: S105 - the development token of a database that lives for a minute
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAYS = {"Authorization": "Bearer pk_test_benchmark"}
TARIFF = parse_tariff(
    {
        "id": "benchmark",
        "version": 1,
        "currency": "EUR",
        "timezone": "UTC",
        "rate": [{"per_min": 60, "price": "2.50"}],
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """Where centre and provider are."""

    database_url: str
    http: str
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How much is measured."""

    bookings: int
    drivers: int


async def commits_per_s(url: str, connections: int) -> float:
    """What PostgreSQL does alone: one small row a durable transaction."""
    done = 0
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as first:
        await first.execute("CREATE TABLE IF NOT EXISTS alone (id bigserial PRIMARY KEY, body bytea)")
    until = time.perf_counter() + ALONE_S

    async def commit() -> None:
        nonlocal done
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            while time.perf_counter() < until:
                await connection.execute("INSERT INTO alone (body) VALUES (%s)", (bytes(200),))
                done += 1

    await asyncio.gather(*(commit() for _ in range(connections)))
    return done / ALONE_S


async def enrolled_lots(centre: Centre, count: int, spots: int) -> list[Enrolled]:
    """So many lots with a gateway each, and the tariff that they sell by."""
    settings = CloudSettings(database_url=centre.database_url, pool_min=1, pool_max=2)
    cloud = build_cloud(settings, {})
    found = []
    async with cloud.database:
        for number in range(count):
            lot = lot_of(1_000 * count + number, spots)
            code = await cloud.gateways.invite(UUID(lot.id))
            found.append(await asyncio.to_thread(enrol, centre.http, lot, code))
            await cloud.gateways.put_tariff(UUID(lot.id), TARIFF, datetime.now(UTC) - timedelta(days=1))
    return found


async def paid_draft(client: httpx.AsyncClient, centre: Centre, lot: str) -> str:
    """A reservation whose money is held."""
    starts_at = datetime.now(UTC) + timedelta(hours=2)
    window = {"starts_at": starts_at.isoformat(), "ends_at": (starts_at + timedelta(hours=2)).isoformat()}
    quote = await client.post("/api/v1/quotes", json={"lot": lot, "type": "regular", **window})
    quote.raise_for_status()
    headers = {**BEARER, "Idempotency-Key": str(uuid4())}
    draft = await client.post("/api/v1/reservations", json={"quote": quote.json()["quote"]}, headers=headers)
    draft.raise_for_status()
    secret = str(draft.json()["payment"]["client_secret"])
    form = {"client_secret": secret, "payment_method": "pm_card_visa"}
    intent = secret.partition("_secret_")[0]
    paid = await client.post(
        f"{centre.provider}/v1/payment_intents/{intent}/confirm", data=form, headers=PAYS
    )
    paid.raise_for_status()
    return str(draft.json()["id"])


async def all_applied(ledgers: Sequence[Ledger]) -> None:
    """Until the centre has every lot's log: before that it sells nothing of it."""
    async with asyncio.timeout(START_S):
        while True:
            if all(ledger.acknowledged_seq == ledger.last_seq for ledger in ledgers):
                return
            await asyncio.sleep(0.1)


async def bookings(centre: Centre, lots: Sequence[Enrolled], asked: Asked, folder: Path) -> dict[str, object]:
    """Prepare, then measure."""
    async with (
        linked(centre.http, lots, folder) as ledgers,
        httpx.AsyncClient(base_url=centre.http, timeout=60.0) as client,
    ):
        await all_applied(ledgers)
        waiting = [lots[number % len(lots)].lot.id for number in range(asked.bookings)]
        drafts: list[str] = []

        async def prepare() -> None:
            while waiting:
                drafts.append(await paid_draft(client, centre, waiting.pop()))

        await asyncio.gather(*(prepare() for _ in range(asked.drivers)))
        took_ms: list[float] = []
        outcomes: Counter[str] = Counter()

        async def confirm() -> None:
            while drafts:
                began = time.perf_counter()
                answer = await client.post(f"/api/v1/reservations/{drafts.pop()}/confirm", headers=BEARER)
                took_ms.append((time.perf_counter() - began) * 1_000)
                said = "booked" if answer.status_code == 200 else answer.json().get("reason")
                outcomes[str(said or answer.status_code)] += 1

        began = time.perf_counter()
        await asyncio.gather(*(confirm() for _ in range(asked.drivers)))
        took_s = time.perf_counter() - began
    return {
        "lots": len(lots),
        "bookings_per_s": round(outcomes["booked"] / took_s, 1),
        "p50_ms": round(percentile(took_ms, 50), 1),
        "p99_ms": round(percentile(took_ms, 99), 1),
        "outcomes": dict(outcomes),
    }


async def run(url: str, folder: Path, lot_counts: Sequence[int], asked: Asked) -> dict[str, object]:
    provider = DemoProvider(folder, seed=1)
    environment = {
        "LOTGATE_CLOUD_DATABASE_URL": url,
        "LOTGATE_CLOUD_TOKENS": TOKEN,
        "LOTGATE_CLOUD_KEY_FILE": str(folder / "cloud.key"),
        "LOTGATE_CLOUD_POOL_MAX": str(max(12, 2 * asked.drivers + 4)),
    }
    await provider.start(environment, START_S)
    port_file = folder / "port"
    cloud = Program(
        name="cloud",
        command=lotgate("cloud", "serve", "--port", "0", "--port-file", str(port_file)),
        environment={**environment, **provider.for_centre},
        log=folder / "cloud.log",
    )
    try:
        alone = await commits_per_s(url, asked.drivers)
        await cloud.start()
        http = f"http://127.0.0.1:{int(await cloud.wait_for_file(port_file, START_S))}"
        centre = Centre(database_url=url, http=http, provider=provider.base)
        found = []
        for count in lot_counts:
            lots = await enrolled_lots(centre, count, max(4, 2 * asked.bookings // count))
            found.append(await bookings(centre, lots, asked, folder))
    finally:
        await cloud.stop()
        await provider.stop()
    return {
        "drivers": asked.drivers,
        "postgresql_commits_per_s": round(alone),
        "runs": [
            {**one, "ratio_to_postgresql": round(float(str(one["bookings_per_s"])) / alone, 3)}
            for one in found
        ],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--lots", default="1,200", help="how many lots, a run each")
    parser.add_argument("--bookings", type=int, default=100, help="measured in each run")
    parser.add_argument("--drivers", type=int, default=8, help="at the same time")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    load = os.getloadavg()[0]
    asked = Asked(bookings=options.bookings, drivers=options.drivers)
    counts = [int(count) for count in options.lots.split(",")]
    cluster = DatabaseCluster(durable=True)
    cluster.start()
    try:
        url = cluster.create_database("bookings")
        migrate(url)
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            found = asyncio.run(run(url, Path(folder), counts, asked))
    finally:
        cluster.stop()
    print(json.dumps({"benchmark": "bookings", "load": round(load, 1), **found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
