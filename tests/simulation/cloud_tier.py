"""The centre's processes over one database: each assembled by cloud/bootstrap.py around what the simulation hands in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Any
from uuid import UUID

from cloud.bootstrap import Cloud, Outside, assemble
from cloud.observability import Metrics
from cloud.payments.provider import PaymentProvider
from cloud.reservations.commit_words import CommitWords, _understood
from cloud.settings import CloudSettings
from parking.clock import Clock
from sync.failpoints import Failpoints
from sync.keys import SigningKey
from tests.simulation.memory_database import MemoryConnection, MemoryCursor, MemoryDatabase
from tests.simulation.network import CloudEnd
from tests.simulation.trace import Trace
from tests.simulation.virtual_time import Killed

SETTINGS = CloudSettings(database_url="postgresql://nowhere")


class SimulatedWords(CommitWords):
    """What is said at a commit reaches this process a little later; or never, where its listener has no connection: `deaf`."""

    def __init__(self) -> None:
        super().__init__("")
        self.deaf = False

    def hear(self, text: str) -> None:
        word = None if self.deaf else _understood(text)
        if word is not None:
            self._take(word)

    def listen_again(self) -> None:
        """What `CommitWords` does once its connection is back."""
        self.deaf = False
        for events in self._waiting.values():
            for event in events:
                event.set()
        self._missed()


class OfLiving:
    """The provider as one process has it: the dead ask nothing."""

    def __init__(self, thing: Any, process: CloudProcess) -> None:
        self._thing = thing
        self._process = process

    def __getattr__(self, name: str) -> Any:
        self._process.require_alive()
        return getattr(self._thing, name)


class LivingDatabase:
    """A database whose every connection and statement asks whether its process lives."""

    def __init__(self, database: MemoryDatabase, process: CloudProcess) -> None:
        self._database = database
        self._process = process

    def connection(self) -> LivingConnection:
        self._process.require_alive()
        return LivingConnection(self._database, self._process)


class LivingConnection(MemoryConnection):
    """One of its connections."""

    def __init__(self, database: MemoryDatabase, process: CloudProcess) -> None:
        super().__init__(database)
        self._process = process

    async def execute(self, sql: bytes, parameters: Mapping[str, Any] | None = None) -> MemoryCursor:
        self._process.require_alive()
        return MemoryCursor(self._database.execute(sql, parameters or {}))

    def transaction(self) -> AbstractAsyncContextManager[None]:
        self._process.require_alive()
        return self._database.transaction()


class CloudProcess:
    """One process, from its start to its death."""

    def __init__(
        self,
        name: str,
        *,
        database: MemoryDatabase,
        provider: PaymentProvider,
        clock: Clock,
        key: SigningKey,
        metrics: Metrics,
        random: Random,
        trace: Trace,
        failpoints: Callable[[Callable[[], None]], Failpoints],
        busy: Callable[[], bool],
    ) -> None:
        self.name = name
        self.alive = True
        self.failpoints = failpoints(self._struck)
        self.died: Callable[[CloudProcess], None] = lambda _: None
        self._random = random
        self._trace = trace
        self._busy = busy
        self._tasks: list[asyncio.Task[Any]] = []
        self._ends: list[CloudEnd] = []
        self.words = SimulatedWords()
        outside = Outside(
            clock=clock,
            failpoints=self.failpoints,
            signing_key=key,
            database=LivingDatabase(database, self),  # type: ignore[arg-type]  # what the services use of a pool
            words=self.words,
            provider=OfLiving(provider, self),
            draw=random,
            worker=name,
            new_id=lambda: UUID(int=random.getrandbits(128), version=4),
            new_nonce=lambda: random.randbytes(32),
        )
        self.cloud: Cloud = assemble(SETTINGS, metrics, outside)
        self.start(self._upkeep())

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """A task that dies with this process."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def serve(self, end: CloudEnd) -> None:
        """Take a gateway's connection."""
        self._ends.append(end)
        self.start(self.cloud.links.serve(end))  # type: ignore[arg-type]  # what the link uses of a socket

    def hear(self, text: str) -> None:
        """A NOTIFY."""
        if self.alive:
            self.words.hear(text)

    def require_alive(self) -> None:
        if not self.alive:
            raise Killed

    def die(self, why: str) -> None:
        """Nothing of it happens any more; its connections are reset."""
        if not self.alive:
            return
        self._trace.add(self.name, f"dies: {why}")
        self.stop()
        for end in self._ends:
            end.connection.end("the process died")
        self.died(self)

    def stop(self) -> None:
        """Its tasks end."""
        self.alive = False
        for task in self._tasks:
            task.cancel()

    def _struck(self) -> None:
        self.die("failpoint")
        raise Killed

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if task in self._tasks:
            self._tasks.remove(task)
        if not task.cancelled() and self.alive and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler({"message": "task failed", "exception": error})

    async def _upkeep(self) -> None:
        """What `Coordination.run` and `Cashier.run` do each second, at the instants at which there is something to do."""
        while True:
            await asyncio.sleep(
                self._random.uniform(0.8, 2.0) if self._busy() else self._random.uniform(10, 30)
            )
            await self.cloud.coordination.look_at_due()
            await self.cloud.cashier.look_at_due()
