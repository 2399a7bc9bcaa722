"""One lot's real ledger with its link, on a line to wherever a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import uuid4
from zoneinfo import ZoneInfo

from edge.centre_tls import context_for
from edge.change import Change, SpotState, fact
from edge.clock_record import ClockRecord
from edge.commitments import Commitments
from edge.configuration import Configuration
from edge.ledger import Ledger
from edge.line import LinkSettings
from edge.link import Link, LinkStatus
from edge.link_picture import LinkPicture
from edge.lot_clock import LotClock
from edge.owners import Owners
from edge.store.cipher import PlateKeys
from edge.store.store import Store
from edge.system_clock import SystemClock
from edge.writer import InlineWriter
from parking.ids import LaneId, LotId, ZoneId, spot_id
from parking.lot import Lane, LaneKind, Lot, Spot, SpotType, Zone
from parking.tariff import Tariff
from sync.edge_session import EdgeTimes
from sync.events import EventKind
from sync.failpoints import Failpoints
from sync.keys import SigningKey
from sync.pace import PaceSettings
from sync.tokens import TokenKey

LOT = LotId("11111111-2222-4333-8444-555555555555")


class Impatient(Random):
    """A random that never waits long: the waits' own law is tested in test_reconnect."""

    def uniform(self, a: float, b: float) -> float:
        return a + 0.01


def a_lot(lot: LotId = LOT, spots: int = 5) -> Lot:
    return Lot(
        id=lot,
        name="Rathaus",
        timezone=ZoneInfo("Europe/Berlin"),
        currency="EUR",
        latitude=52.5,
        longitude=13.4,
        zones=(Zone(id=ZoneId("P"), level="0"),),
        spots=tuple(
            Spot(id=spot_id(lot, f"A-{n}"), zone=ZoneId("P"), number=f"A-{n}", type=SpotType.REGULAR)
            for n in range(spots)
        ),
        lanes=(Lane(id=LaneId("in-1"), kind=LaneKind.ENTRY),),
    )


class Unit:
    """One lot's ledger with its link."""

    def __init__(
        self,
        ledger: Ledger,
        url: str,
        key: SigningKey,
        *,
        answer_s: float,
        failpoints: Failpoints,
        lot_clock: LotClock | None,
    ) -> None:
        self.ledger = ledger
        self.tariffs: list[Tariff] = []
        self.keys: list[tuple[TokenKey, ...]] = []
        self.told: list[LinkStatus] = []
        self.lanes = [("in-1", "idle")]
        clock = self.clock = lot_clock or SystemClock()
        self.commitments = Commitments(
            ledger,
            clock=clock,
            new_id=lambda: str(uuid4()),
            random=Impatient(1),
            failpoints=failpoints,
        )
        self.owners = Owners(ledger, clock=clock, new_id=lambda: str(uuid4()), failpoints=failpoints)
        self.documents = Configuration(
            ledger=ledger,
            now=clock.now,
            on_tariff=self.tariffs.append,
            on_keys=self.keys.append,
            decisions=self.commitments,
            owners=self.owners,
        )
        self.link = Link(
            LinkSettings(
                url=url,
                gateway=ledger.gateway,
                cloud="lotgate",
                software="test",
                close_s=0.2,
                tls=context_for(url),
                times=EdgeTimes(answer_s=answer_s, states_every_s=0.02),
                pace=PaceSettings(shortest_pause_s=0.05, longest_pause_s=0.2),
            ),
            ledger=ledger,
            documents=self.documents,
            commit=self.commitments,
            owners=self.owners,
            picture=LinkPicture(ledger, lanes=lambda: self.lanes, unexplained=lambda: 0),
            key=key,
            clock=clock,
            random=Impatient(1),
            clock_quality=lambda: "synced" if lot_clock is None else lot_clock.quality.value,
            on_time=None if lot_clock is None else lot_clock.hear,
            failpoints=failpoints,
        )
        self.link.subscribe(self.told.append)

    def log(self, count: int = 1) -> None:
        for n in range(count):
            self.ledger.commit(Change(events=(fact(EventKind.OVERRIDE, n, lane="in-1"),)))

    def sense(self, n: int, state: str = "occupied") -> None:
        spot = self.ledger.lot.spots[1].id
        word = SpotState(
            spot=spot, writer="edge:1", n=n, state=state, source="s-1", occurred_at=datetime.now(UTC)
        )
        self.ledger.commit(Change(spot_states=(word,)))


@asynccontextmanager
async def linked_unit(
    ledger_file: Path,
    url: str,
    *,
    gateway: str,
    key: SigningKey,
    epoch: int = 1,
    lot: LotId = LOT,
    answer_s: float = 5.0,
    failpoints: Failpoints | None = None,
    spots: int = 5,
    lot_clock: LotClock | None = None,
) -> AsyncIterator[Unit]:
    """The unit while its link runs."""
    store = Store(ledger_file, cipher=PlateKeys(b"p" * 32), failpoints=Failpoints())
    ledger = Ledger.open(
        store,
        InlineWriter(store.commit),
        lot=a_lot(lot, spots),
        gateway=gateway,
        epoch=epoch,
        boot="boot-1",
        clock=lot_clock or SystemClock(),
    )
    if lot_clock is not None:
        ClockRecord(ledger=ledger, clock=lot_clock).begin()
    unit = Unit(
        ledger, url, key, answer_s=answer_s, failpoints=failpoints or Failpoints(), lot_clock=lot_clock
    )
    running = asyncio.gather(unit.link.run(), unit.commitments.run())
    try:
        yield unit
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await ledger.close()


async def eventually(holds: Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait until it holds; the loop turns meanwhile."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - what is waited for is the other side's state, which has no event
            await asyncio.sleep(0.005)
