"""One small lot around a real agent process: a broker, two barriers on a bus, a reader and a terminal, on cables and sockets."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiomqtt
import httpx

from drivers.ports import Move
from edge.store.reader import StoreReader
from simulators.barrier import Barrier
from simulators.broker import Broker
from simulators.programs import Program, lotgate
from simulators.wire.modbus_barrier import ModbusBarrierBus
from simulators.wire.payment_terminal import PaymentTerminalWire
from simulators.wire.pty import Pty
from simulators.wire.serial_reader import SerialReaderWire
from sync.chain import unpack_envelope
from sync.events import EventKind

IN, OUT = "entry-1", "exit-1"
LOT_ID = "0d6f0a8e-5f0c-4c57-8f6e-1c9b4a1f7e33"
TOKENS = {name: f"token-of-{name}" for name in ("kiosk-in", "kiosk-out", "camera-in", "camera-out", "staff")}
PATIENCE_S = 15.0
WATCHDOG_US = 1_000_000

TARIFF = """\
id = "site"
version = 1
currency = "GBP"
timezone = "Europe/London"

[[rate]]
label = "Parking"
price = "3.00"
per_min = 60
"""


def _toml(folder: Path, broker: Broker, *, hours: str = "", spots: str = "1-3", cloud_url: str = "") -> str:
    devices = "".join(
        f'[[devices]]\nname = "{name}"\nrole = "{name.partition("-")[0]}"\n'
        + (f'lane = "{IN if name.endswith("in") else OUT}"\n' if "-" in name else "")
        + f'token_sha256 = "{sha256(token.encode()).hexdigest()}"\n'
        for name, token in TOKENS.items()
    )
    timeouts = "timeouts = { open_s = 3.0, close_s = 3.0, passage_s = 2.0 }"
    cloud = f'[cloud]\nurl = "{cloud_url}"\nkey_file = "gateway.key"' if cloud_url else ""
    return f"""\
[lot]
id = "{LOT_ID}"
name = "Site"
timezone = "Europe/London"
currency = "GBP"
latitude = 51.4
longitude = -2.6
{hours}
{cloud}
[api]
port_file = "api.port"
[tariff]
file = "tariff.toml"
[[zones]]
id = "ground"
level = "0"
[[spots]]
zone = "ground"
numbers = ["{spots}"]
[[lanes]]
id = "{IN}"
kind = "entry"
barrier = "gate-in"
{timeouts}
[[lanes]]
id = "{OUT}"
kind = "exit"
barrier = "gate-out"
reader = "reader-out"
terminal = "terminal-out"
{timeouts}
{devices}
[drivers.bus]
kind = "modbus_barrier"
port = "{folder / "bus"}"
baud = 115200
units = {{ gate-in = 1, gate-out = 2 }}
answer_ms = 300
known_ms = 1500
[drivers.reader-out]
kind = "serial_reader"
port = "{folder / "reader-out"}"
[drivers.terminal-out]
kind = "payment_terminal"
port = "{folder / "terminal-out"}"
[drivers.sensors]
kind = "mqtt"
host = "{broker.host}"
port = {broker.port}
topics = ["spots/+"]
format = "json"
[drivers.sensors.json]
device = "$.device"
occupied = "$.occupied"
[[sensors]]
device = "sensor-1"
spot = "1"
"""


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """What came since the last look."""
        found = []
        while True:
            try:
                found.append(self._socket.recv(4_096).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@dataclass(slots=True, kw_only=True)
class Site:
    """The lot and its agent. Cars are moved by hand, step by step."""

    folder: Path
    broker: Broker
    agent: Program
    systemd: Systemd
    gate_in: Barrier = field(default_factory=lambda: Barrier(travel_s=0.1))
    gate_out: Barrier = field(default_factory=lambda: Barrier(travel_s=0.1))
    bus: ModbusBarrierBus = field(init=False)
    reader: SerialReaderWire = field(init=False)
    terminal: PaymentTerminalWire = field(init=False)
    api: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)

    def __post_init__(self) -> None:
        units = {1: self.gate_in, 2: self.gate_out}
        self.bus = ModbusBarrierBus(Pty(self.folder / "bus"), units, monotonic=time.monotonic)
        self.reader = SerialReaderWire(Pty(self.folder / "reader-out"))
        self.terminal = PaymentTerminalWire(Pty(self.folder / "terminal-out"))

    async def start(self) -> None:
        """Start the agent and wait until its lanes are read."""
        (self.folder / "api.port").unlink(missing_ok=True)
        await self.agent.start()
        port = await self.agent.wait_for_file(self.folder / "api.port", 30.0)
        self.api.base_url = httpx.URL(f"http://127.0.0.1:{port}")
        await self.until(lambda: self.screens("idle", "idle"))

    async def screens(self, entry: str, out: str) -> bool:
        seen = [(await self.view(lane))["screen"] for lane in (IN, OUT)]
        return seen == [entry, out]

    async def view(self, lane: str) -> dict[str, Any]:
        """What the lane's screen shows now."""
        answer = await self.api.get(f"/api/v1/lanes/{lane}", headers=self._as(f"kiosk-{self._way(lane)}"))
        found: dict[str, Any] = answer.json()
        return found

    async def shows(self, lane: str, screen: str) -> dict[str, Any]:
        """Wait until the lane's screen is this one."""
        seen: dict[str, Any] = {}

        async def it_does() -> bool:
            seen.update(await self.view(lane))
            return bool(seen["screen"] == screen)

        try:
            await self.until(it_does)
        except TimeoutError as late:
            raise AssertionError(f"{lane} shows {seen.get('screen')!r}, not {screen!r}: {seen}") from late
        return seen

    async def post(
        self, lane: str, verb: str, body: Mapping[str, object] | None = None, *, by: str = "kiosk"
    ) -> int:
        """Do something at a lane; the answer is the status."""
        name = by if by == "staff" else f"{by}-{self._way(lane)}"
        answer = await self.api.post(f"/api/v1/lanes/{lane}/{verb}", json=body, headers=self._as(name))
        return answer.status_code

    async def status(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.api.get("/api/v1/status", headers=self._as("staff"))).json()
        return found

    async def until(self, holds: Callable[[], Any], within_s: float = PATIENCE_S) -> None:
        """Wait until something outside this process holds: it tells nobody."""
        async with asyncio.timeout(within_s):
            while True:
                found = holds()
                if await found if asyncio.iscoroutine(found) else found:
                    return
                await asyncio.sleep(0.02)

    # Cars

    def gate(self, lane: str) -> Barrier:
        return self.gate_in if lane == IN else self.gate_out

    async def arrives(self, lane: str) -> None:
        """A car rolls onto the arming loop and is seen."""
        self.gate(lane).arming_loop(1)
        await self.until(lambda: self._is_busy(lane))

    async def _is_busy(self, lane: str) -> bool:
        return bool((await self.view(lane))["busy"])

    async def opens(self, lane: str) -> None:
        """The arm is up."""
        gate = self.gate(lane)
        await self.until(lambda: gate.position(time.monotonic()) >= 1.0)

    async def passes(self, lane: str, *, behind: int = 0) -> None:
        """The car drives through and the arm comes down behind it; `behind` more wait on the arming loop."""
        gate = self.gate(lane)
        await self.opens(lane)
        await self._over_the_loop(gate, behind)
        await self.until(lambda: gate.position(time.monotonic()) <= 0.0)
        if not behind:
            await self.shows(lane, "idle")

    async def _over_the_loop(self, gate: Barrier, behind: int) -> None:
        gate.safety_loop(1, time.monotonic())
        await asyncio.sleep(0.2)
        gate.arming_loop(behind)
        await asyncio.sleep(0.2)
        gate.safety_loop(0, time.monotonic())

    async def ticket(self) -> str:
        """A car comes in by the controller's button and keeps its ticket."""
        await self.arrives(IN)
        self.gate_in.button = True
        await asyncio.sleep(0.2)
        self.gate_in.button = False
        shown = await self.shows(IN, "ticket")
        await self.passes(IN)
        return str(shown["ticket"]["text"])

    async def owes(self, ticket: str) -> dict[str, Any]:
        """A car stands at the exit, its ticket is scanned, its price is on the screen."""
        await self.arrives(OUT)
        assert self.reader.scan(ticket)
        return await self.shows(OUT, "price")

    def moves(self, lane: str) -> list[Move]:
        return [record.move for record in self.gate(lane).moves]

    # What is on record

    def log(self, *kinds: EventKind) -> list[Mapping[str, Any]]:
        """The bodies of the log's facts of these kinds, read beside the running agent."""
        reader = StoreReader(self.folder / "ledger.sqlite")
        try:
            rows = reader.log_page(epoch=0, after_seq=0, limit=10_000)
        finally:
            reader.close()
        told = [unpack_envelope(row.body) for row in rows]
        return [envelope.body for envelope in told if envelope.kind in kinds]

    def payments(self) -> list[str]:
        return [body["payment"]["state"] for body in self.log(EventKind.PAYMENT_CHANGED)]

    async def sense(self, device: str, *, occupied: bool) -> None:
        """A spot's sensor speaks over the broker."""
        async with aiomqtt.Client(self.broker.host, self.broker.port) as client:
            body = f'{{"device": "{device}", "occupied": {str(occupied).lower()}}}'
            await client.publish(f"spots/{device}", body, qos=1)

    def _as(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKENS[name]}"}

    def _way(self, lane: str) -> str:
        return "in" if lane == IN else "out"


@asynccontextmanager
async def site_at(
    folder: Path,
    *,
    hours: str = "",
    spots: str = "1-3",
    cloud_url: str = "",
    tariff: str = TARIFF,
    start: bool = True,
) -> AsyncIterator[Site]:
    """Everything plugged in and the agent at work; nothing is left running."""
    broker = Broker(folder)
    await asyncio.to_thread(broker.start)
    (folder / "tariff.toml").write_text(tariff)
    (folder / "lot.toml").write_text(_toml(folder, broker, hours=hours, spots=spots, cloud_url=cloud_url))
    systemd = Systemd(folder / "notify")
    environment = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": str(WATCHDOG_US)}
    agent = Program(
        name="agent",
        command=lotgate("edge", "run", "--config", str(folder / "lot.toml")),
        environment=environment,
        log=folder / "agent.log",
    )
    site = Site(folder=folder, broker=broker, agent=agent, systemd=systemd)
    devices = (site.bus, site.reader, site.terminal)
    try:
        for device in devices:
            device.start()
        if start:
            await site.start()
        yield site
    finally:
        await agent.stop()
        for device in devices:
            device.stop()
        await site.api.aclose()
        systemd.close()
        await asyncio.to_thread(broker.stop)
