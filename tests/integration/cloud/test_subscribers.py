"""The WebSocket as subscribers meet it: a real socket on a real database."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from cloud.events import NewEvent, publish
from cloud.notifications import socket as subscriber_socket
from tests.integration.cloud.cloud_process import CloudHere, Gateway
from tests.integration.cloud.conftest import LOT, STAFF, claim


@pytest.fixture
async def here(database_url: str, tmp_path: Path) -> AsyncIterator[CloudHere]:
    served = CloudHere(database_url=database_url, folder=tmp_path)
    await served.start()
    yield served
    await served.end()


@pytest.fixture
async def gateway(here: CloudHere) -> AsyncIterator[Gateway]:
    enrolled = Gateway()
    await enrolled.enrol(here)
    await enrolled.open(here)
    yield enrolled
    await enrolled.hang_up()


class Listener:
    """A subscriber in the hand of a test."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, **message: object) -> None:
        await self.socket.send(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            heard: dict[str, Any] = json.loads(await self.socket.recv())
        return heard

    async def subscribe(self, **what: object) -> dict[str, Any]:
        await self.say(type="subscribe", **what)
        return await self.hear()


async def listening(here: CloudHere, token: str = STAFF) -> Listener:
    listener = Listener(await connect(f"ws://127.0.0.1:{here.port}/ws", compression=None))
    await listener.say(type="authenticate", token=token)
    return listener


@pytest.fixture
async def listener(here: CloudHere, gateway: Gateway) -> AsyncIterator[Listener]:
    listener = await listening(here)
    assert await listener.hear() == {"type": "authenticated"}
    yield listener
    await listener.socket.close()


def sellable(message: Mapping[str, Any]) -> dict[str, int]:
    return {count["type"]: count["sellable"] for count in message["data"]["counts"]}


async def test_a_change_is_told_within_a_second_of_its_commit(listener: Listener, gateway: Gateway) -> None:
    assert await listener.subscribe(lot=LOT) == {"type": "subscribed", "lots": [LOT], "resumed": False}
    picture = await listener.hear()
    assert sellable(picture) == {"regular": 4, "ev": 2}
    gateway.log.claim(claim("R-001", ends=None))
    await gateway.send_page(1, 1)
    acknowledged_at = time.monotonic()
    update = await listener.hear()
    assert time.monotonic() - acknowledged_at < 1
    assert (update["type"], update["data"]["lot"]) == ("availability_update", LOT)
    assert update["seq"] > picture["seq"]
    assert sellable(update) == {"regular": 3, "ev": 2}
    assert update["data"]["sellable_total"] == 5


async def test_subscribing_around_a_point_brings_the_lots_there_and_no_others(listener: Listener) -> None:
    assert (await listener.subscribe(lat=52.52, lng=13.405))["lots"] == [LOT]
    assert (await listener.hear())["data"]["lot"] == LOT
    assert (await listener.subscribe(lat=-17.0, lng=180.0, radius=50_000))["lots"] == []


async def test_who_comes_back_with_the_last_number_gets_what_came_after_and_nothing_twice(
    here: CloudHere, listener: Listener, gateway: Gateway
) -> None:
    await listener.subscribe(lot=LOT)
    await listener.hear()
    numbers = []
    for n in range(1, 4):
        gateway.log.claim(claim(f"R-00{n}", ends=None))
        await gateway.send_page(n, n)
        numbers.append((await listener.hear())["seq"])
    await listener.socket.close()
    again = await listening(here)
    await again.hear()
    assert (await again.subscribe(lot=LOT, after=numbers[0]))["resumed"] is True
    assert [(await again.hear())["seq"] for _ in range(2)] == numbers[1:]
    gateway.log.claim(claim("R-004", ends=None))
    await gateway.send_page(4, 4)
    last = await again.hear()
    assert last["seq"] > numbers[-1]
    assert sellable(last)["regular"] == 0
    await again.socket.close()


async def test_a_number_that_is_not_ours_any_more_brings_a_picture_instead(
    listener: Listener, gateway: Gateway
) -> None:
    assert (await listener.subscribe(lot=LOT, after=10**12))["resumed"] is False
    assert sellable(await listener.hear()) == {"regular": 4, "ev": 2}


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("hello", "message"),
        ("[]", "message"),
        ('{"type": "shout"}', "type"),
        ('{"type": "subscribe", "lot": "17"}', "lot"),
        ('{"type": "subscribe", "lat": 91, "lng": 0}', "lat"),
        ('{"type": "subscribe", "lat": 1, "lng": 0, "radius": -1}', "radius"),
        ('{"type": "subscribe", "lot": "5f0c7c1e-3c4f-4a57-9d0e-0a6a5f9b3c12"}', "lot"),
        ('{"type": "subscribe", "lot": "5f0c7c1e-3c4f-4a57-9d0e-0a6a5f9b3c12", "from": 1}', "from"),
        ("x" * 5_000, "message"),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong_and_disturbs_nothing(
    listener: Listener, message: str, field: str
) -> None:
    await listener.socket.send(message)
    refusal = await listener.hear()
    assert (refusal["type"], refusal["field"]) == ("error", field)
    assert refusal["problem"]
    assert refusal["fix"]
    await listener.say(type="ping")
    assert await listener.hear() == {"type": "pong"}


async def test_without_a_known_token_nothing_is_told(here: CloudHere, gateway: Gateway) -> None:
    stranger = await listening(here, token="guessed")
    assert (await stranger.hear())["type"] == "error"
    with pytest.raises(ConnectionClosed) as closed:
        await stranger.hear()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == subscriber_socket.POLICY
    silent = Listener(await connect(f"ws://127.0.0.1:{here.port}/api/v1/ws"))
    assert (await silent.subscribe(lot=LOT))["type"] == "error"


async def test_a_reader_that_does_not_keep_up_is_told_that_it_lags_and_cut(
    here: CloudHere, listener: Listener
) -> None:
    assert here.cloud is not None
    await listener.subscribe(lot=LOT)
    picture = await listener.hear()
    # more than may wait, and more of it than the line itself holds
    spots = [{"id": LOT, "number": "R-001", "state": "free", "note": "x" * 50_000}]
    flood = [NewEvent(lot=UUID(LOT), kind="SpotAvailabilityChanged", body={"spots": spots})] * 1_200
    async with here.cloud.database.connection() as connection, connection.transaction():
        await publish(connection, flood)
    heard = picture
    while heard["type"] != "lagging":
        await asyncio.sleep(0.01)  # a slow reader
        seq, heard = heard["seq"], await listener.hear()
    assert heard["after"] == {LOT: seq}
    with pytest.raises(ConnectionClosed) as closed:
        await listener.hear()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == subscriber_socket.TRY_AGAIN_LATER
