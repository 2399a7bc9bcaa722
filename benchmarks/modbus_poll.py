"""What six barrier controllers, each polled 25 times a second, cost: python benchmarks/modbus_poll.py.

Driver and simulated bus are two processes, as in a lot. A pseudo-terminal has no baud rate, so this says what the
processor does and nothing about the wire.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path

from drivers.ports import Move, MoveArm, Reading
from drivers.registry import make_driver
from simulators.barrier import Barrier
from simulators.wire.modbus_barrier import ModbusBarrierBus
from simulators.wire.pty import Pty

UNITS = 6
MEASURED_S = 5.0
COMMANDS = 200


class CountingSink:
    """Counts answered polls."""

    polls = 0

    def deliver(self, reading: Reading) -> asyncio.Future[None]:
        """Every reading is durable at once."""
        del reading
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        durable.set_result(None)
        return durable

    def alive(self) -> None:
        """One poll was answered."""
        self.polls += 1


def simulate(link: Path, ready: Event, done: Event) -> None:
    """Be the bus until told to end."""

    async def answer() -> None:
        barriers = {unit: Barrier() for unit in range(1, UNITS + 1)}
        bus = ModbusBarrierBus(Pty(link), barriers, monotonic=time.monotonic)
        bus.start()
        ready.set()
        await asyncio.to_thread(done.wait)
        bus.stop()

    asyncio.run(answer())


async def measure(link: Path) -> dict[str, float]:
    """Poll, then command while polling."""
    units = {f"lane-{unit}": unit for unit in range(1, UNITS + 1)}
    driver = make_driver("modbus_barrier", "bus", {"port": str(link), "baud": 115_200, "units": units})
    sink = CountingSink()
    task = asyncio.create_task(driver.run(sink))
    await asyncio.sleep(0.5)
    polls, cpu, began = sink.polls, time.process_time(), time.perf_counter()
    await asyncio.sleep(MEASURED_S)
    elapsed_s = time.perf_counter() - began
    polls, cpu_s = sink.polls - polls, time.process_time() - cpu
    waits_ms = []
    for number in range(COMMANDS):
        asked = time.perf_counter()
        await driver.command(MoveArm(device=f"lane-{number % UNITS + 1}", move=Move.OPEN), timeout_s=1)
        waits_ms.append(1_000 * (time.perf_counter() - asked))
        await asyncio.sleep(0.013)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    cuts = statistics.quantiles(waits_ms, n=100)
    return {
        "polls_per_s": round(polls / elapsed_s, 1),
        "cpu_share_of_a_core": round(cpu_s / elapsed_s, 3),
        "cpu_us_per_poll": round(1e6 * cpu_s / polls),
        "command_ms_p50": round(cuts[49], 2),
        "command_ms_p99": round(cuts[98], 2),
    }


def main() -> None:
    """Measure and print one JSON object."""
    ready, done = multiprocessing.Event(), multiprocessing.Event()
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "bus"
        bus = multiprocessing.Process(target=simulate, args=(link, ready, done), daemon=True)
        bus.start()
        ready.wait()
        try:
            print(json.dumps(asyncio.run(measure(link))))
        finally:
            done.set()
            bus.join()


if __name__ == "__main__":
    main()
