"""A lot of two regular places and one charger whose lanes work on a real ledger: only the arms and the terminal are handed in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

from drivers.errors import CommandRefused, CommandUnanswered, DriverError, NeverHeardOf
from drivers.ports import Command, Done, LookupPayment, Move, TakePayment
from edge.bookings import Bookings
from edge.commitments import Commitments
from edge.entering import Entering
from edge.errors import StoreUnwritable
from edge.kiosk_sales import KioskSales
from edge.lane_log import LotLaneLog
from edge.lane_ports import LaneLimits, LaneWork
from edge.lane_runner import LaneRunner
from edge.lanes import Levels
from edge.leaving import Leaving
from edge.ledger import Ledger
from edge.payments import Payments
from edge.price_list import PriceList
from edge.promises import Promises
from edge.store.cipher import PlateKeys
from edge.store.store import NumberedChange
from edge.terminals import Terminals
from edge.ticket_office import TicketOffice
from edge.visit import Answered, Presented, Visit
from edge.writer import InlineWriter
from parking.lot import LaneKind, Lot, OpeningHours, SpotType
from parking.tariff import Tariff
from parking.tariff_document import parse_tariff
from sync.chain import unpack_envelope
from sync.events import EventKind
from sync.failpoints import Failpoints
from sync.keys import SigningKey
from sync.tokens import KeyRole, TokenKey
from tests.integration.edge.conftest import Premises, small_lot

SEED = bytes(range(32))
CENTRE = SigningKey.from_seed(b"the centre's key of thirty-two b")
QUICK = LaneLimits(arm_s=0.15, passage_s=0.15, back_out_s=0.05)

DOWN = Levels(vehicle=False, safety=False, arm_up=False, arm_down=True)
HERE = replace(DOWN, vehicle=True)
RISING = replace(HERE, arm_down=False)
UP = replace(HERE, arm_up=True, arm_down=False)
UNDER = replace(UP, safety=True)
GONE_UP = replace(UP, vehicle=False)


def tariff(version: int = 1, **more: object) -> Tariff:
    """Three pounds an hour from the first minute; a quarter of an hour to leave."""
    rate = {"label": "Parking", "price": "3.00", "per_min": 60}
    written: Mapping[str, object] = {
        "id": "t",
        "version": version,
        "currency": "GBP",
        "timezone": "Europe/London",
        "rate": [rate],
        **more,
    }
    return parse_tariff(written)


def three_places() -> Lot:
    lot = small_lot(3)
    return replace(lot, spots=(*lot.spots[:2], replace(lot.spots[2], type=SpotType.EV)))


class Terminal:
    """Approves what it is asked, and keeps its own record. `lose_answers` charges and says nothing; `mute` says nothing at all."""

    def __init__(self) -> None:
        self.records: dict[str, str | None] = {}
        self.asked: list[Command] = []
        self.decline = False
        self.lose_answers = False
        self.mute = False
        self.unreachable: DriverError | None = None
        self.thinks: asyncio.Event | None = None

    @property
    def charges(self) -> int:
        return sum(reference is not None for reference in self.records.values())

    async def ask(self, command: Command, _timeout_s: float) -> Done:
        self.asked.append(command)
        if self.unreachable is not None:
            raise self.unreachable
        if isinstance(command, TakePayment):
            return await self._take(command)
        assert isinstance(command, LookupPayment)
        if self.mute:
            raise CommandUnanswered("mute")
        return self._known(command.key)

    async def _take(self, command: TakePayment) -> Done:
        if self.thinks is not None:
            await self.thinks.wait()
        self.records[command.key] = None if self.decline else f"T-{len(self.records) + 1}"
        if self.lose_answers or self.mute:
            raise CommandUnanswered("the answer was lost")
        return self._known(command.key)

    def _known(self, key: str) -> Done:
        if key not in self.records:
            raise NeverHeardOf(key)
        reference = self.records[key]
        if reference is None:
            raise CommandRefused("declined")
        return Done(reference=reference)


class Arm:
    """An arm that is told; `answers` holds errors to answer with first."""

    def __init__(self) -> None:
        self.moves: list[Move] = []
        self.answers: list[DriverError] = []

    async def move(self, move: Move, *, timeout_s: float) -> None:
        self.moves.append(move)
        if self.answers:
            raise self.answers.pop(0)


class Disk:
    """The premises' disk, which can be full for a while."""

    def __init__(self, premises: Premises) -> None:
        self._commit = premises.open_file().commit
        self.writer = InlineWriter(self._write)
        self._full = False

    def fill(self) -> None:
        self._full = True

    def free(self) -> None:
        self._full = False
        self.writer.retry()

    def _write(self, batch: Sequence[NumberedChange]) -> None:
        if self._full:
            raise StoreUnwritable("database or disk is full")
        self._commit(batch)


@dataclass(slots=True)
class LotAtWork:
    """One lot at work; everything is the product's, on the ledger of `premises`."""

    premises: Premises
    ledger: Ledger = field(init=False)
    prices: PriceList = field(init=False)
    office: TicketOffice = field(init=False)
    log: LotLaneLog = field(init=False)
    terminals: Terminals = field(init=False)
    payments: Payments = field(init=False)
    commitments: Commitments = field(init=False)
    bookings: Bookings = field(init=False)
    sales: KioskSales = field(init=False)
    failpoints: Failpoints = field(default_factory=Failpoints)
    entering: Entering = field(init=False)
    leaving: Leaving = field(init=False)
    promises: Promises = field(init=False)
    disk: Disk = field(init=False)
    terminal: Terminal = field(default_factory=Terminal)
    failed: asyncio.Future[None] = field(init=False)
    _ids: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.failed = asyncio.get_running_loop().create_future()
        self.prices = PriceList([tariff()])
        self._start()

    def new_id(self) -> str:
        return str(UUID(int=next(self._ids)))

    async def restart(self) -> None:
        """The power goes and comes back: what is durable is what there is."""
        await self.ledger.close()
        self._start()

    def _start(self) -> None:
        self.disk = Disk(self.premises)
        self.ledger = ledger = self.premises.start(self.disk.writer)
        clock, lot = self.premises.clock, self.premises.lot
        key, plates = SigningKey.from_seed(SEED), PlateKeys(self.premises.credential)
        self.office = TicketOffice(lot=lot, key=key, epoch=self.premises.epoch, clock=clock)
        self.log = LotLaneLog(ledger=ledger, clock=clock)
        shared: dict[str, Any] = {
            "ledger": ledger,
            "prices": self.prices,
            "office": self.office,
            "clock": clock,
            "new_id": self.new_id,
        }
        self.terminals = Terminals(
            names={"exit-1": "terminal-1", "exit-2": "terminal-2"}, ask=self.terminal.ask
        )
        self.payments = Payments(terminals=self.terminals, **shared)
        self.commitments = Commitments(
            ledger,
            clock=clock,
            new_id=self.new_id,
            random=Random(1),
            failpoints=self.failpoints,
        )
        self.bookings = Bookings(
            lot=lot,
            ledger=ledger,
            commitments=self.commitments,
            clock=clock,
            own_key=self.office.own_key,
        )
        self.bookings.trust([TokenKey(public=CENTRE.public, role=KeyRole.CLOUD)])
        self.sales = KioskSales(terminals=self.terminals, commitments=self.commitments, **shared)
        shared |= {"bookings": self.bookings}
        self.entering = Entering(lot=lot, plates=plates, log=self.log, **shared)
        self.leaving = Leaving(lot=lot, plates=plates, log=self.log, payments=self.payments, **shared)
        self.promises = Promises(
            ledger=ledger,
            clock=clock,
            new_id=self.new_id,
            void_after_s=lot.policy.void_after.total_seconds(),
        )

    async def new_card(self) -> None:
        """The gateway is replaced: the key is the same, the ledger is empty and of the next epoch."""
        self.premises.folder = self.premises.folder / "new"
        self.premises.folder.mkdir()
        self.premises.epoch += 1
        await self.restart()

    def opens(self, hours: OpeningHours) -> None:
        """Cars may enter at these hours."""
        self.entering.lot = replace(self.premises.lot, opening_hours=hours)

    def later(self, **time: float) -> datetime:
        self.premises.clock.at += timedelta(**time)
        return self.premises.clock.at

    async def come(self, presented: Presented | None = None, lane: str = "entry-1") -> tuple[Visit, Answered]:
        """Something is presented at an entry (the button, unless told) and decided on."""
        visit = Visit(lane=lane, presented=presented or Presented.button(None))
        visit.answered = await self.entering.decide(visit)
        return visit, visit.answered

    async def come_in(self, presented: Presented | None = None) -> Answered:
        """The same, and drive in."""
        visit, answered = await self.come(presented)
        self.entering.passed(visit)
        return answered

    async def show(self, text: str, lane: str = "exit-1") -> tuple[Visit, Answered]:
        """A code is shown at an exit."""
        return await self.show_at_exit(Presented.code(text), lane)

    async def show_at_exit(self, presented: Presented, lane: str = "exit-1") -> tuple[Visit, Answered]:
        visit = Visit(lane=lane, presented=presented)
        visit.answered = await self.leaving.decide(visit)
        return visit, visit.answered

    async def pay(self, visit: Visit) -> Answered:
        visit.answered = await self.leaving.pay(visit)
        return visit.answered

    def runner(self, kind: LaneKind, arm: Arm, work: LaneWork | None = None) -> LaneRunner:
        lane_work = self.entering if kind is LaneKind.ENTRY else self.leaving
        return LaneRunner(
            lane=f"{kind.value}-1",
            kind=kind,
            work=work or lane_work,
            arm=arm,
            log=self.log,
            clock=self.premises.clock,
            limits=QUICK,
            failed=self.failed,
        )

    def events(self, kind: EventKind | None = None) -> list[Mapping[str, Any]]:
        """What the log tells, in order: the bodies of one kind, or of all."""
        told = [unpack_envelope(row.body) for row in self.ledger.log_page(0, 10_000)]
        return [envelope.body for envelope in told if kind is None or envelope.kind == kind]


def ticket_of(answered: Answered) -> str:
    assert answered.ticket is not None
    return answered.ticket.text


async def until(holds: Callable[[], object], within_s: float = 5.0) -> None:
    """Let the loop turn until something holds."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - what holds has no event of its own
            await asyncio.sleep(0.005)
