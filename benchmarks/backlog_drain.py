"""Fourteen days without a line, and then it is back: how fast the backlog goes up, and what the lanes feel of it.

    python benchmarks/backlog_drain.py [--rows 170000]

Everything is real and a process of its own: the agent with its link (which paces itself, see sync/pace.py), the centre, PostGIS with fsync. The log is what
the lanes themselves wrote for cars that came, paid and left. While it drains cars go on through six lanes; when it is drained they go on
for as many again, so that both are seen in one run. At the end the centre's rows are compared with the gateway's, byte by byte.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.parts.big_lot import LOT_ID, BigLot, fill, write_big_lot
from benchmarks.parts.disk import Disk, three
from benchmarks.parts.lanes_at_work import LanesAtWork
from cloud.migrating import migrate
from simulators.broker import Broker
from simulators.database import DatabaseCluster
from simulators.differences import log_differences
from simulators.evidence import read_cloud, read_edge
from simulators.gateway_watch import GatewayWatch
from simulators.programs import Program, lotgate, run_once
from sync.pace import PaceSettings

LIMIT_S = 15 * 60
AFTER = 300
MOST_SLOWER = 2.0
"""How many times as long as afterwards a lane may take while the backlog goes up (p99). The centre and its database, which a lot does not
have beside it, work on the same cores here: what one decision may take is measured by decision_latency.py."""


async def enrolled(lot_folder: Path, cloud_url: str, broker_port: int, environment: dict[str, str]) -> BigLot:
    """A lot whose gateway is enrolled with the centre."""
    lot = write_big_lot(lot_folder, cloud_url=cloud_url, broker_port=broker_port)
    invite = lotgate("cloud", "gateways", "invite", "--lot", LOT_ID)
    code = await run_once("invite", invite, environment, lot_folder / "invite.log")
    command = lotgate("edge", "enrol", "--config", str(lot.toml), "--code", code)
    await run_once("enrol", command, environment, lot_folder / "enrol.log")
    return lot


async def drained(watch: GatewayWatch, rows: int) -> float:
    """When the centre has acknowledged the whole backlog, as monotonic seconds."""
    await watch.wait_until(lambda state: state.acknowledged_seq >= rows, LIMIT_S)
    return time.perf_counter()


async def measure(folder: Path, url: str, rows: int) -> dict[str, object]:
    environment = {"LOTGATE_CLOUD_DATABASE_URL": url, "LOTGATE_CLOUD_KEY_FILE": str(folder / "cloud.key")}
    broker = Broker(folder)
    await asyncio.to_thread(broker.start)
    cloud = Program(
        name="cloud",
        command=lotgate("cloud", "serve", "--port", "0", "--port-file", str(folder / "cloud.port")),
        environment=environment,
        log=folder / "cloud.log",
    )
    await cloud.start()
    try:
        port = await cloud.wait_for_file(folder / "cloud.port", 60.0)
        lot = await enrolled(folder / "lot", f"ws://127.0.0.1:{port}/api/v1/link", broker.port, environment)
        tickets = await fill(lot, rows, fresh=300)
        lanes = LanesAtWork(lot, tickets, broker_port=broker.port)
        return await line_back(lanes, Disk(folder / "disk.sqlite"), lot.ledger, url, rows)
    finally:
        await cloud.stop()
        broker.stop()


async def line_back(lanes: LanesAtWork, disk: Disk, ledger: Path, url: str, rows: int) -> dict[str, object]:
    commit_ms = list[float]()
    async with GatewayWatch(url, LOT_ID) as watch:
        began = time.perf_counter()
        waiting = asyncio.create_task(drained(watch, rows))
        async with lanes:
            beside = asyncio.create_task(disk.commit_beside(commit_ms))
            await lanes.work(lambda: not waiting.done())
            seconds = await waiting - began
            load = os.getloadavg()[0]
            while_draining = lanes.decided()
            await lanes.work(lambda: lanes.count() < AFTER)
            afterwards = lanes.decided()
            beside.cancel()
            logged = (await asyncio.to_thread(read_edge, ledger)).log
            await watch.wait_until(lambda state: state.acknowledged_seq >= logged[-1].seq, 60.0)
    disk.close()
    edge = await asyncio.to_thread(read_edge, ledger)
    centre = await asyncio.to_thread(read_cloud, url, LOT_ID)
    acknowledged = [row for row in edge.log if row.seq <= centre.inbox[-1].seq]
    differences = log_differences(acknowledged, centre.inbox)
    pace = PaceSettings().rate_per_s
    return {
        "benchmark": "backlog_drain",
        "events": rows,
        "seconds": round(seconds, 1),
        "events_per_s": round(rows / seconds),
        "pace_per_s": pace,
        "share_of_pace": round(rows / seconds / pace, 2),
        "share_of_limit": round(seconds / LIMIT_S, 3),
        "agent_start_s": round(lanes.start_s, 2),
        "events_lost": differences.lost,
        "events_duplicated": differences.duplicated,
        "quarantined": centre.outcomes.get("quarantined", 0),
        "conflicts": centre.conflicts,
        "decision_ms_while_draining": three([ms for found in while_draining.values() for ms in found]),
        "decision_ms_afterwards": three([ms for found in afterwards.values() for ms in found]),
        "durable_commit_ms": three(commit_ms),
        "limit_s": LIMIT_S,
        "load": round(load, 1),
    }


def main() -> int:
    """Print the figures; 1 where a limit is not kept or an event is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=170_000)
    asked = parser.parse_args()
    cluster = DatabaseCluster(durable=True)
    try:
        cluster.start()
        url = cluster.create_database("backlog")
        migrate(url)
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            found = asyncio.run(measure(Path(folder), url, asked.rows))
    finally:
        cluster.stop()
    draining, after = found["decision_ms_while_draining"], found["decision_ms_afterwards"]
    assert isinstance(draining, dict)
    assert isinstance(after, dict)
    print(
        f"{found['events']:,} events drained in {found['seconds']} s, {found['events_per_s']:,} a second "
        f"({found['share_of_pace']:.0%} of the pace that the link keeps); meanwhile a lane decides in p50 {draining['p50']} ms, "
        f"p99 {draining['p99']} ms, afterwards p50 {after['p50']} ms, p99 {after['p99']} ms ({draining['p99'] / after['p99']:.1f} times)"
    )
    print(json.dumps(found))
    wrong = sum(
        int(str(found[name])) for name in ("events_lost", "events_duplicated", "quarantined", "conflicts")
    )
    kept = float(str(found["seconds"])) < LIMIT_S and draining["p99"] < MOST_SLOWER * after["p99"]
    return 0 if kept and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
