"""A lot of 500 places with six lanes as files on a disk, and a ledger of as many rows as asked for, made by the product's own lanes.

The history is that of a busy lot: cars come every minute and a half with tickets from the button, stay for three hours, pay and leave; each row
is what edge/entering.py, edge/leaving.py and edge/payments.py write. Only the clock is moved by hand, and the disk is not waited for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random
from uuid import UUID

from drivers.ports import Command, Done, Move
from edge.bookings import Bookings
from edge.commitments import Commitments
from edge.entering import Entering
from edge.lane_log import LotLaneLog
from edge.leaving import Leaving
from edge.ledger import Ledger
from edge.lot_reading import read_settings_file
from edge.payments import Payments
from edge.price_list import PriceList
from edge.settings import Settings
from edge.store.cipher import PlateKeys
from edge.store.opening import open_store
from edge.store.store import NumberedChange
from edge.terminals import Terminals
from edge.ticket_office import TicketOffice
from edge.unit import read_unit
from edge.visit import Presented, Visit
from edge.writer import LARGEST_GROUP, Commit
from sync.failpoints import Failpoints

LOT_ID = "0d6f0a8e-5f0c-4c57-8f6e-1c9b4a1f7e22"
SPOTS = 500
LANES = 3
EVERY = timedelta(seconds=86)
INSIDE = 120
"""Cars inside at any time: 120 × 86 s is a stay of 2.9 hours."""
CARS = ("entry", "exit")

TARIFF = """\
id = "benchmark"
version = 1
name = "Benchmark"
currency = "EUR"
timezone = "Europe/Berlin"
free_min = 30
after_free = "charged_from_entry"

[[rate]]
label = "Parking"
price = "1.20"
per_min = 30
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BigLot:
    """Where everything is; tokens are by device name. `driver` paths are pseudo-terminals that the benchmark plugs in."""

    folder: Path
    tokens: dict[str, str]

    @property
    def toml(self) -> Path:
        """The agent's configuration."""
        return self.folder / "lot.toml"

    @property
    def ledger(self) -> Path:
        """The agent's store."""
        return self.folder / "ledger.sqlite"

    @property
    def port_file(self) -> Path:
        """Where the agent writes the port of its local API."""
        return self.folder / "api.port"

    def cable(self, name: str) -> Path:
        """The device name of a cable."""
        return self.folder / "dev" / name


def lane_ids() -> list[str]:
    """Three entries, three exits."""
    return [f"{kind}-{number}" for kind in CARS for number in range(1, LANES + 1)]


def write_big_lot(folder: Path, *, cloud_url: str | None = None, broker_port: int | None = None) -> BigLot:
    """Write lot.toml, tariff.toml and sensors.csv into `folder`."""
    (folder / "dev").mkdir(parents=True, exist_ok=True)
    draw = Random("big lot")
    names = [f"{role}-{lane}" for lane in lane_ids() for role in ("kiosk", "camera")]
    lot = BigLot(folder=folder, tokens={name: f"{draw.getrandbits(160):040x}" for name in (*names, "staff")})
    rows = "".join(f"{device_of(place)},R-{place:03}\n" for place in range(1, SPOTS + 1))
    (folder / "sensors.csv").write_text("device,spot\n" + rows, encoding="utf-8")
    (folder / "tariff.toml").write_text(TARIFF, encoding="utf-8")
    lot.toml.write_text(
        "\n".join((*_lot(cloud_url), *_devices(lot), *_wires(lot), *_sensors(broker_port))), encoding="utf-8"
    )
    return lot


def device_of(place: int) -> str:
    """The name of a place's sensor, as plain JSON messages have it."""
    return f"sensor-{place:03}"


def _lot(cloud_url: str | None) -> Sequence[str]:
    cloud = () if cloud_url is None else ("[cloud]", f'url = "{cloud_url}"', 'key_file = "gateway.key"')
    return (
        'sensors_file = "sensors.csv"',
        "[lot]",
        f'id = "{LOT_ID}"',
        'name = "Benchmark"\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\nlatitude = 52.5\nlongitude = 13.4\naddress = "1"',
        '[store]\npath = "ledger.sqlite"',
        *cloud,
        '[api]\nhost = "127.0.0.1"\nport = 0\nport_file = "api.port"',
        '[tariff]\nfile = "tariff.toml"',
        '[[zones]]\nid = "ground"\nlevel = "0"',
        f'[[spots]]\nzone = "ground"\ntype = "regular"\nprefix = "R-"\nnumbers = ["001-{SPOTS}"]',
    )


def _devices(lot: BigLot) -> Sequence[str]:
    found = []
    for lane in lane_ids():
        kind, _, number = lane.partition("-")
        found.append(f'[[lanes]]\nid = "{lane}"\nkind = "{kind}"\nbarrier = "gate-{lane}"')
        if kind == "exit":
            found.append(f'reader = "reader-{lane}"\nterminal = "terminal-{number}"')
    for name, token in lot.tokens.items():
        role, _, lane = name.partition("-")
        found.append(f'[[devices]]\nname = "{name}"\nrole = "{role}"')
        found += [f'lane = "{lane}"'] if lane else []
        found.append(f'token_sha256 = "{sha256(token.encode()).hexdigest()}"')
    return found


def _wires(lot: BigLot) -> Sequence[str]:
    found = []
    for kind in CARS:
        units = ", ".join(f'"gate-{kind}-{number}" = {number}' for number in range(1, LANES + 1))
        found.append(
            f'[drivers.bus-{kind}]\nkind = "modbus_barrier"\nport = "{lot.cable(f"bus-{kind}")}"\nbaud = 115200'
        )
        # A real controller answers within milliseconds; these stand on the two cores that they share with everything else.
        found.append(f"units = {{ {units} }}\nanswer_ms = 200\ncommand_ms = 400\nknown_ms = 1000")
    for number in range(1, LANES + 1):
        for name, kind in (
            (f"reader-exit-{number}", "serial_reader"),
            (f"terminal-{number}", "payment_terminal"),
        ):
            found.append(f'[drivers.{name}]\nkind = "{kind}"\nport = "{lot.cable(name)}"')
    return found


def _sensors(broker_port: int | None) -> Sequence[str]:
    if broker_port is None:
        return ()
    return (
        f'[drivers.sensors]\nkind = "mqtt"\nhost = "127.0.0.1"\nport = {broker_port}\ntopics = ["spots/+"]\nformat = "json"',
        '[drivers.sensors.json]\ndevice = "$.device"\noccupied = "$.occupied"\nkey = "$.key"',
    )


@dataclass(slots=True)
class HandClock:
    """A clock that the history moves."""

    at: datetime

    def now(self) -> datetime:
        """The civil instant."""
        return self.at

    def monotonic(self) -> float:
        """Real seconds, as if civil time were real."""
        return self.at.timestamp()

    def real_s(self, civil: timedelta) -> float:
        """Civil time runs as real time does."""
        return civil.total_seconds()

    @property
    def known(self) -> bool:
        """Always: the history is the truth."""
        return True

    def dark_since(self, at: datetime) -> datetime | None:  # noqa: ARG002 - the protocol's
        """Never dark."""
        return None

    def lower_bound(self) -> datetime:
        """The civil instant itself."""
        return self.at

    def released_before(self) -> datetime:
        """The civil instant itself."""
        return self.at


class HistoryWriter:
    """Says at once that a change is durable and writes in large groups: what it writes is history, and the agent starts later."""

    degraded: str | None = None

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._group: list[NumberedChange] = []

    @property
    def waiting(self) -> int:
        """How many changes are not written yet."""
        return len(self._group)

    def submit(self, change: NumberedChange, *, urgent: bool) -> asyncio.Future[None]:  # noqa: ARG002 - nobody waits here
        """Take a change."""
        self._group.append(change)
        if len(self._group) >= LARGEST_GROUP:
            self._flush()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async def failed(self) -> None:
        """Never: what fails is raised where it happens."""
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Write what is left."""
        self._flush()

    def _flush(self) -> None:
        if self._group:
            self._commit(self._group)
            self._group = []


@dataclass(slots=True, kw_only=True)
class History:
    """The lot's past at work: its lanes' own code, its terminal always pays."""

    clock: HandClock
    ledger: Ledger
    entering: Entering
    leaving: Leaving
    log: LotLaneLog
    inside: deque[str] = field(default_factory=deque)

    async def enters(self, lane: str) -> None:
        """A car takes a ticket and drives in."""
        visit = Visit(lane=lane, presented=Presented.button(None))
        visit.answered = await self.entering.decide(visit)
        ticket = visit.answered.ticket
        assert ticket is not None, visit.answered
        self.log.gate_moved(lane, Move.OPEN, "opening", visit.stay_id)
        self.entering.passed(visit)
        self.log.gate_moved(lane, Move.CLOSE, "closing", None)
        self.inside.append(ticket.text)

    async def leaves(self, lane: str) -> None:
        """The car that is inside longest pays and drives out."""
        visit = Visit(lane=lane, presented=Presented.code(self.inside.popleft()))
        visit.answered = await self.leaving.decide(visit)
        if visit.answered.demand is not None:
            visit.answered = await self.leaving.pay(visit)
        self.log.gate_moved(lane, Move.OPEN, "opening", visit.stay_id)
        self.leaving.passed(visit)
        self.log.gate_moved(lane, Move.CLOSE, "closing", None)


async def pays(command: Command, timeout_s: float) -> Done:  # noqa: ARG001 - it always pays at once
    """A terminal."""
    return Done(reference="ok")


async def fill(lot: BigLot, rows: int, *, fresh: int = 0) -> list[str]:
    """Let cars come and go until the log has `rows` rows, `fresh` of them within the free time of now; the tickets of those."""
    settings = read_settings_file(lot.toml, {})
    history = _history(settings, rows)
    while history.ledger.last_seq < rows - 7 * fresh:
        number = history.ledger.last_seq
        await history.enters(f"entry-{1 + number % LANES}")
        if len(history.inside) > INSIDE:
            await history.leaves(f"exit-{1 + number % LANES}")
        history.clock.at += EVERY
    history.clock.at = datetime.now(UTC) - timedelta(seconds=1)
    tickets = len(history.inside)
    for number in range(fresh):
        await history.enters(f"entry-{1 + number % LANES}")
    await history.ledger.close()
    return list(history.inside)[tickets:]


def _history(settings: Settings, rows: int) -> History:
    unit = read_unit(settings.key_file, settings.store.path)
    plates = PlateKeys(unit.key.derive("plates"))
    opened = open_store(settings.store.path, cipher=plates, failpoints=Failpoints(), epoch=unit.epoch)
    opened.store._database.conn.execute("PRAGMA synchronous = OFF")  # noqa: SLF001 - history is made, not kept: closing writes it out
    clock = HandClock(datetime.now(UTC) - EVERY * (rows / 14))
    numbers = count(1)

    def new_id() -> str:
        return str(UUID(int=Random(f"history {next(numbers)}").getrandbits(128), version=4))

    ledger = Ledger.open(
        opened.store,
        HistoryWriter(opened.store.commit),
        lot=settings.lot,
        gateway=unit.gateway,
        epoch=unit.epoch,
        boot="history",
        clock=clock,
    )
    prices = PriceList([settings.tariff])
    office = TicketOffice(lot=settings.lot, key=unit.key, epoch=unit.epoch, clock=clock)
    log = LotLaneLog(ledger=ledger, clock=clock)
    names = {str(lane.id): lane.terminal for lane in settings.lanes if lane.terminal is not None}
    payments = Payments(
        ledger=ledger,
        prices=prices,
        office=office,
        clock=clock,
        new_id=new_id,
        terminals=Terminals(names=names, ask=pays),
    )
    commitments = Commitments(ledger, clock=clock, new_id=new_id, random=Random(1), failpoints=Failpoints())
    bookings = Bookings(lot=settings.lot, ledger=ledger, commitments=commitments, clock=clock)
    entering = Entering(
        lot=settings.lot,
        ledger=ledger,
        prices=prices,
        office=office,
        plates=plates,
        bookings=bookings,
        log=log,
        clock=clock,
        new_id=new_id,
    )
    leaving = Leaving(
        lot=settings.lot,
        ledger=ledger,
        prices=prices,
        office=office,
        payments=payments,
        plates=plates,
        bookings=bookings,
        log=log,
        clock=clock,
        new_id=new_id,
    )
    return History(clock=clock, ledger=ledger, entering=entering, leaving=leaving, log=log)
