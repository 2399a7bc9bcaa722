"""A centre with two car parks of its own, one busy and one cut off, and some that it only knows of: for pictures and browser tests."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from uuid import UUID, uuid5

from cloud.bootstrap import Cloud, build_cloud
from cloud.gateways.service import SessionKey
from cloud.named_sql import named_sql
from cloud.serving import serve
from cloud.settings import CloudSettings
from parking.ids import LaneId, LotId, ZoneId, spot_id
from parking.lot import Lane, LaneKind, Lot, Spot, SpotType, Zone
from parking.stays import StayState
from sync.instants import to_us
from sync.keys import SigningKey
from sync.layout import layout_body, layout_hash
from sync.messages import SpotStateRow, States
from tests.integration.cloud.conftest import LOT, NOON, STAFF, GatewayLog, claim, hello_of, lot_of, stay

OTHER = LotId(str(uuid5(UUID(LOT), "other")))
QUERIES = named_sql("cloud.parking_lots")
LANES = {"entry-1": "passing", "entry-2": "idle", "exit-1": "paying", "exit-2": "stuck"}


@dataclass
class StagedLot:
    """An enrolled lot with its session open."""

    cloud: Cloud
    lot: Lot
    log: GatewayLog
    session: SessionKey
    n: int = 0

    @classmethod
    async def enrol(cls, cloud: Cloud, lot: Lot, seed: int) -> StagedLot:
        key = SigningKey.from_seed(bytes([seed] * 32))
        enrolment = await cloud.gateways.enrol(await cloud.gateways.invite(UUID(lot.id)), key.public)
        log = GatewayLog(gateway=enrolment.gateway, epoch=enrolment.epoch)
        known = await cloud.gateways.identify(hello_of(enrolment, log))
        assert known is not None
        session = await cloud.gateways.begin(known, hello_of(enrolment, log), "ok", "")
        body = layout_body(lot)
        await cloud.gateways.store_layout(session, layout_hash(body), body)
        return cls(cloud=cloud, lot=lot, log=log, session=session)

    async def flush(self, first: int) -> None:
        await self.cloud.gateways.apply_page(self.session, self.log.read(first, len(self.log.rows)))

    async def see(self, occupied: dict[str, float], lanes: dict[str, str]) -> None:
        """Sensors: number to share of confidence for taken spots; the others are free, but every 17th is silent."""
        self.n += 1
        spots = []
        for at, spot in enumerate(self.lot.spots):
            if at % 17 == 16:
                continue
            spots.append(
                SpotStateRow(
                    spot=spot.id,
                    n=self.n,
                    state="occupied" if spot.number in occupied else "free",
                    source="sensor",
                    occurred_us=to_us(NOON - timedelta(minutes=at)),
                    confidence_1e4=int(10_000 * occupied.get(spot.number, 0.97)),
                )
            )
        states = States(
            epoch=self.session.origin.epoch,
            session=self.session.session,
            as_of_seq=len(self.log.rows),
            n=self.n,
            snapshot=self.n == 1,
            spots=tuple(spots),
            counts=(),
            lanes=tuple(lanes.items()),
            backlog=0,
            unexplained=2,
        )
        await self.cloud.gateways.store_states(self.session, states)


def big_lot() -> Lot:
    """96 spots on two levels, four lanes."""
    small = lot_of()
    numbers = [(level, at) for level in ("0", "1") for at in range(1, 49)]
    kinds = dict.fromkeys(range(1, 9), SpotType.EV) | dict.fromkeys((45, 46, 47), SpotType.DISABLED)
    spots = tuple(
        Spot(
            id=spot_id(LOT, f"{'AB'[int(level)]}-{at:03}"),
            zone=ZoneId(f"level-{level}"),
            number=f"{'AB'[int(level)]}-{at:03}",
            type=kinds.get(at, SpotType.REGULAR) if level == "0" else SpotType.REGULAR,
        )
        for level, at in numbers
    )
    lanes = tuple(
        Lane(id=LaneId(lane), kind=LaneKind.ENTRY if lane.startswith("entry") else LaneKind.EXIT)
        for lane in LANES
    )
    zones = (Zone(id=ZoneId("level-0"), level="0"), Zone(id=ZoneId("level-1"), level="1"))
    return replace(small, spots=spots, lanes=lanes, zones=zones)


def other_lot() -> Lot:
    small = lot_of()
    spots = tuple(replace(spot, id=spot_id(OTHER, spot.number)) for spot in small.spots)
    return replace(small, id=OTHER, name="Station Garage", latitude=52.5251, longitude=13.3694, spots=spots)


async def stage(cloud: Cloud) -> StagedLot:
    """Everything on stage; the busy lot."""
    busy = await StagedLot.enrol(cloud, big_lot(), 1)
    random = Random(7)
    taken = sorted(random.sample([spot.number for spot in busy.lot.spots], 61))
    busy.log.add("boot", {"software": "0.1.0", "boot": "b1"})
    for at, number in enumerate(taken):
        spot = next(spot for spot in busy.lot.spots if spot.number == number)
        promise = claim(number, ends=2 + at % 5, type_=spot.type)
        came = NOON - timedelta(minutes=7 * at)
        inside = replace(
            stay(of=promise, type_=spot.type), admitted_at=came, entered_at=came + timedelta(seconds=9)
        )
        busy.log.claim(promise)
        busy.log.stay("stay_entered", inside)
    gone = replace(inside, id=stay().id, claim=None, state=StayState.LEFT, left_at=NOON)
    busy.log.stay("stay_left", gone)
    busy.log.add("gate_moved", {"lane": "entry-1", "move": "open", "why": "granted", "stay": None})
    busy.log.add(
        "admission_refused",
        {
            "lane": "entry-2",
            "direction": "entry",
            "reason": "already_inside",
            "credential_kind": "ticket",
            "times": 2,
        },
    )
    busy.log.add("override", {"lane": "exit-2", "action": "help_called", "by": "lane", "reason": "arm stuck"})
    await busy.flush(1)
    await busy.see({number: 0.98 if at % 20 else 0.4 for at, number in enumerate(taken)}, LANES)
    cut_off = await StagedLot.enrol(cloud, other_lot(), 2)
    await cut_off.see({"R-001": 0.9}, {"entry-1": "idle", "exit-1": "idle"})
    async with cloud.database.connection() as connection:
        await connection.execute(
            b"UPDATE gateways SET connected_at = now() - interval '3 hours', last_heard_at = now() - interval '134 minutes',"
            b" disconnected_at = now() - interval '134 minutes' WHERE id = %s",
            [cut_off.session.origin.gateway],
        )
    await known_of(cloud)
    await in_doubt(cloud)
    return busy


IN_DOUBT = UUID("8f3c0000-0000-4000-8000-000000000001")
BEING_DECIDED = UUID("4b1d0000-0000-4000-8000-000000000002")


async def in_doubt(cloud: Cloud) -> None:
    """A booking of the busy lot whose decision it has not heard for a quarter of an hour, and one that is being decided."""
    async with cloud.database.connection() as connection:
        await connection.execute(
            b"INSERT INTO reservations (id, revision, lot_id, user_name, type, starts_at, ends_at, state, status, untold,"
            b" deadline_at, lease_holder, lease_until, updated_at)"
            b" VALUES (%(doubt)s, 2, %(lot)s, 'staged', 'regular', %(from)s, %(to)s, 'committed', 'active', true, NULL, '', NULL,"
            b" protocol_now() - interval '14 min'),"
            b" (%(deciding)s, 1, %(lot)s, 'staged', 'ev', %(from)s, %(to)s, 'preparing', NULL, false,"
            b" protocol_now() + interval '1 day', 'staged', protocol_now() + interval '1 day', protocol_now())",
            {
                "doubt": IN_DOUBT,
                "deciding": BEING_DECIDED,
                "lot": LOT,
                "from": NOON + timedelta(hours=3),
                "to": NOON + timedelta(hours=5),
            },
        )


async def known_of(cloud: Cloud) -> None:
    """Forty car parks round about without a gateway."""
    random = Random(11)
    lots = [uuid5(UUID(LOT), f"known {n}") for n in range(40)]
    async with cloud.database.connection() as connection:
        await connection.execute(
            QUERIES["lots_import"],
            {
                "id": lots,
                "operator_id": [None] * 40,
                "name": [f"Known {n}" for n in range(40)],
                "address": [f"Street {n}, Berlin" for n in range(40)],
                "latitude": [52.522 + random.gauss(0, 0.01) for _ in lots],
                "longitude": [13.388 + random.gauss(0, 0.02) for _ in lots],
                "timezone": ["Europe/Berlin"] * 40,
                "currency": ["EUR"] * 40,
                "total_spots": [50] * 40,
                "amenities": ["{}"] * 40,
                "reference": [f"list/{n}" for n in range(40)],
            },
        )
        await connection.execute(
            QUERIES["counts_import"],
            {"lots": lots, "lot": lots, "type": ["regular"] * 40, "total": [50] * 40},
        )


@dataclass
class ServedCloud:
    """The staged centre, served from a thread of the test's own process; `call` does something on its loop."""

    database_url: str
    folder: Path
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    up: threading.Event = field(default_factory=threading.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    busy: StagedLot | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{(self.folder / 'port').read_text().strip()}"

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._serve())
        finally:
            self.up.set()
            self.loop.close()

    async def _serve(self) -> None:
        settings = CloudSettings(database_url=self.database_url, tokens=STAFF, pool_min=1, pool_max=6)
        cloud = build_cloud(settings, {"LOTGATE_CIVIL_SCALE": f"{NOON.isoformat()},{time.monotonic()},1"})
        port_file = self.folder / "port"
        serving = asyncio.create_task(
            serve(cloud, host="127.0.0.1", port=0, port_file=port_file, stop=self.stop)
        )
        while not port_file.exists():
            assert not serving.done(), serving.exception()
            await asyncio.sleep(0.01)
        self.busy = await stage(cloud)
        self.up.set()
        await serving


@contextmanager
def served_cloud(database_url: str, folder: Path) -> Iterator[ServedCloud]:
    """The staged centre while the block lasts."""
    served = ServedCloud(database_url=database_url, folder=folder)
    thread = threading.Thread(target=served.run)
    thread.start()
    served.up.wait(60)
    try:
        yield served
    finally:
        served.loop.call_soon_threadsafe(served.stop.set)
        thread.join(20)
