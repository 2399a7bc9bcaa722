"""A lot at the other end of the link that votes, and a driver who books."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from cloud.database import connect
from parking.claims import Claim, ClaimKind, ClaimState
from parking.ids import ClaimId, SpotId, spot_id
from parking.interval import Interval
from parking.lot import SpotType, Tier
from parking.tariff import Tariff
from parking.tariff_document import parse_tariff
from sync.codec import decode
from sync.instants import from_us
from sync.messages import Decision, DecisionAck, Document, DocumentAck, Error, Frame, PageAck, Prepare, Vote
from tests.integration.cloud.cloud_process import CloudHere, CloudProcess, Gateway
from tests.integration.cloud.conftest import LOT, STAFF, lot_of


def tariff_of(price: str = "2.50", version: int = 1) -> Tariff:
    return parse_tariff(
        {
            "id": "market-square",
            "version": version,
            "currency": "EUR",
            "timezone": "Europe/Berlin",
            "rate": [{"per_min": 60, "price": price}],
        }
    )


def give_to_the_cloud(database_url: str, *numbers: str) -> None:
    """Let the cloud own these spots, as a transfer would."""
    with connect(database_url) as connection:
        for number in numbers:
            connection.execute(
                b"UPDATE parking_spots SET owner = 'cloud' WHERE id = %s", [UUID(spot_id(LOT, number))]
            )


@dataclass
class Driver:
    """Books over HTTP, as the bearer of a development token."""

    client: httpx.AsyncClient
    lot: str = LOT
    type: str = "regular"
    starts_at: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(hours=2))
    hours: int = 2

    @property
    def window(self) -> dict[str, str]:
        return {
            "starts_at": self.starts_at.isoformat(),
            "ends_at": (self.starts_at + timedelta(hours=self.hours)).isoformat(),
        }

    async def quote(self) -> dict[str, Any]:
        answer = await self.client.post(
            "/api/v1/quotes", json={"lot": self.lot, "type": self.type, **self.window}
        )
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def draft(
        self, key: str | None = None, quote: Mapping[str, Any] | None = None, *, hold: bool = False
    ) -> dict[str, Any]:
        told = quote or await self.quote()
        answer = await self.client.post(
            "/api/v1/reservations",
            json={"quote": told["quote"], **({"hold": True} if hold else {})},
            headers={**BEARER, "Idempotency-Key": key or str(uuid4())},
        )
        assert answer.status_code == 201, answer.text
        drafted: dict[str, Any] = answer.json()
        return drafted

    async def confirm(self, reservation: str) -> httpx.Response:
        return await self.client.post(f"/api/v1/reservations/{reservation}/confirm", headers=BEARER)

    async def book(self) -> httpx.Response:
        drafted = await self.draft()
        return await self.confirm(drafted["id"])

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(f"/api/v1/reservations/{path}", headers=BEARER)

    async def cancel(self, reservation: str) -> httpx.Response:
        return await self.client.delete(f"/api/v1/reservations/{reservation}", headers=BEARER)


BEARER = {"Authorization": f"Bearer {STAFF}"}

PATIENCE_S = 15.0


@dataclass
class VotingLot:
    """A gateway that answers prepares with the spots of its type that it has not promised. `mute`: it hears and says nothing.

    `uploads`: its log follows each vote; `before_voting` rows are logged, and not uploaded, before one.
    """

    gateway: Gateway
    mute: bool = False
    uploads: bool = True
    full: bool = False
    before_voting: int = 0
    held: dict[str, Claim] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    prepares: list[Prepare] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    complaints: list[Error] = field(default_factory=list)
    running: asyncio.Task[None] | None = None

    async def prepare(self, number: int = 0) -> Prepare:
        """What it was asked first, or so many after that: it may be on its way yet."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.prepares) <= number:  # noqa: ASYNC110 - it keeps what it hears
                await asyncio.sleep(0.01)
        return self.prepares[number]

    def start(self) -> None:
        self.running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self.running is not None:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            assert self.gateway.socket is not None
            data = await self.gateway.socket.recv()
            assert isinstance(data, bytes)
            await self._hear(decode(data))

    async def _hear(self, frame: Frame) -> None:
        match frame:
            case Prepare():
                self.prepares.append(frame)
                if not self.mute:
                    await self.vote(frame)
            case Decision():
                self.decisions.append(frame)
                ack = DecisionAck(
                    epoch=frame.epoch,
                    session=frame.session,
                    reservation=frame.reservation,
                    revision=frame.revision,
                )
                await self.gateway.say(ack)
            case Document():
                self.documents.append(frame)
                await self.gateway.say(DocumentAck(epoch=frame.epoch, session=frame.session, n=frame.n))
            case Error():
                self.complaints.append(frame)
            case PageAck():
                self.gateway.acknowledged = frame
            case _:
                raise AssertionError(f"{frame} was not expected")

    async def vote(self, prepare: Prepare) -> None:
        window = Interval(from_us(prepare.starts_us), from_us(prepare.ends_us))
        free = [
            spot.id
            for spot in lot_of().spots
            if spot.type == prepare.type
            and not self.full
            and not any(c.spot == spot.id and c.window.overlaps(window) for c in self.held.values())
        ]
        if not free:
            await self.gateway.say(
                Vote(
                    epoch=prepare.epoch, session=prepare.session, reservation=prepare.reservation,
                    revision=prepare.revision, yes=False, claim=prepare.claim, reason="full",
                )
            )  # fmt: skip
            return
        claim = Claim(
            id=ClaimId(prepare.claim),
            spot=SpotId(free[0]),
            type=SpotType(prepare.type),
            window=window,
            kind=ClaimKind.BOOKING,
            holder_kind="reservation",
            holder_id=prepare.reservation,
            state=ClaimState.HELD,
            sold_by=Tier.CLOUD,
            epoch=prepare.epoch,
            revision=prepare.revision,
        )
        self.held[prepare.reservation] = claim
        before = len(self.gateway.log.rows) + self.before_voting
        for _ in range(self.before_voting):
            self.gateway.log.add("gate_moved", {"lane": "entry-1"})
        self.gateway.log.claim(claim)
        self.gateway.log.add(
            "prepared",
            {"reservation": prepare.reservation, "revision": prepare.revision, "claim_id": claim.id},
        )
        await self.gateway.say(
            Vote(
                epoch=prepare.epoch, session=prepare.session, reservation=prepare.reservation,
                revision=prepare.revision, yes=True, claim=prepare.claim, spot=claim.spot,
                starts_us=prepare.starts_us, ends_us=prepare.ends_us, log_seq_before=before,
            )
        )  # fmt: skip
        if self.uploads:
            await self.upload()

    async def release(self, reservation: str) -> None:
        """The lot lets a booking's place go, and says so."""
        firm = self.held.pop(reservation).moved_to(ClaimState.FIRM)
        self.gateway.log.claim(firm.moved_to(ClaimState.RELEASED))
        await self.upload()

    async def upload(self) -> None:
        at = self.gateway.acknowledged.seq if self.gateway.acknowledged else 0
        last = len(self.gateway.log.rows)
        if last > at:
            await self.gateway.say(self.gateway.page(at + 1, last))


def at_port(process: CloudHere | CloudProcess) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{process.port}", timeout=30)
