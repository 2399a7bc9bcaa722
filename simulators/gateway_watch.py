"""How far a gateway's log is applied, read from the centre's own table a few times a second: the demo waits by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psycopg
from psycopg.rows import dict_row

from simulators.evidence import question

EVERY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """The gateway's row as it was read last."""

    acknowledged_seq: int = 0
    backlog: int = 0
    state: str = "ok"
    conflicts: int = 0


class GatewayWatch:
    """Reads the row until left."""

    def __init__(self, database_url: str, lot: str) -> None:
        self.state = GatewayState()
        self.lot = lot
        self._url = database_url
        self._read = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._moved_at_s = 0.0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait_until(self, holds: Callable[[GatewayState], bool], within_s: float) -> None:
        """Wait for the row to be so.

        Raises:
            TimeoutError: it was not, in `within_s` seconds; the message says how it is.
        """
        try:
            async with asyncio.timeout(within_s):
                while not holds(self.state):
                    await self._next()
        except TimeoutError:
            raise TimeoutError(
                f"after {within_s:g} s the centre's row of the gateway is {self.state}"
            ) from None

    async def fresh(self) -> GatewayState:
        """The row as it is now: read after this was asked."""
        for _ in range(2):  # the first may have been on its way
            await self._next()
        return self.state

    async def wait_until_quiet(self, for_s: float, within_s: float) -> None:
        """Wait until the sequence has not moved for `for_s` seconds."""
        loop = asyncio.get_running_loop()
        await self.wait_until(lambda _state: loop.time() - self._moved_at_s >= for_s, within_s)

    async def _next(self) -> None:
        self._read.clear()
        if self._task is not None and self._task.done():
            self._task.result()
        await self._read.wait()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        statement = question("cloud_gateway").encode()
        async with await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, row_factory=dict_row
        ) as connection:
            while True:
                row = await (await connection.execute(statement, {"lot": self.lot})).fetchone()
                if row is not None:
                    new = GatewayState(
                        acknowledged_seq=row["acknowledged_seq"],
                        backlog=row["backlog"],
                        state=row["state"],
                        conflicts=row["conflicts"],
                    )
                    if new.acknowledged_seq != self.state.acknowledged_seq:
                        self._moved_at_s = loop.time()
                    self.state = new
                self._read.set()
                await asyncio.sleep(EVERY_S)
