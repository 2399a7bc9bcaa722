from __future__ import annotations

import asyncio

import aiomqtt
from hypothesis import given
from hypothesis import strategies as st

from drivers.mqtt.acknowledger import Acknowledger


def message(mid: int) -> aiomqtt.Message:
    return aiomqtt.Message(topic="t", payload=b"", qos=1, retain=False, mid=mid, properties=None)


@given(readings=st.lists(st.integers(0, 3), max_size=12), data=st.data())
def test_acknowledgements_keep_the_order_of_arrival_whatever_becomes_durable_first(
    readings: list[int], data: st.DataObject
) -> None:
    async def scenario() -> None:
        acknowledged: list[int] = []
        acknowledger = Acknowledger(lambda told: acknowledged.append(told.mid))
        loop = asyncio.get_running_loop()
        futures = [[loop.create_future() for _ in range(count)] for count in readings]
        for mid, durable in enumerate(futures):
            acknowledger.arrived(message(mid), durable)
        for future in data.draw(st.permutations([future for durable in futures for future in durable])):
            future.set_result(None)
            await asyncio.sleep(0)
            whole = [all(each.done() for each in durable) for durable in futures]
            assert acknowledged == list(range(len(futures) if all(whole) else whole.index(False)))
        assert acknowledged == list(range(len(futures)))

    asyncio.run(scenario())


async def test_a_reading_that_cannot_become_durable_stops_the_acknowledgements() -> None:
    acknowledged: list[int] = []
    acknowledger = Acknowledger(lambda told: acknowledged.append(told.mid))
    futures: list[asyncio.Future[None]] = [asyncio.get_running_loop().create_future() for _ in range(3)]
    for mid, future in enumerate(futures):
        acknowledger.arrived(message(mid), [future])
    futures[0].set_result(None)
    futures[1].set_exception(RuntimeError("going down"))
    futures[2].set_result(None)
    await asyncio.sleep(0)
    assert acknowledged == [0]


async def test_after_the_connection_is_gone_nothing_is_acknowledged() -> None:
    acknowledged: list[int] = []
    acknowledger = Acknowledger(lambda told: acknowledged.append(told.mid))
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    acknowledger.arrived(message(1), [future])
    acknowledger.close()
    future.set_result(None)
    await asyncio.sleep(0)
    assert not acknowledged
