"""A lot of ten places with its ledger on a real file, and a clock that a test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest_asyncio

from edge.change import Change
from edge.ledger import Ledger
from edge.store.cipher import PlateKeys
from edge.store.opening import OpenedStore, open_store
from edge.store.store import Store
from edge.writer import InlineWriter, Writer
from parking.book import ClaimRequest, Sale
from parking.claims import Claim, ClaimKind
from parking.ids import ClaimId, LotId, StayId, ZoneId, spot_id
from parking.interval import Interval
from parking.lot import Lot, Spot, SpotType, Zone
from parking.stays import Credential, CredentialKind, Stay, StayState
from sync.failpoints import Failpoints

LOT = LotId("5f0c2b7e-2c45-4c0e-9d7b-6a3f6d3b2a10")
NOON_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass(slots=True)
class HandClock:
    """A clock that stands until a test moves it."""

    at: datetime = NOON_AT

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - NOON_AT).total_seconds()

    def real_s(self, civil: timedelta) -> float:
        return civil.total_seconds()

    @property
    def known(self) -> bool:
        return True

    def dark_since(self, _at: datetime) -> datetime | None:
        return None

    def lower_bound(self) -> datetime:
        return self.at

    def released_before(self) -> datetime:
        return self.at


def small_lot(spots: int = 10) -> Lot:
    numbers = [f"A-{number:03}" for number in range(1, spots + 1)]
    return Lot(
        id=LOT,
        name="Ten Places",
        timezone=ZoneInfo("Europe/London"),
        currency="GBP",
        latitude=52.0,
        longitude=-1.9,
        zones=(Zone(id=ZoneId("yard"), level="0"),),
        spots=tuple(
            Spot(id=spot_id(LOT, number), zone=ZoneId("yard"), number=number, type=SpotType.REGULAR)
            for number in numbers
        ),
        lanes=(),
    )


@dataclass(slots=True)
class Premises:
    """One card on which a ledger lives, through as many starts as a test likes."""

    folder: Path
    lot: Lot
    clock: HandClock = field(default_factory=HandClock)
    gateway: str = "gateway-1"
    epoch: int = 1
    credential: bytes = b"the unit's own secret of 32 bytes"
    opened: OpenedStore | None = None
    started: list[Ledger] = field(default_factory=list)
    _boots: count[int] = field(default_factory=lambda: count(1))
    _ids: count[int] = field(default_factory=lambda: count(1))

    @property
    def path(self) -> Path:
        return self.folder / "ledger.sqlite"

    @property
    def store(self) -> Store:
        assert self.opened is not None
        return self.opened.store

    def open_file(self, failpoints: Failpoints | None = None) -> Store:
        self.opened = open_store(
            self.path,
            cipher=PlateKeys(self.credential),
            failpoints=failpoints or Failpoints(),
            epoch=self.epoch,
        )
        return self.opened.store

    def start(self, writer: Writer | None = None, failpoints: Failpoints | None = None) -> Ledger:
        """Start on what is on the card; with a writer of one's own, `open_file` was called before."""
        if writer is None:
            store = self.open_file(failpoints)
            writer = InlineWriter(store.commit)
        assert self.opened is not None
        ledger = Ledger.open(
            self.opened.store,
            writer,
            lot=self.lot,
            gateway=self.gateway,
            epoch=self.epoch,
            boot=f"boot-{next(self._boots)}",
            clock=self.clock,
            software="0",
            losses=self.opened.losses,
            fenced=self.opened.fenced,
        )
        self.started.append(ledger)
        return ledger

    def skip(self, ids: int) -> None:
        """Name what comes next from this number on, so that no name of an earlier process comes again."""
        self._ids = count(ids + 1)
        self._boots = count(ids + 1)

    def admit(self, ledger: Ledger, subject: str | None = None) -> tuple[Change, Stay, Claim]:
        """What lets one walk-in in: the change is not committed yet."""
        number = next(self._ids)
        now = self.clock.now()
        asked = ClaimRequest(
            id=ClaimId(f"claim-{number}"),
            type=SpotType.REGULAR,
            window=Interval(now, now + timedelta(hours=4)),
            kind=ClaimKind.WALK_IN,
            holder_kind="stay",
            holder_id=f"stay-{number}",
            epoch=self.epoch,
        )
        sale = ledger.book.sell(asked, now=now)
        assert isinstance(sale, Sale)
        stay = Stay(
            id=StayId(f"stay-{number}"),
            credential=Credential(kind=CredentialKind.TICKET, subject=subject or f"ticket-{number}"),
            type=SpotType.REGULAR,
            state=StayState.ADMITTED,
            lane="entry-1",
            admitted_at=now,
            claim=sale.claim.id,
            tariff_version="t 1",
        )
        return Change.record(at=now, claims=sale.claims, stays=(stay,)), stay, sale.claim


@pytest_asyncio.fixture
async def premises(tmp_path: Path) -> AsyncIterator[Premises]:
    premises = Premises(tmp_path, small_lot())
    yield premises
    for ledger in premises.started:
        await ledger.close()


@pytest_asyncio.fixture
async def ledger(premises: Premises) -> Ledger:
    return premises.start()
