"""The lot's computer: production's ledger on SQLite over the simulated disk, its lanes' work, its side of every commit, its link.

Composed as edge/bootstrap.py does, without drivers and screens. A death takes the tasks and leaves the disk; the next boot finds what the disk kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from drivers.errors import CommandRefused, CommandUnanswered
from drivers.ports import Command, Done, LookupPayment, TakePayment
from edge.bookings import Bookings
from edge.change import Change
from edge.clock_record import ClockRecord
from edge.commitments import Commitments
from edge.configuration import Configuration
from edge.entering import Entering
from edge.errors import StoreError, StoreUnwritable
from edge.kiosk_sales import KioskSales
from edge.lane_log import LotLaneLog
from edge.lane_ports import Closing
from edge.lane_runner import LaneRunner
from edge.leaving import Leaving
from edge.ledger import Ledger
from edge.line import LinkSettings
from edge.link import Link
from edge.link_picture import LinkPicture
from edge.lot_clock import KEPT_AS, LotClock, clock_kept_in
from edge.owners import Owners
from edge.payments import Payments
from edge.price_list import PriceList
from edge.promises import Promises
from edge.store.cipher import PlateKeys
from edge.store.opening import open_store
from edge.store.store import NumberedChange
from edge.system_clock import Machine
from edge.terminals import Terminals
from edge.ticket_office import TicketOffice
from edge.writer import Commit
from parking.lot import LaneKind, Lot
from parking.tariff import Tariff
from sync.edge_session import EdgeTimes
from sync.failpoints import Failpoints
from sync.keys import SigningKey
from tests.simulation.disk import Disk
from tests.simulation.gates import Gate
from tests.simulation.network import Network
from tests.simulation.trace import Trace
from tests.simulation.virtual_time import Killed, RawClock, TierClock

LEDGER = "ledger.sqlite"
PAYMENTS_EVERY_S = 60.0
CLOCK_EVERY_S = 20.0
"""Production looks every second whether the centre is silent; silence is five minutes long."""
DECLINED = 0.02
"""Of the cards at the lot's terminals."""
TERMINALS = {"in": "kiosk", "out": "terminal"}


class VirtualWriter:
    """Writes a little later, in groups, as edge.writer.ThreadWriter does, on the loop's own thread."""

    def __init__(self, commit: Commit, random: Random) -> None:
        self._commit = commit
        self._random = random
        self._waiting: deque[tuple[NumberedChange, asyncio.Future[None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopped = False
        self.degraded: str | None = None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def submit(self, change: NumberedChange, *, urgent: bool) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append((change, future))
        if self._timer is None and not self._stopped:
            self._timer = loop.call_later(self._random.uniform(0.001, 0.02), self._write)
        return future

    def _write(self) -> None:
        self._timer = None
        batch = list(self._waiting)
        try:
            self._commit([change for change, _ in batch])
        except StoreUnwritable as error:
            self.degraded = str(error)
            self._timer = asyncio.get_running_loop().call_later(1.0, self._write)
            return
        except StoreError as error:
            self._failure.set_exception(error)
            return
        self.degraded = None
        for _ in batch:
            self._waiting.popleft()
        for _, future in batch:
            if not future.done():
                future.set_result(None)

    def stop(self) -> None:
        """The process is dead."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    async def failed(self) -> None:
        await self._failure

    async def close(self) -> None:
        return None


class Boot:
    """One start of the agent."""

    def __init__(self, tier: LotTier, disk: Disk) -> None:
        self.tier = tier
        self.alive = True
        random = tier.random
        self.failpoints = tier.failpoints(self._struck)
        self.opened = open_store(
            disk.folder / LEDGER, cipher=tier.plates, failpoints=self.failpoints, epoch=tier.epoch
        )
        self.writer = VirtualWriter(self.opened.store.commit, random)
        self.clock = clock = LotClock(tier.machine(), kept=clock_kept_in(self.opened.store))
        self.ledger = Ledger.open(
            self.opened.store,
            self.writer,
            lot=tier.lot,
            gateway=tier.gateway,
            epoch=tier.epoch,
            boot=tier.new_id(),
            clock=clock,
            fenced=self.opened.fenced,
            losses=self.opened.losses,
            carried=lambda: {KEPT_AS: clock.kept()},
        )
        ClockRecord(ledger=self.ledger, clock=clock).begin()
        self._tasks: list[asyncio.Task[Any]] = []
        self.asked: list[asyncio.Future[Any]] = []
        self._compose(random)

    def _compose(self, random: Random) -> None:
        tier, ledger, clock, failpoints = self.tier, self.ledger, self.clock, self.failpoints
        new_id = tier.new_id
        prices = PriceList([tier.tariff])
        self.commitments = Commitments(
            ledger,
            clock=clock,
            new_id=new_id,
            random=random,
            failpoints=failpoints,
        )
        office = TicketOffice(lot=tier.lot, key=tier.key, epoch=tier.epoch, clock=clock)
        bookings = Bookings(
            lot=tier.lot,
            ledger=ledger,
            commitments=self.commitments,
            clock=clock,
            own_key=office.own_key,
        )
        self.owners = Owners(ledger, clock=clock, new_id=new_id, failpoints=failpoints)
        configuration = Configuration(
            ledger=ledger,
            now=clock.now,
            on_tariff=prices.add,
            on_keys=bookings.trust,
            decisions=self.commitments,
            owners=self.owners,
        )
        for document in ledger.documents():
            configuration.restore(document)
        self.lane_log = LotLaneLog(ledger=ledger, clock=clock)
        terminals = Terminals(names=TERMINALS, ask=self._ask_terminal)
        self.payments = Payments(
            ledger=ledger,
            prices=prices,
            office=office,
            clock=clock,
            new_id=new_id,
            terminals=terminals,
        )
        self.sales = KioskSales(
            ledger=ledger,
            prices=prices,
            office=office,
            commitments=self.commitments,
            terminals=terminals,
            clock=clock,
            new_id=new_id,
            line_is_up=lambda: self.link.status.state == "up",
            ask_for_places=self.owners.borrow,
            failpoints=failpoints,
        )
        self.entering = Entering(
            lot=tier.lot,
            ledger=ledger,
            prices=prices,
            office=office,
            plates=tier.plates,
            bookings=bookings,
            log=self.lane_log,
            clock=clock,
            new_id=new_id,
            failpoints=failpoints,
            borrow=self.owners.borrow,
        )
        self.leaving = Leaving(
            lot=tier.lot,
            ledger=ledger,
            prices=prices,
            office=office,
            payments=self.payments,
            plates=tier.plates,
            bookings=bookings,
            log=self.lane_log,
            clock=clock,
            new_id=new_id,
        )
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.runners = {
            gate.lane: LaneRunner(
                lane=gate.lane,
                kind=gate.kind,
                work=self.entering if gate.kind is LaneKind.ENTRY else self.leaving,
                arm=gate,
                log=self.lane_log,
                clock=clock,
                closing=Closing.AGENT,
                failed=failed,
                failpoints=failpoints,
            )
            for gate in tier.gates
        }
        self.promises = Promises(
            ledger=ledger,
            clock=clock,
            new_id=new_id,
            void_after_s=tier.lot.policy.void_after.total_seconds(),
        )
        self.link = Link(
            LinkSettings(
                url="ws://nowhere",
                gateway=tier.gateway,
                cloud="lotgate",
                software="simulated",
                times=EdgeTimes(states_every_s=15.0, states_at_least_s=45.0),
            ),
            ledger=ledger,
            documents=configuration,
            commit=self.commitments,
            owners=self.owners,
            picture=LinkPicture(
                ledger,
                lanes=lambda: [(lane, runner.state.phase.value) for lane, runner in self.runners.items()],
                unexplained=lambda: 0,
            ),
            key=tier.key,
            clock=clock,
            random=random,
            clock_quality=lambda: clock.quality.value,
            on_time=clock.hear,
            failpoints=failpoints,
            dial=lambda settings: tier.network.dial(settings.dial_s),  # type: ignore[arg-type,return-value]  # what the line uses of a connection
        )
        ledger.subscribe(self._is_durable)
        for work in (
            ledger.failed(),
            self.commitments.run(),
            self.promises.run(),
            self.link.run(),
            self._finish_payments(),
            self._watch_the_clock(),
        ):
            self.start(work)

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """A task that dies with this boot."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def _is_durable(self, change: Change) -> None:
        if self.alive:
            self.tier.durable(change)

    async def _finish_payments(self) -> None:
        while True:
            await self.payments.resolve_pending()
            await self.sales.resolve_pending()
            await asyncio.sleep(PAYMENTS_EVERY_S)

    async def _watch_the_clock(self) -> None:
        while True:
            self.clock.tick()
            await asyncio.sleep(CLOCK_EVERY_S)

    async def _ask_terminal(self, command: Command, timeout_s: float) -> Done:
        """The terminal does what it is asked once, and sometimes does not say so."""
        await asyncio.sleep(self.tier.random.uniform(0.5, 3.0))
        if not self.alive:
            raise Killed
        key = command.key if hasattr(command, "key") else ""
        if isinstance(command, TakePayment) and self.tier.random.random() < DECLINED:
            raise CommandRefused("declined")
        if isinstance(command, LookupPayment) and key not in self.tier.taken:
            raise CommandRefused("never charged")
        if isinstance(command, TakePayment):
            self.tier.taken.setdefault(key, f"receipt-{key[:8]}")
        if key in self.tier.taken and self.tier.random.random() > 0.03:
            return Done(reference=self.tier.taken[key])
        raise CommandUnanswered(f"no answer within {timeout_s:g} s")

    def _struck(self) -> None:
        self.tier.die("failpoint", power_cut=self.tier.random.random() < 0.5)
        raise Killed

    def stop(self) -> None:
        """Dead: its tasks end, its file handles go."""
        self.alive = False
        self.writer.stop()
        for task in self._tasks:
            task.cancel()
        for asked in self.asked:
            if not asked.done():
                asked.set_result(None)
        for runner in self.runners.values():
            for each in list(runner._tasks):
                each.cancel()
            if runner._timer is not None:
                runner._timer.cancel()
        asyncio.get_running_loop().call_soon(self.opened.store.close)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if task in self._tasks:
            self._tasks.remove(task)
        if not task.cancelled() and self.alive and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler({"message": "task failed", "exception": error})


class LotTier:
    """The lot over its starts. `durable` hears each change that is on the disk, `booted` each start."""

    def __init__(
        self,
        folder: Path,
        *,
        lot: Lot,
        tariff: Tariff,
        gateway: str,
        key: SigningKey,
        plates: PlateKeys,
        clock: TierClock,
        network: Network,
        random: Random,
        trace: Trace,
        failpoints: Callable[[Callable[[], None]], Failpoints],
    ) -> None:
        self.lot = lot
        self.tariff = tariff
        self.gateway = gateway
        self.epoch = 1
        self.key = key
        self.plates = plates
        self.truth = clock
        self.raw = RawClock(clock)
        self._boots = 0
        self._booted_s = 0.0
        self.network = network
        self.random = random
        self.failpoints = failpoints
        self.durable: Callable[[Change], None] = lambda _: None
        self.booted: Callable[[Boot], None] = lambda _: None
        self.ended: Callable[[Boot], None] = lambda _: None
        self.taken: dict[str, str] = {}
        self.gates = tuple(Gate(lane.id, lane.kind) for lane in lot.lanes)
        self._trace = trace
        self._folder = folder
        self._starts = 0
        self._was_dark = False
        self.disk = Disk(folder / "disk-0")
        self.boot: Boot | None = None

    def machine(self) -> Machine:
        """The box under the agent: its civil clock may say anything, its boot-time clock begins at each power cut."""
        booted_s = self._booted_s
        return Machine(
            clock=self.raw,
            boot_s=lambda: self.truth.monotonic() - booted_s,
            boot=f"boot-{self._boots}",
        )

    def new_id(self) -> str:
        """A UUID from the seed."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def start(self) -> None:
        """Boot from what the disk has."""
        if self._boots == 0 or self._was_dark:
            self._boots += 1
            self._booted_s = self.truth.monotonic() - self.random.uniform(8, 30)
        self._was_dark = False
        boot = Boot(self, self.disk)
        self.boot = boot
        self._trace.add("lot", f"boots at row {boot.ledger.last_seq}, losses {list(boot.opened.losses)}")
        for gate in self.gates:
            gate.attach(boot.runners[gate.lane])
        self.booted(boot)

    def die(self, why: str, *, power_cut: bool) -> None:
        """The process is gone; with a power cut, what was not synced too."""
        boot = self.boot
        if boot is None:
            return
        self._starts += 1
        self.boot = None
        self._was_dark = power_cut
        unsynced = self.disk.unsynced()
        self.disk = self.disk.after(
            self.random, power_cut=power_cut, folder=self._folder / f"disk-{self._starts}"
        )
        self._trace.add("lot", f"dies: {why}, power cut {power_cut}, unsynced {unsynced}")
        boot.stop()
        self.ended(boot)
        for gate in self.gates:
            gate.attach(None)
        for connection in list(self.network.open):
            connection.end("the lot died")

    def end(self) -> None:
        """The world is over."""
        if self.boot is not None:
            self.boot.stop()
        self.disk.end()
