"""Many lots in one process: each a real ledger on this disk, the real participant of the commit and its real link to a centre."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from edge.commitments import Commitments
from edge.configuration import Configuration
from edge.enrolment import Enrolment, ask
from edge.ledger import Ledger
from edge.line import LinkSettings
from edge.link import Link
from edge.link_picture import LinkPicture
from edge.owners import Owners
from edge.store.cipher import PlateKeys
from edge.store.store import Store
from edge.system_clock import SystemClock
from edge.writer import ThreadWriter
from parking.ids import LaneId, LotId, ZoneId, spot_id
from parking.lot import Lane, LaneKind, Lot, Spot, SpotType, Zone
from sync.failpoints import Failpoints
from sync.keys import SigningKey

CLOUD_NAME = "lotgate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A lot with the key that its gateway made at enrolment."""

    lot: Lot
    key: SigningKey
    enrolment: Enrolment


def lot_of(number: int, spots: int) -> Lot:
    """A lot whose spots are all regular; the same number is the same lot."""
    id_ = LotId(str(UUID(int=Random(f"linked lot {number}").getrandbits(128), version=4)))
    yard = ZoneId("yard")
    numbers = [f"R-{spot:03}" for spot in range(spots)]
    return Lot(
        id=id_,
        name=f"Benchmark {number}",
        timezone=ZoneInfo("UTC"),
        currency="EUR",
        latitude=50 + number % 2_000 / 100,
        longitude=8,
        zones=(Zone(id=yard, level="0"),),
        spots=tuple(Spot(id=spot_id(id_, n), zone=yard, number=n, type=SpotType.REGULAR) for n in numbers),
        lanes=(Lane(id=LaneId("entry-1"), kind=LaneKind.ENTRY),),
    )


def enrol(centre: str, lot: Lot, code: str) -> Enrolled:
    """A gateway for `lot`, by the one-time code that the centre gave.

    Raises:
        EnrolmentFailed: the centre refuses.
    """
    key = SigningKey.from_seed(UUID(lot.id).bytes * 2)
    return Enrolled(lot=lot, key=key, enrolment=ask(centre, code=code, public_key=key.public))


@asynccontextmanager
async def linked(centre: str, enrolled: Sequence[Enrolled], folder: Path) -> AsyncIterator[list[Ledger]]:
    """All lots with their links, until left; their ledgers."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_linked(centre, one, folder)) for one in enrolled]


@asynccontextmanager
async def _linked(centre: str, one: Enrolled, folder: Path) -> AsyncIterator[Ledger]:
    clock = SystemClock()
    failpoints = Failpoints()
    store = Store(folder / f"{one.lot.id}.sqlite", cipher=PlateKeys(bytes(32)), failpoints=failpoints)
    ledger = Ledger.open(
        store,
        ThreadWriter(store.commit),
        lot=one.lot,
        gateway=one.enrolment.gateway,
        epoch=one.enrolment.epoch,
        boot="benchmark",
        clock=clock,
    )
    commitments = Commitments(
        ledger,
        clock=clock,
        new_id=lambda: str(uuid4()),
        random=Random(one.lot.id),
        failpoints=failpoints,
    )
    owners = Owners(ledger, clock=clock, new_id=lambda: str(uuid4()), failpoints=failpoints)
    documents = Configuration(
        ledger=ledger,
        now=clock.now,
        on_tariff=lambda _: None,
        on_keys=lambda _: None,
        decisions=commitments,
        owners=owners,
    )
    link = Link(
        LinkSettings(
            url=f"{centre.replace('http', 'ws', 1)}/api/v1/link",
            gateway=one.enrolment.gateway,
            cloud=CLOUD_NAME,
            software="benchmark",
        ),
        ledger=ledger,
        documents=documents,
        commit=commitments,
        owners=owners,
        picture=LinkPicture(ledger, lanes=lambda: [("entry-1", "idle")], unexplained=lambda: 0),
        key=one.key,
        clock=clock,
        random=Random(one.lot.id),
        clock_quality=lambda: "synced",
        failpoints=failpoints,
    )
    running = asyncio.gather(link.run(), commitments.run())
    try:
        yield ledger
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await ledger.close()
