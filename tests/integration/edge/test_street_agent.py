"""A street lot under its real agent: sensors speak over a broker, stays come and go, and a power cut changes neither."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import pytest_asyncio

from edge.store.reader import StoreReader
from simulators.broker import Broker
from simulators.programs import Program, lotgate
from sync.chain import unpack_envelope
from sync.events import EventKind
from tests.integration.edge.agent_site import LOT_ID, PATIENCE_S, TARIFF

TOKEN = "token-of-warden"
STANDS_S, GONE_S = 1.0, 0.3
LOT = """\
[lot]
id = "{lot}"
name = "Kerb"
timezone = "Europe/London"
currency = "GBP"
latitude = 51.4
longitude = -2.6
[policy]
stands_after_s = {stands_s}
gone_after_s = {gone_s}
[api]
port_file = "api.port"
[tariff]
file = "tariff.toml"
[[zones]]
id = "kerb"
level = "street"
[[spots]]
zone = "kerb"
numbers = ["1-3"]
[[devices]]
name = "warden"
role = "staff"
token_sha256 = "{token}"
[drivers.sensors]
kind = "mqtt"
host = "{host}"
port = {port}
topics = ["spots/+"]
format = "json"
[drivers.sensors.json]
device = "$.device"
occupied = "$.occupied"
[[sensors]]
device = "sensor-1"
spot = "1"
"""


@dataclass(slots=True, kw_only=True)
class Kerb:
    """Three spaces, a sensor in the first, and the agent."""

    folder: Path
    broker: Broker
    agent: Program

    async def start(self) -> None:
        (self.folder / "api.port").unlink(missing_ok=True)
        await self.agent.start()
        await self.agent.wait_for_file(self.folder / "api.port", 30.0)

    async def says(self, *, occupied: bool, until: Callable[[], bool]) -> None:
        """The sensor says so, and says it again (the driver may not listen yet), until something is on record."""
        body = f'{{"device": "sensor-1", "occupied": {str(occupied).lower()}}}'
        async with (
            asyncio.timeout(PATIENCE_S),
            aiomqtt.Client(self.broker.host, self.broker.port) as client,
        ):
            while not until():
                await client.publish("spots/sensor-1", body, qos=1)
                await asyncio.sleep(0.05)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something outside this process holds: it tells nobody."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def sellable(self) -> int:
        port = (self.folder / "api.port").read_text().strip()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as api:
            answer = await api.get("/api/v1/status", headers={"Authorization": f"Bearer {TOKEN}"})
        (count,) = answer.json()["counts"]
        return int(count["sellable"])

    def is_seen(self) -> bool:
        return bool(self._read(lambda reader: reader.rows("read_spot_states")))

    def stays(self, kind: EventKind) -> list[Any]:
        """The stays that the log tells of with facts of this kind."""
        rows = self._read(lambda reader: reader.log_page(epoch=0, after_seq=0, limit=10_000))
        told = [unpack_envelope(row.body) for row in rows]
        return [envelope.body["stay"] for envelope in told if envelope.kind == kind]

    def has_opened(self) -> bool:
        return bool(self.stays(EventKind.STAY_ENTERED))

    def has_closed(self) -> bool:
        return bool(self.stays(EventKind.STAY_LEFT))

    def _read(self, asked: Callable[[StoreReader], Any]) -> Any:
        reader = StoreReader(self.folder / "ledger.sqlite")
        try:
            return asked(reader)
        finally:
            reader.close()


@pytest_asyncio.fixture
async def kerb(tmp_path: Path) -> AsyncIterator[Kerb]:
    broker = Broker(tmp_path)
    await asyncio.to_thread(broker.start)
    (tmp_path / "tariff.toml").write_text(TARIFF)
    settings = {"lot": LOT_ID, "stands_s": STANDS_S, "gone_s": GONE_S, "host": broker.host}
    token = sha256(TOKEN.encode()).hexdigest()
    (tmp_path / "lot.toml").write_text(LOT.format(**settings, port=broker.port, token=token))
    agent = Program(
        name="agent",
        command=lotgate("edge", "run", "--config", str(tmp_path / "lot.toml")),
        environment={},
        log=tmp_path / "agent.log",
    )
    try:
        yield Kerb(folder=tmp_path, broker=broker, agent=agent)
    finally:
        await agent.stop()
        await asyncio.to_thread(broker.stop)


async def test_a_car_at_the_kerb_is_one_stay_through_two_power_cuts(kerb: Kerb) -> None:
    await kerb.start()
    assert await kerb.sellable() == 3
    await kerb.says(occupied=True, until=kerb.is_seen)
    await kerb.agent.kill()
    await kerb.start()  # nobody says anything: the spot's row is read again
    await kerb.until(kerb.has_opened)
    assert await kerb.sellable() == 2
    await kerb.agent.kill()
    await kerb.start()
    assert await kerb.sellable() == 2
    await kerb.says(occupied=False, until=kerb.has_closed)
    assert await kerb.sellable() == 3
    (opened,), (closed,) = kerb.stays(EventKind.STAY_ENTERED), kerb.stays(EventKind.STAY_LEFT)
    assert opened["credential_kind"] == "sensor"
    assert opened["claim"] is not None
    assert closed["id"] == opened["id"]
