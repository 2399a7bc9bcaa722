"""`lotgate edge takeover`: cars that are inside when lotgate takes a lot over get their stays. Next file: edge/ledger.py.

A car park is never empty on the day it changes its system. The old one, or a person with a pad, lists who is inside; each of them gets a stay with a
claim on a place (over the count if need be: they are there), and those without a plate a ticket. The file of tickets is
printed and handed out, or left under the wipers.

The id of such a stay follows from the lot and the row's own reference, so that a run that was cut short is simply run again: rows that are
on record are passed over, and their tickets are written as before.

    reference,plate,type,entered_at          the list: reference unique, plate empty for a ticket, entered_at with offset
    reference,stay,ticket                    what is written: ticket empty where the plate is the credential
"""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4, uuid5

from edge.change import Change, PlateOfStay, fact
from edge.errors import EdgeError
from edge.ledger import Ledger
from edge.lot_reading import read_settings_file
from edge.price_list import PriceList
from edge.settings import Settings
from edge.store.cipher import PlateKeys
from edge.store.opening import open_store
from edge.system_clock import clock_from
from edge.ticket_office import TicketOffice
from edge.unit import read_unit
from edge.writer import ThreadWriter
from lotgate import __version__
from parking.admission import Arrival, NewIds, admit_by_hand
from parking.clock import TrustedClock
from parking.ids import ClaimId, StayId
from parking.lot import SpotType
from parking.stays import Credential, CredentialKind, Stay, StayState
from sync.events import EventDraft, EventKind
from sync.failpoints import Failpoints
from sync.instants import to_us

COLUMNS = ["reference", "plate", "type", "entered_at"]
BY, REASON = "takeover", "inside when lotgate took over"
LONGEST_STAY = timedelta(days=365)


class ListRefused(EdgeError):
    """The list of cars inside cannot be taken: the message names file, line and field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarInside:
    """One row of the list. `plate` is empty where the driver gets a ticket."""

    reference: str
    plate: str
    type: SpotType
    entered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """What became of a row: its stay, and the ticket's text where there is one."""

    reference: str
    stay: StayId
    ticket: str


def read_cars(path: Path, now: datetime) -> list[CarInside]:
    """The list.

    Raises:
        ListRefused: naming the line and the field of the first row that is wrong.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            if (header := next(rows, [])) != COLUMNS:
                raise ListRefused(f"{path}:1 is {','.join(header)!r}, not {','.join(COLUMNS)!r}")
            cars = [_car(f"{path}:{rows.line_num}", row, now) for row in rows if row]
    except (OSError, UnicodeDecodeError, csv.Error) as wrong:
        raise ListRefused(f"{path}: {wrong}") from wrong
    _refuse_repeated(path, "reference", [car.reference for car in cars])
    _refuse_repeated(path, "plate", [car.plate for car in cars if car.plate])
    return cars


def _car(where: str, row: Sequence[str], now: datetime) -> CarInside:
    if len(row) != len(COLUMNS):
        raise ListRefused(f"{where} has {len(row)} fields, not {len(COLUMNS)}")
    reference, plate, kind, entered = (field.strip() for field in row)
    if not reference:
        raise ListRefused(f"{where} reference: is empty. Fix: number the cars.")
    if kind not in set(SpotType):
        raise ListRefused(f"{where} type: {kind!r} is none of {', '.join(SpotType)}.")
    try:
        entered_at = datetime.fromisoformat(entered)
    except ValueError as wrong:
        raise ListRefused(f"{where} entered_at: {wrong}. Fix: such as 2026-11-24T09:30:00+00:00.") from wrong
    if entered_at.utcoffset() is None:
        raise ListRefused(f"{where} entered_at: {entered!r} has no offset. Fix: end it with Z or +01:00.")
    if not now - LONGEST_STAY <= entered_at <= now:
        raise ListRefused(f"{where} entered_at: {entered!r} is not within the last 365 days.")
    return CarInside(reference=reference, plate=plate, type=SpotType(kind), entered_at=entered_at)


def _refuse_repeated(path: Path, field: str, values: Sequence[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ListRefused(f"{path} {field}: {value!r} stands twice.")
        seen.add(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """Records who is inside."""

    ledger: Ledger
    office: TicketOffice
    prices: PriceList
    plates: PlateKeys
    clock: TrustedClock

    async def take_over(self, cars: Iterable[CarInside]) -> list[TakenOver]:
        """Give every car its stay; all of it is durable when this returns."""
        taken = [self._take(car) for car in cars]
        await self.ledger.durable()
        return taken

    def _take(self, car: CarInside) -> TakenOver:
        lot = UUID(self.ledger.lot.id)
        ids = NewIds(
            stay=StayId(str(uuid5(lot, f"takeover {car.reference}"))),
            claim=ClaimId(str(uuid5(lot, f"takeover claim {car.reference}"))),
            epoch=self.ledger.epoch,
        )
        stay = self.ledger.stay(ids.stay) or self._record(car, ids)
        ticket = "" if car.plate else self.office.issue_ticket(stay).text
        return TakenOver(reference=car.reference, stay=stay.id, ticket=ticket)

    def _record(self, car: CarInside, ids: NewIds) -> Stay:
        now = self.clock.now()
        credential = self._credential(car, ids.stay)
        decision = admit_by_hand(
            Arrival(credential=credential, type=car.type), self.ledger.book, now=now, ids=ids
        )
        stay = Stay(
            id=ids.stay,
            credential=credential,
            type=car.type,
            state=StayState.INSIDE,
            lane="",
            admitted_at=car.entered_at,
            entered_at=car.entered_at,
            claim=decision.claim,
            over_count=decision.over_count,
            tariff_version=self.prices.in_force(car.entered_at).name_of_version,
        )
        told = fact(
            EventKind.OVERRIDE, to_us(now), lane="", action="taken_over", by=BY, reason=REASON, stay=stay.id
        )
        self.ledger.commit(
            Change.record(
                at=now,
                claims=decision.claims,
                stays=(stay,),
                events=(told, *self._issued(stay, now)),
                plates=(PlateOfStay(stay=stay.id, plate=car.plate),) if car.plate else (),
            )
        )
        return stay

    def _credential(self, car: CarInside, stay: StayId) -> Credential:
        if car.plate:
            return Credential(kind=CredentialKind.PLATE, subject=self.plates.hash(car.plate))
        return Credential(kind=CredentialKind.TICKET, subject=stay)

    def _issued(self, stay: Stay, now: datetime) -> tuple[EventDraft, ...]:
        if stay.credential.kind is not CredentialKind.TICKET:
            return ()
        return (
            fact(
                EventKind.TOKEN_ISSUED,
                to_us(now),
                kind="ticket",
                subject=stay.credential.subject,
                stay=stay.id,
                key_id=self.office.key_id,
            ),
        )


def takeover(config: Path, environment: Mapping[str, str], *, inside: Path, tickets: Path) -> int:
    """Take the cars of the list `inside` over and write their tickets; the agent must not run. Exit status 0.

    Raises:
        SettingsRefused, ListRefused: a file is wrong.
        StoreError: the ledger cannot be used, for one because the agent runs.
    """
    settings = read_settings_file(config, environment)
    clock = clock_from(environment)
    cars = read_cars(inside, clock.now())
    taken = asyncio.run(_run(settings, clock, cars))
    with tickets.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["reference", "stay", "ticket"])
        rows.writerows([one.reference, one.stay, one.ticket] for one in taken)
    sys.stdout.write(f"{len(taken)} cars inside are on record; their tickets are in {tickets}\n")
    return 0


async def _run(settings: Settings, clock: TrustedClock, cars: Sequence[CarInside]) -> list[TakenOver]:
    unit = read_unit(settings.key_file, settings.store.path)
    plates = PlateKeys(unit.key.derive("plates"))
    opened = open_store(
        settings.store.path, cipher=plates, failpoints=Failpoints.parse(None), epoch=unit.epoch
    )
    ledger = Ledger.open(
        opened.store,
        ThreadWriter(opened.store.commit),
        lot=settings.lot,
        gateway=unit.gateway,
        epoch=unit.epoch,
        boot=str(uuid4()),
        clock=clock,
        software=__version__,
        fenced=opened.fenced,
        losses=(*unit.losses, *opened.losses),
    )
    office = TicketOffice(lot=settings.lot, key=unit.key, epoch=unit.epoch, clock=clock)
    prices = PriceList([settings.tariff])
    try:
        return await Takeover(
            ledger=ledger, office=office, prices=prices, plates=plates, clock=clock
        ).take_over(cars)
    finally:
        await ledger.close()
