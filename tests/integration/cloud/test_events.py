"""Events: published after their commit, in order per lot, also over a lost database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from uuid import UUID

import pytest
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from cloud.bootstrap import Cloud, build_cloud, running
from cloud.events import Event, Lagging, NewEvent, Subscription, publish
from cloud.migrating import migrate
from cloud.settings import CloudSettings
from simulators.database import DatabaseCluster

LOTS = tuple(UUID(int=n) for n in range(1, 4))
WITHIN_S = 20


async def write(cloud: Cloud, lot: UUID, *numbers: int) -> None:
    async with cloud.database.connection() as connection, connection.transaction():
        await publish(connection, [NewEvent(lot=lot, kind="Told", body={"number": n}) for n in numbers])


async def read(subscription: Subscription, count: int) -> list[Event]:
    async with asyncio.timeout(WITHIN_S):
        return [await subscription.next() for _ in range(count)]


async def test_events_come_in_the_order_of_their_lot(cloud: Cloud) -> None:
    await cloud.events.listening.wait()
    subscription = cloud.events.subscribe()
    for n in range(20):
        await write(cloud, LOTS[n % 3], n)
    events = await read(subscription, 20)
    for lot in LOTS:
        of_lot = [event for event in events if event.lot == lot]
        assert [event.n for event in of_lot] == sorted(event.n for event in of_lot)
        assert [event.body["number"] for event in of_lot] == [n for n in range(20) if LOTS[n % 3] == lot]


async def test_what_was_rolled_back_is_never_published(cloud: Cloud) -> None:
    await cloud.events.listening.wait()
    subscription = cloud.events.subscribe()

    async def undone() -> None:
        async with cloud.database.connection() as connection, connection.transaction():
            await publish(connection, [NewEvent(lot=LOTS[0], kind="Told", body={"number": 1})])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undone()
    await write(cloud, LOTS[0], 2)
    (event,) = await read(subscription, 1)
    assert event.body == {"number": 2}


async def test_a_subscriber_hears_only_of_the_lots_and_kinds_it_asked_for(cloud: Cloud) -> None:
    await cloud.events.listening.wait()
    one_lot = cloud.events.subscribe(lots=frozenset({LOTS[1]}))
    one_kind = cloud.events.subscribe(kinds=frozenset({"Other"}))
    await write(cloud, LOTS[0], 1)
    await write(cloud, LOTS[1], 2)
    async with cloud.database.connection() as connection:
        await publish(connection, [NewEvent(lot=LOTS[2], kind="Other", body={})])
    assert [event.body for event in await read(one_lot, 1)] == [{"number": 2}]
    assert [event.lot for event in await read(one_kind, 1)] == [LOTS[2]]


async def test_a_subscriber_that_does_not_read_is_cut_and_the_others_go_on(cloud: Cloud) -> None:
    await cloud.events.listening.wait()
    slow = cloud.events.subscribe(depth=3)
    quick = cloud.events.subscribe()
    await write(cloud, LOTS[0], *range(5))
    assert len(await read(quick, 5)) == 5
    with pytest.raises(Lagging):
        await slow.next()
    missed = await cloud.events.after(LOTS[0], 0)
    assert [event.body["number"] for event in missed] == list(range(5))


async def test_more_events_than_one_reading_takes_all_arrive(cloud: Cloud) -> None:
    await cloud.events.listening.wait()
    subscription = cloud.events.subscribe()
    await write(cloud, LOTS[0], *range(1_700))
    assert [event.body["number"] for event in await read(subscription, 1_700)] == list(range(1_700))


@pytest.fixture
async def fragile() -> AsyncIterator[tuple[DatabaseCluster, Cloud]]:
    cluster = DatabaseCluster(durable=True)
    cluster.start()
    url = cluster.create_database("lotgate")
    migrate(url)
    cloud = build_cloud(CloudSettings(database_url=url, pool_min=1, pool_max=4), {})
    async with running(cloud):
        yield cluster, cloud
    cluster.stop()


async def test_the_bus_goes_on_where_it_was_after_the_database_died(
    fragile: tuple[DatabaseCluster, Cloud],
) -> None:
    cluster, cloud = fragile
    await cloud.events.listening.wait()
    subscription = cloud.events.subscribe()
    await write(cloud, LOTS[0], 1)
    await read(subscription, 1)
    cluster.kill()
    cluster.start()
    async with asyncio.timeout(WITHIN_S):
        await until_written(cloud, 2)
    events = await read(subscription, 1)
    assert [event.body for event in events] == [{"number": 2}]


async def until_written(cloud: Cloud, number: int) -> None:
    """Write an event as soon as the database takes it; while it comes up it does not."""
    for attempt in count():
        try:
            await write(cloud, LOTS[0], number)
        except (OperationalError, PoolTimeout):
            await asyncio.sleep(min(0.1 * attempt, 1.0))
        else:
            return
