"""Events: written in the transaction of what they tell, then published in order per lot. Next in its story: cloud/notifications.

Whoever publishes an event of a lot holds that lot's row (`lot_lock`), so that numbers grow in the order of commits within a lot. The
bus of each process listens to PostgreSQL, which tells of a lot when the transaction has committed, and reads that lot's new rows:
nothing is published before it is durable, nothing is published twice or out of its lot's order, and after a lost
connection it goes on where it was. Across lots there is no order.

A subscriber that does not read is cut, not waited for: `Lagging`. It starts again from a snapshot, or from the last number it saw.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg.errors import UndefinedTable
from psycopg.rows import DictRow
from psycopg_pool import PoolTimeout

from cloud.database import Database, connection_arguments
from cloud.named_sql import named_sql

QUERIES = named_sql("cloud")
LOG = structlog.get_logger(__name__)

READ_AT_MOST = 500
RETRY_S = 1.0


class Lagging(Exception):
    """The subscriber read too slowly and was cut; events were missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """Something that has happened to a lot; `body` is plain JSON."""

    lot: UUID
    kind: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The same with its number, which grows within a lot, and the real instant of its commit's transaction."""

    n: int
    lot: UUID
    kind: str
    body: Mapping[str, object]
    written_at: datetime


async def publish(connection: AsyncConnection[DictRow], events: Sequence[NewEvent]) -> None:
    """Write `events` down in the caller's transaction; the caller holds the lot's row."""
    if events:
        columns: dict[str, list[object]] = {
            "lot": [event.lot for event in events],
            "kind": [event.kind for event in events],
            "body": [json.dumps(event.body, allow_nan=False) for event in events],
        }
        await connection.execute(QUERIES["event_publish"], columns)


class Subscription:
    """The events of some lots and kinds, or of all, in order per lot: `async for event in subscription`."""

    def __init__(
        self, bus: EventBus, *, lots: frozenset[UUID] | None, kinds: frozenset[str] | None, depth: int
    ) -> None:
        self._bus = bus
        self._lots = lots
        self._kinds = kinds
        self._depth = depth
        self._queue: deque[Event] = deque()
        self._stirred = asyncio.Event()
        self._lagging = False

    def want(self, lots: frozenset[UUID]) -> None:
        """From now on want the events of `lots`."""
        self._lots = lots

    def offer(self, event: Event) -> None:
        """Queue `event` where it is wanted; a full queue ends this subscription."""
        if self._lots is not None and event.lot not in self._lots:
            return
        if self._kinds is not None and event.kind not in self._kinds:
            return
        if len(self._queue) >= self._depth:
            self._lagging = True
            self.close()
        self._queue.append(event)
        self._stirred.set()

    async def next(self) -> Event:
        """The next event.

        Raises:
            Lagging: this subscriber was cut; what was queued is dropped.
        """
        while not self._queue:
            self._stirred.clear()
            await self._stirred.wait()
        if self._lagging:
            raise Lagging
        return self._queue.popleft()

    def drop_queued(self) -> None:
        """Forget what waits to be read: for those who look at the whole anew and not at each event."""
        self._queue.clear()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            yield await self.next()

    def close(self) -> None:
        """Want no more."""
        self._bus.unsubscribe(self)


class EventBus:
    """Publishes what `event_outbox` gets to subscribers in this process."""

    def __init__(self, database: Database, url: str) -> None:
        self._database = database
        self._url = url
        self._subscriptions: set[Subscription] = set()
        self._published: dict[UUID, int] | None = None
        self.published_total = 0
        self.listening = asyncio.Event()

    def subscribe(
        self,
        *,
        lots: frozenset[UUID] | None = None,
        kinds: frozenset[str] | None = None,
        depth: int = 2_000,
    ) -> Subscription:
        """Events from now on, of `lots` and `kinds` or of all. At most `depth` wait to be read."""
        subscription = Subscription(self, lots=lots, kinds=kinds, depth=depth)
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Publish no more to a subscription."""
        self._subscriptions.discard(subscription)

    async def after(self, lot: UUID, n: int, *, limit: int = READ_AT_MOST) -> list[Event]:
        """A lot's events after number `n`, for a subscriber that resumes."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(QUERIES["events_after"], {"lot": lot, "n": n, "limit": limit})
            return [_event(row) for row in await cursor.fetchall()]

    async def newest(self, connection: AsyncConnection[DictRow], lots: Sequence[UUID]) -> dict[UUID, int]:
        """The number of each lot's newest event, as the caller's transaction sees it; none where nothing happened yet."""
        cursor = await connection.execute(QUERIES["events_newest_of"], {"lots": list(lots)})
        return {row["lot_id"]: row["n"] for row in await cursor.fetchall()}

    async def run(self) -> None:
        """Listen and publish until cancelled; a database that is lost or not migrated yet is tried again each second."""
        while True:
            try:
                await self._listen()
            except (OperationalError, PoolTimeout, UndefinedTable) as error:
                self.listening.clear()
                LOG.warning("event bus lost the database", error=str(error))
                await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        async with await AsyncConnection.connect(self._url, **connection_arguments()) as connection:
            await connection.execute(QUERIES["events_listen"])
            await self._catch_up()
            self.listening.set()
            async for notice in connection.notifies():
                await self._publish_lot(UUID(notice.payload))

    async def forget(self, *, days: int) -> None:
        """Drop events older than `days` from the outbox; nobody resumes from them."""
        async with self._database.connection() as connection:
            await connection.execute(QUERIES["events_forget"], {"days": days})

    async def _catch_up(self) -> None:
        """What was committed while nobody listened; at the very start nothing, since nobody subscribed before."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(QUERIES["events_newest"])).fetchall()
        if self._published is None:
            self._published = {row["lot_id"]: row["n"] for row in rows}
            return
        for row in rows:
            if row["n"] > self._published.get(row["lot_id"], 0):
                await self._publish_lot(row["lot_id"])

    async def _publish_lot(self, lot: UUID) -> None:
        published = self._published if self._published is not None else {}
        while events := await self.after(lot, published.get(lot, 0)):
            for event in events:
                for subscription in tuple(self._subscriptions):
                    subscription.offer(event)
            self.published_total += len(events)
            published[lot] = events[-1].n
            if len(events) < READ_AT_MOST:
                return
            await asyncio.sleep(0)  # let subscribers read before the next batch


def _event(row: DictRow) -> Event:
    return Event(
        n=row["n"], lot=row["lot_id"], kind=row["kind"], body=row["body"], written_at=row["created_at"]
    )
