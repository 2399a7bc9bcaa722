"""The one writer: changes go in order, in groups, each group one transaction. Next: edge/store/store.py.

A group waits at most 20 ms from its first change, or for 64 changes; an urgent change (a lane waits for it) ends the wait at once.
Where the disk cannot be written the group is kept and tried again each second, and `degraded` says why; every other failure is
final: memory and disk disagree, the futures fail, and the process must end.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from edge.errors import StoreError, StoreUnwritable
from edge.store.store import NumberedChange

GROUP_WAIT_S = 0.020
GROUP_SIZE = 64
LARGEST_GROUP = 512
RETRY_S = 1.0

Commit = Callable[[Sequence[NumberedChange]], None]


def is_written(done: asyncio.Future[None]) -> bool:
    """Whether a change whose waiting is over is on the disk."""
    return not done.cancelled() and done.exception() is None


class Writer(Protocol):
    """Where numbered changes go."""

    @property
    def degraded(self) -> str | None:
        """Why the disk cannot be written at the moment; None where it can."""
        ...

    @property
    def waiting(self) -> int:
        """How many changes are not durable yet."""
        ...

    def submit(self, change: NumberedChange, *, urgent: bool) -> asyncio.Future[None]:
        """Take a change; the future resolves when it is durable and fails only where the process must end.

        There is no bound here: the ledger refuses telemetry long before memory ends, and facts are as many as cars.
        """
        ...

    async def failed(self) -> None:
        """Return never; raise the error that ended writing.

        Raises:
            StoreError: a commit failed for good.
        """
        ...

    async def close(self) -> None:
        """Write what waits, then stop. What the disk does not take is lost with the process, and was never acknowledged."""
        ...


class InlineWriter:
    """Writes on the caller's thread at once: for tests and for the simulation."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._waiting: deque[tuple[NumberedChange, asyncio.Future[None]]] = deque()
        self._failure: StoreError | None = None
        self._broken = asyncio.Event()
        self.degraded: str | None = None

    @property
    def waiting(self) -> int:
        """How many changes are not durable yet."""
        return len(self._waiting)

    def submit(self, change: NumberedChange, *, urgent: bool) -> asyncio.Future[None]:  # noqa: ARG002 - all are urgent here
        """See `Writer.submit`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, future))
        self.retry()
        return future

    def retry(self) -> None:
        """Write what waits, where the disk takes it again."""
        batch = list(self._waiting)
        try:
            self._commit([change for change, _ in batch])
        except StoreUnwritable as error:
            self.degraded = str(error)
            return
        except StoreError as error:
            self._failure = error
            self._broken.set()
            self._waiting.clear()
            for _, future in batch:
                future.set_exception(error)
                future.exception()
            return
        self.degraded = None
        self._waiting.clear()
        for _, future in batch:
            if not future.done():
                future.set_result(None)

    async def failed(self) -> None:
        """See `Writer.failed`."""
        await self._broken.wait()
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        """See `Writer.close`."""
        if self._waiting:
            self.retry()


class ThreadWriter:
    """One thread that writes; made on the event loop's thread, with the loop running."""

    def __init__(self, commit: Commit, *, retry_s: float = RETRY_S) -> None:
        self._commit = commit
        self._retry_s = retry_s
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[NumberedChange, asyncio.Future[None]]] = deque()
        self._in_hand = 0
        self._change = threading.Condition()
        self._hurry = False
        self._closing = False
        self._failure: asyncio.Future[None] = self._loop.create_future()
        self.degraded: str | None = None
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many changes are not durable yet."""
        return len(self._waiting) + self._in_hand

    def submit(self, change: NumberedChange, *, urgent: bool) -> asyncio.Future[None]:
        """See `Writer.submit`."""
        future: asyncio.Future[None] = self._loop.create_future()
        if self._failure.done():
            future.set_exception(StoreError("the ledger's writer has ended"))
            return future
        with self._change:
            self._waiting.append((change, future))
            self._hurry = self._hurry or urgent
            if urgent or len(self._waiting) in {1, GROUP_SIZE}:
                self._change.notify()
        return future

    async def failed(self) -> None:
        """See `Writer.failed`."""
        await asyncio.shield(self._failure)

    async def close(self) -> None:
        """See `Writer.close`."""
        with self._change:
            self._closing = True
            self._change.notify()
        await self._loop.run_in_executor(None, self._thread.join)
        self._failure.cancel()

    # On the writing thread

    def _run(self) -> None:
        while (batch := self._next_group()) is not None:
            error = self._write(batch)
            if error is not None:
                self._loop.call_soon_threadsafe(self._fail, batch, error)
                return
            self._loop.call_soon_threadsafe(self._resolve, batch)

    def _next_group(self) -> list[tuple[NumberedChange, asyncio.Future[None]]] | None:
        """Wait for a group to be complete; None where the writer closes and nothing waits."""
        with self._change:
            while not self._waiting and not self._closing:
                self._change.wait()
            if not self._waiting:
                return None
            self._change.wait_for(self._is_complete, timeout=GROUP_WAIT_S)
            count = min(len(self._waiting), LARGEST_GROUP)
            self._in_hand = count
            group = [self._waiting.popleft() for _ in range(count)]
            self._hurry = self._hurry and bool(self._waiting)
            return group

    def _is_complete(self) -> bool:
        return self._hurry or self._closing or len(self._waiting) >= GROUP_SIZE

    def _write(self, batch: list[tuple[NumberedChange, asyncio.Future[None]]]) -> Exception | None:
        """Write until the disk takes it; the error that makes it hopeless, or None. A thread can only hand its errors over."""
        changes = [change for change, _ in batch]
        while True:
            try:
                self._commit(changes)
            except StoreUnwritable as error:
                self.degraded = str(error)
                if not self._wait_for_retry():
                    return error
            except Exception as error:  # noqa: BLE001 - not swallowed: it ends the process, on the loop's thread
                return error
            else:
                self.degraded = None
                return None

    def _wait_for_retry(self) -> bool:
        """Wait before the next try; False where the writer closes meanwhile."""
        with self._change:
            self._change.wait_for(lambda: self._closing, timeout=self._retry_s)
            return not self._closing

    # On the event loop's thread

    def _resolve(self, batch: list[tuple[NumberedChange, asyncio.Future[None]]]) -> None:
        self._in_hand = 0
        for _, future in batch:
            if not future.done():
                future.set_result(None)

    def _fail(self, batch: list[tuple[NumberedChange, asyncio.Future[None]]], error: Exception) -> None:
        with self._change:
            batch = [*batch, *self._waiting]
            self._waiting.clear()
        self._in_hand = 0
        for _, future in batch:
            if not future.done():
                future.set_exception(error)
                future.exception()
        if not self._failure.done():
            self._failure.set_exception(error)
            self._failure.exception()
