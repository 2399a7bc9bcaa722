"""What a reader gone mad, a pulled plug and a dead broker cost a reader that works: python benchmarks/driver_troubles.py [ROUNDS].

Four drivers under their supervisors share one loop, as in an agent; the devices are another process. Quiet and trouble take turns, two seconds
each, so that all are measured in one run: quiet · a reader that sends 10,000 lines of rubbish a second · a plug that is out · a broker that is
dead. Meanwhile the reader that works scans a code every 10 ms; the latency is from its bytes on the wire to the reading in the sink (and says
nothing of a serial line's own time). The trouble's process competes for the same cores.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from drivers.back_off import BackOff
from drivers.ports import CodeReading, Reading
from drivers.registry import make_driver
from drivers.supervisor import Supervisor
from simulators.broker import HOST, Broker
from simulators.wire.pty import Pty

TURN_S = 2.0
SETTLED_S = 0.2
SCAN_EVERY_S = 0.01
LINES_A_TICK = 100
TURNS = ("quiet", "mad", "unplugged", "no broker")
RUBBISH = b"\xff12345678\r" * LINES_A_TICK
LOCAL_WIRE = BackOff(first_s=0.25, ceiling_s=2.0)


class Latencies:
    """Knows from its text when a code was put on the wire, and in whose turn."""

    def __init__(self) -> None:
        self.by_turn: dict[str, list[float]] = defaultdict(list)

    def deliver(self, reading: Reading) -> asyncio.Future[None]:
        """Every reading is durable at once."""
        if isinstance(reading, CodeReading) and reading.text.startswith("AT "):
            _, sent_at, turn = reading.text.split(" ", 2)
            self.by_turn[turn].append(1_000 * (time.monotonic() - float(sent_at)))
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        durable.set_result(None)
        return durable

    def alive(self) -> None:
        """Nothing is counted here."""


def simulate(folder: Path, rounds: int, told: Connection) -> None:
    """Be the devices and their troubles."""
    good, mad, pulled = (Pty(folder / name) for name in ("good", "mad", "pulled"))
    for pty in (good, mad, pulled):
        pty.plug()
    broker = Broker(folder)
    broker.start()
    told.send(broker.port)
    told.recv()
    for turn in TURNS * rounds:
        with _troubled(turn, pulled, broker):
            began_at, rubbish = time.monotonic(), turn == "mad"
            for tick in itertools.count(1):
                passed_s = time.monotonic() - began_at
                if passed_s >= TURN_S:
                    break
                if passed_s >= SETTLED_S:
                    good.write(f"AT {time.monotonic()} {turn}\r".encode())
                if rubbish:
                    mad.write(RUBBISH)
                time.sleep(max(0.0, began_at + tick * SCAN_EVERY_S - time.monotonic()))
    broker.stop()


@contextmanager
def _troubled(turn: str, pulled: Pty, broker: Broker) -> Iterator[None]:
    if turn == "unplugged":
        pulled.unplug()
    elif turn == "no broker":
        broker.stop()
    yield
    if turn == "unplugged":
        pulled.plug()
    elif turn == "no broker":
        broker.start()


async def measure(
    folder: Path, rounds: int, port: int, begin: Connection, devices: multiprocessing.Process
) -> dict[str, object]:
    """Run the drivers until the devices have done their turns."""
    sink = Latencies()
    readers = {
        name: {"port": str(folder / name), "lines_per_s": 500 if name == "good" else 50}
        for name in ("good", "mad", "pulled")
    }
    tables: list[tuple[str, str, Mapping[str, object]]] = [
        ("serial_reader", name, table) for name, table in readers.items()
    ]
    mqtt: Mapping[str, object] = {
        "host": HOST,
        "port": port,
        "topics": ["x/#"],
        "format": "json",
        "json": {"device": "$.d", "occupied": "$.o"},
    }
    supervisors = [
        Supervisor(
            name,
            make_driver(kind, name, table),
            sink,
            random=Random(1),
            monotonic=time.monotonic,
            back_off=LOCAL_WIRE,
        )
        for kind, name, table in [*tables, ("mqtt", "sensors", mqtt)]
    ]
    tasks = [asyncio.create_task(supervisor.run()) for supervisor in supervisors]
    await asyncio.sleep(1.0)
    begin.send("begin")
    cpu = time.process_time()
    await asyncio.to_thread(devices.join)
    cpu_s = time.process_time() - cpu
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    told = {turn: _quantiles(sink.by_turn[turn]) for turn in TURNS}
    health = {
        one.name: f"{one.restarts} restarts, {one.last_error}" for one in (s.health() for s in supervisors)
    }
    ratios = {turn: round(told[turn]["p50_ms"] / told["quiet"]["p50_ms"], 2) for turn in TURNS}
    return {
        "load": os.getloadavg()[0],
        "latency": told,
        "p50_to_quiet": ratios,
        "cpu_share": round(cpu_s / (rounds * len(TURNS) * TURN_S), 3),
        "health": health,
    }


def _quantiles(latencies_ms: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(latencies_ms, n=100)
    return {
        "codes": len(latencies_ms),
        "p50_ms": round(cuts[49], 3),
        "p95_ms": round(cuts[94], 3),
        "p99_ms": round(cuts[98], 3),
    }


def main() -> None:
    """Measure and print one JSON object."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as name:
        ours, theirs = multiprocessing.Pipe()
        devices = multiprocessing.Process(target=simulate, args=(Path(name), rounds, theirs), daemon=True)
        devices.start()
        port = ours.recv()
        print(json.dumps(asyncio.run(measure(Path(name), rounds, port, ours, devices)), indent=1))


if __name__ == "__main__":
    main()
