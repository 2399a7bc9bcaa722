"""An agent small enough to be killed at a chosen instant: the MQTT driver, and a file instead of a ledger.

`python -m tests.contract.drivers.dying_subscriber PORT FILE WHEN KILL_AFTER`: WHEN is when a reading counts as durable,
`after_commit` (as it must be) or `on_arrival` (as the client library would have it). Once KILL_AFTER readings are in the
file it kills itself with SIGKILL, after the fsync and before anybody was told. It ends by itself when it stored the key
`last`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from drivers.ports import Reading, SpotReading
from drivers.registry import make_driver

COMMIT_EVERY_S = 0.005
BATCH = 7


class FileSink:
    """Stores keys in a file, a batch and an fsync at a time."""

    def __init__(self, path: Path, when: str, kill_after: int) -> None:
        self.finished = asyncio.Event()
        self._file = path.open("ab", buffering=0)
        self._when = when
        self._kill_after = kill_after
        self._stored = 0
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    def deliver(self, reading: Reading) -> asyncio.Future[None]:
        assert isinstance(reading, SpotReading)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._when == "on_arrival":
            durable.set_result(None)
        self._waiting.append((str(reading.key), durable))
        return durable

    def alive(self) -> None:
        sys.stdout.write("alive\n")
        sys.stdout.flush()

    async def commit_for_ever(self) -> None:
        while not self.finished.is_set():
            await asyncio.sleep(COMMIT_EVERY_S)
            self._commit()

    def _commit(self) -> None:
        batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        if not batch:
            return
        self._file.write("".join(f"{key}\n" for key, _ in batch).encode())
        os.fsync(self._file.fileno())
        self._stored += len(batch)
        if self._stored >= self._kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        for key, durable in batch:
            if not durable.done():
                durable.set_result(None)
            if key == "last":
                self.finished.set()


async def main(port: int, path: Path, when: str, kill_after: int) -> None:
    places = {"device": "$topic[1]", "occupied": "$.taken", "key": "$.n"}
    table = {"port": port, "topics": ["spots/#"], "format": "json", "json": places, "in_flight": 50}
    sink = FileSink(path, when, kill_after)
    driver = asyncio.create_task(make_driver("mqtt", "dying", table).run(sink))
    await sink.commit_for_ever()
    await asyncio.sleep(COMMIT_EVERY_S)
    driver.cancel()
    await asyncio.gather(driver, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
