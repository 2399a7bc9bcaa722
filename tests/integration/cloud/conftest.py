"""A centre on a database of its own, and a gateway's log to send it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from psycopg.rows import DictRow

from cloud.bootstrap import Cloud, build_cloud, running
from cloud.gateways.service import Applied, Enrolment, SessionKey
from cloud.settings import CloudSettings
from parking.claims import Claim, ClaimKind, ClaimState
from parking.ids import ClaimId, LaneId, LotId, SpotId, StayId, ZoneId, spot_id
from parking.interval import Interval
from parking.lot import Lane, LaneKind, Lot, Spot, SpotType, Tier, Zone
from parking.stays import Credential, CredentialKind, Stay, StayState
from sync.chain import Envelope, genesis, next_hash, pack_envelope
from sync.inbox import InboxRow, read_rows
from sync.instants import to_us
from sync.keys import SigningKey
from sync.layout import layout_body, layout_hash
from sync.messages import Hello, LogRow, Page
from sync.rows import claim_row, stay_row

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LOT = LotId("5f0c7c1e-3c4f-4a57-9d0e-0a6a5f9b3c11")
STAFF = "staff-token-of-the-tests"


@pytest.fixture
def settings(database_url: str) -> CloudSettings:
    return CloudSettings(database_url=database_url, tokens=STAFF, pool_min=1, pool_max=8)


@pytest.fixture
async def cloud(settings: CloudSettings) -> AsyncIterator[Cloud]:
    # Civil time stands nearly still at noon, so that counts can be told beforehand.
    environment = {"LOTGATE_CIVIL_SCALE": f"{NOON.isoformat()},0.0,1e-9"}
    built = build_cloud(settings, environment)
    async with running(built):
        yield built


def lot_of(regular: int = 4, ev: int = 2) -> Lot:
    numbers = [f"R-{n:03}" for n in range(1, regular + 1)], [f"E-{n:03}" for n in range(1, ev + 1)]
    spots = tuple(
        Spot(id=spot_id(LOT, number), zone=ZoneId("ground"), number=number, type=type_)
        for type_, group in zip((SpotType.REGULAR, SpotType.EV), numbers, strict=True)
        for number in group
    )
    return Lot(
        id=LOT,
        name="Market Square",
        timezone=ZoneInfo("Europe/Berlin"),
        currency="EUR",
        latitude=52.52,
        longitude=13.405,
        zones=(Zone(id=ZoneId("ground"), level="0"),),
        spots=spots,
        lanes=(
            Lane(id=LaneId("entry-1"), kind=LaneKind.ENTRY),
            Lane(id=LaneId("exit-1"), kind=LaneKind.EXIT),
        ),
    )


@dataclass
class GatewayLog:
    """Writes the rows of one gateway's log, chained."""

    gateway: str
    epoch: int
    rows: list[LogRow] = field(default_factory=list)

    @property
    def last_hash(self) -> bytes:
        return self.rows[-1].hash if self.rows else genesis(self.gateway, self.epoch)

    def raw(self, body: bytes) -> LogRow:
        row = LogRow(seq=len(self.rows) + 1, hash=next_hash(self.last_hash, body), body=body)
        self.rows.append(row)
        return row

    def add(self, kind: str, body: Mapping[str, object], at: datetime = NOON) -> LogRow:
        envelope = Envelope(
            epoch=self.epoch,
            seq=len(self.rows) + 1,
            boot="boot",
            since_boot_us=1,
            kind=kind,
            body={"at_us": to_us(at), **body},
        )
        return self.raw(pack_envelope(envelope))

    def claim(self, claim: Claim) -> LogRow:
        return self.add("claim_changed", {"claim": claim_row(claim)})

    def stay(self, kind: str, stay: Stay) -> LogRow:
        return self.add(kind, {"stay": stay_row(stay)})

    def page(self, first: int, last: int) -> Page:
        previous = genesis(self.gateway, self.epoch) if first == 1 else self.rows[first - 2].hash
        return Page(
            epoch=self.epoch,
            session=0,
            first=first,
            previous_hash=previous,
            rows=tuple(self.rows[first - 1 : last]),
        )

    def read(self, first: int, last: int) -> tuple[InboxRow, ...]:
        return read_rows(self.page(first, last))


@dataclass
class Lane1:
    """An enrolled gateway with its session open, and its log."""

    cloud: Cloud
    enrolment: Enrolment
    signing_key: SigningKey
    session: SessionKey
    log: GatewayLog

    async def send(self, first: int = 1, last: int | None = None) -> Applied:
        rows = self.log.read(first, len(self.log.rows) if last is None else last)
        return await self.cloud.gateways.apply_page(self.session, rows)

    async def reopen(self) -> SessionKey:
        hello = hello_of(self.enrolment, self.log)
        known = await self.cloud.gateways.identify(hello)
        assert known is not None
        return await self.cloud.gateways.begin(known, hello, "ok", "")

    async def rows(self, sql: str, **parameters: Any) -> list[DictRow]:
        async with self.cloud.database.connection() as connection:
            return await (await connection.execute(sql.encode(), parameters)).fetchall()

    async def rows_do(self, sql: str) -> None:
        async with self.cloud.database.connection() as connection:
            await connection.execute(sql.encode())

    async def one(self, sql: str, **parameters: Any) -> Any:
        (row,) = await self.rows(sql, **parameters)
        (value,) = row.values()
        return value


def hello_of(enrolment: Enrolment, log: GatewayLog) -> Hello:
    return Hello(
        gateway=enrolment.gateway,
        epoch=enrolment.epoch,
        boot="boot",
        protocol=1,
        last_seq=len(log.rows),
        acknowledged_seq=0,
        acknowledged_hash=genesis(enrolment.gateway, enrolment.epoch),
        document_n=0,
        layout_hash=b"",
        time_us=to_us(NOON),
        clock_quality="synced",
        software="0.1.0",
        signature=bytes(64),
    )


@pytest.fixture
async def gateway(cloud: Cloud) -> Lane1:
    key = SigningKey.from_seed(bytes(range(32)))
    code = await cloud.gateways.invite(UUID(LOT))
    enrolment = await cloud.gateways.enrol(code, key.public)
    log = GatewayLog(gateway=enrolment.gateway, epoch=enrolment.epoch)
    hello = hello_of(enrolment, log)
    known = await cloud.gateways.identify(hello)
    assert known is not None
    session = await cloud.gateways.begin(known, hello, "ok", "")
    body = layout_body(lot_of())
    await cloud.gateways.store_layout(session, layout_hash(body), body)
    return Lane1(cloud=cloud, enrolment=enrolment, signing_key=key, session=session, log=log)


def claim(
    spot: str | None = "R-001",
    *,
    starts: float = 0,
    ends: float | None = 4,
    state: ClaimState = ClaimState.FIRM,
    version: int = 1,
    id_: str | None = None,
    type_: SpotType = SpotType.REGULAR,
) -> Claim:
    """A claim on the spot painted `spot`, from and to hours after noon."""
    return Claim(
        id=ClaimId(id_ or str(uuid4())),
        spot=None if spot is None else SpotId(spot_id(LOT, spot)),
        type=type_,
        window=Interval(
            NOON + timedelta(hours=starts), None if ends is None else NOON + timedelta(hours=ends)
        ),
        kind=ClaimKind.WALK_IN,
        holder_kind="stay",
        holder_id="x",
        state=state,
        sold_by=Tier.EDGE,
        epoch=1,
        version=version,
    )


def stay(
    *,
    id_: str | None = None,
    state: StayState = StayState.INSIDE,
    of: Claim | None = None,
    version: int = 1,
    type_: SpotType = SpotType.REGULAR,
) -> Stay:
    return Stay(
        id=StayId(id_ or str(uuid4())),
        credential=Credential(kind=CredentialKind.TICKET, subject="t"),
        type=type_,
        state=state,
        lane="entry-1",
        admitted_at=NOON,
        claim=None if of is None else of.id,
        tariff_version="1",
        version=version,
    )
