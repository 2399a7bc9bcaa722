"""The one place that hosts both tiers: one seed's day, with faults, then without. Whatever fails says how to replay it.

Theory. Three parties run on one virtual loop: the lot's computer (tests/simulation/lot_tier), two processes of the centre over one database
(cloud_tier) and the payment provider. Between them a network that is as bad as the seed wants. Every source of chance is drawn from the seed,
one stream for each party, so that a change in one does not reshuffle the others. What must hold is looked at after every
commit (checks.py); once the faults have stopped, so is what must happen.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, ParamSpec
from uuid import UUID

from cloud.named_sql import named_sql
from cloud.observability import Metrics
from cloud.reservations.booking_rows import Booking
from edge.kiosk_orders import Order
from edge.store.cipher import PlateKeys
from edge.visit import Answered
from parking.ids import StayId
from parking.interval import Interval
from parking.lot import LaneKind, SpotType
from sync.keys import SigningKey
from tests.simulation import memory_bookings, memory_claims, memory_fleet, memory_payments, memory_transfers
from tests.simulation.checks import Checks
from tests.simulation.cloud_tier import CloudProcess
from tests.simulation.faults import Arming
from tests.simulation.kiosk import Kiosk
from tests.simulation.lot_day import (
    DAY_S,
    EV,
    LOT,
    REGULAR,
    START_AT,
    arrivals,
    bookings,
    kiosk_orders,
    the_lot,
    the_tariff,
)
from tests.simulation.lot_tier import LotTier
from tests.simulation.memory_database import MemoryDatabase, NotInMemory
from tests.simulation.network import CloudEnd, Network
from tests.simulation.people import Car, Lane, WebDriver, book_anew, park
from tests.simulation.provider import Provider
from tests.simulation.trace import Trace
from tests.simulation.troubles import Troubles
from tests.simulation.virtual_time import Killed, TierClock, VirtualTime, run_virtually

STAND_INS = (memory_bookings, memory_claims, memory_fleet, memory_payments, memory_transfers)
P = ParamSpec("P")
GATEWAY = f"gw-{LOT[:13]}-1"
KEY, CLOUD_KEY = SigningKey.from_seed(b"l" * 32), SigningKey.from_seed(b"c" * 32)
PLATES = PlateKeys(KEY.derive("plates"))
METRICS = Metrics()
PAYMENT_MAKE_DUE = named_sql("cloud.payments")["payment_make_due"]
CALM_S = 3 * 3_600.0
QUIET_EVERY_S = 20.0
TRIES = 3
FIRST_S = 1_200
SHARE = (REGULAR + EV) // 10


class Broken(AssertionError):
    """Something that must hold does not. The message ends with the command that replays it."""


class World:
    """One seed. `run` plays it to its end, or until so many of its seconds are over; `folder` is where the lot's disk is."""

    def __init__(
        self,
        seed: int,
        folder: Path,
        *,
        show: Callable[[str], None] | None = None,
        database: Callable[[Callable[[], datetime]], MemoryDatabase] = MemoryDatabase,
        until_s: float | None = None,
    ) -> None:
        self.seed = seed
        self.time = VirtualTime()
        self.trace = Trace(lambda: self.time.now_s, show)
        self.random = self._stream("world")
        self._folder = folder
        self._make_database = database
        self._until_s = until_s
        self.clock = TierClock(self.time, START_AT)
        self.seen: Counter[tuple[str, str]] = Counter()
        self.broken: BaseException | None = None
        self.is_over = False

    def _stream(self, name: str) -> Random:
        return Random(f"{self.seed}/{name}")

    def run(self) -> None:
        """Play the day.

        Raises:
            Broken: an invariant does not hold, or calm does not come.
        """
        try:
            run_virtually(self._day(), self.time, self._told)
        except (AssertionError, NotInMemory) as failure:
            replay = f"python -m tests.simulation --seed {self.seed} --trace"
            last = "\n".join(self.trace.last)
            raise Broken(f"{failure}\n{last}\nreplay: {replay}") from failure

    # The parties

    def _build(self) -> None:
        self.lot = the_lot()
        self.database = self._make_database(self.clock.now)
        self.network = Network(self._stream("network"), self.trace)
        self.provider = Provider(self._stream("provider"), self.trace)
        self.lot_failpoints = Arming("edge", self._stream("edge failpoints"), chance=0.6)
        self.cloud_failpoints = Arming("cloud", self._stream("cloud failpoints"), chance=0.6)
        self.processes: list[CloudProcess] = []
        self._streams = {name: self._stream(name) for name in ("api-1", "api-2")}
        self.lot_tier = LotTier(
            self._folder,
            lot=self.lot,
            tariff=the_tariff(),
            gateway=GATEWAY,
            key=KEY,
            plates=PLATES,
            clock=self.clock,
            network=self.network,
            random=self._stream("lot"),
            trace=self.trace,
            failpoints=self.lot_failpoints,
        )
        self.checks = Checks(self)
        self.entry, self.exit = (Lane(gate, self, self._stream(gate.lane)) for gate in self.lot_tier.gates)
        self.network.serve = self._serve
        self.database.said = self._said
        self.database.committed = self._watched(self.checks.cloud_committed)
        self.network.frames.append(self._watched(self.checks.frame_sent))
        self.provider.changed = self._watched(self.checks.money_moved)
        self.lot_tier.durable = self._watched(self.checks.lot_durable)
        self.lot_tier.booted = self._watched(self.checks.lot_booted)
        self.lot_tier.ended = self._lot_ended
        for gate in self.lot_tier.gates:
            gate.wrong = self._wrong
        self.faulty = True

    def _told(self, message: str, error: BaseException | None) -> None:
        """Something failed where nobody waits for it. The dead may; whoever lives may not."""
        if isinstance(error, Killed | asyncio.CancelledError) or self.is_over:
            return
        self.broken = self.broken or error or AssertionError(message)
        if not self._ended.done():
            self._ended.set_result(None)

    def _wrong(self, what: str) -> None:
        self._told(what, None)

    def _ended_task(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._told("a driver", error)

    async def _day(self) -> None:
        self.is_over = False
        self._ended = asyncio.get_running_loop().create_future()
        self._build()
        day = asyncio.create_task(self._live())
        await asyncio.wait({day, self._ended}, timeout=self._until_s, return_when=asyncio.FIRST_COMPLETED)
        self.is_over, self.faulty = True, False
        self.lot_tier.end()
        for process in self.processes:
            process.stop()
        day.cancel()
        if self.broken is not None:
            raise AssertionError(f"{type(self.broken).__name__}: {self.broken}") from self.broken
        if day.done():
            await day

    def _watched(self, look: Callable[P, None]) -> Callable[P, None]:
        """A look whose failure ends the world, whatever the product does with it."""

        def looked(*arguments: P.args, **named: P.kwargs) -> None:
            try:
                look(*arguments, **named)
            except AssertionError as failure:
                self._told("a look", failure)
                raise

        return looked

    async def _live(self) -> None:
        for name in self._streams:
            self._start_process(name)
        await self._enrol()
        self.lot_tier.start()
        await self._first_session()
        streams = {name: self._stream(name) for name in ("arrivals", "bookings", "faults", "kiosk", "orders")}
        self.kiosk = Kiosk(self, streams["kiosk"])
        self.drivers = [WebDriver(self, plan) for plan in bookings(streams["bookings"])]
        people = [
            *(park(self, each, f"car-{n}") for n, each in enumerate(arrivals(streams["arrivals"]))),
            *(driver.live() for driver in self.drivers),
            *(self.kiosk.buy(order) for order in kiosk_orders(streams["orders"])),
        ]
        tasks = [asyncio.create_task(each) for each in people]
        for task in tasks:
            task.add_done_callback(self._ended_task)
        self.troubles = Troubles(self, streams["faults"])
        faults = asyncio.create_task(self.troubles.run())
        await self.sleep_until(DAY_S)
        faults.cancel()
        with suppress(asyncio.CancelledError):
            await faults
        await self.troubles.cut_for_days()
        self._calm()
        for task in tasks:
            await task
        await self._quiet()
        await self._fresh_sales()
        await self._quiet()
        self.checks.at_the_end()

    async def _enrol(self) -> None:
        """The lot's gateway joins."""
        gateways = self.processes[0].cloud.gateways
        enrolled = await gateways.enrol(await gateways.invite(UUID(LOT)), KEY.public)
        assert enrolled.gateway == GATEWAY
        await gateways.put_tariff(UUID(LOT), the_tariff(), START_AT - timedelta(days=1))

    async def _first_session(self) -> None:
        """The layout is there, and the centre has its share of the spots."""
        spots = self.database.table("parking_spots")
        for _ in range(FIRST_S):
            if sum(spot["owner"] == "cloud" for spot in spots.values()) >= SHARE:
                return
            await asyncio.sleep(1)
        raise AssertionError("the centre never had its share")

    def _start_process(self, name: str) -> None:
        process = CloudProcess(
            name,
            database=self.database,
            provider=self.provider,
            clock=self.clock,
            key=CLOUD_KEY,
            metrics=METRICS,
            random=self._streams[name],
            trace=self.trace,
            failpoints=self.cloud_failpoints,
            busy=self._is_busy,
        )
        process.died = self._process_died
        self.processes = [*(one for one in self.processes if one.name != name), process]
        self.trace.add(name, "starts")

    def _process_died(self, process: CloudProcess) -> None:
        delay_s = self.random.choice((1.0, 5.0, 20.0, 120.0)) if self.faulty else 1.0
        asyncio.get_running_loop().call_later(delay_s, self._start_process, process.name)

    def _lot_ended(self, _: object) -> None:
        delay_s = self.random.choice((2.0, 10.0, 60.0, 900.0)) if self.faulty else 2.0
        asyncio.get_running_loop().call_later(delay_s, self._boot_again)

    def _boot_again(self) -> None:
        if self.lot_tier.boot is None:
            self.lot_tier.start()

    def _serve(self, end: CloudEnd) -> bool:
        alive = [process for process in self.processes if process.alive]
        if not alive:
            return False
        self.random.choice(alive).serve(end)
        return True

    def _said(self, text: str) -> None:
        loop = asyncio.get_running_loop()
        for process in self.processes:
            loop.call_later(0.002, process.hear, text)

    def _is_busy(self) -> bool:
        soon = self.clock.now() + timedelta(seconds=3)
        for row in self.database.table("reservations").values():
            if row["state"] == "preparing":
                return True
        for row in self.database.table("payments").values():
            due_at = row["due_at"]
            if due_at is not None and due_at <= soon:
                return True
        return False

    # What people need

    async def sleep_until(self, at_s: float) -> None:
        """Seconds into the day."""
        await asyncio.sleep(max(0.0, at_s - self.time.now_s))

    def any_process(self) -> CloudProcess:
        """Whichever the balancer chooses; a dead one is noticed by asking it."""
        return self.random.choice(self.processes)

    def booking_row(self, reservation: UUID | None) -> dict[str, Any] | None:
        """Its first revision."""
        return self.database.table("reservations").get((reservation, 1))

    def webhook(self, reservation: UUID | None) -> None:
        """The provider's word that money is held makes the payment due now."""
        row = self.booking_row(reservation)
        payment = None if row is None else self.database.table("payments").get(row["payment_id"])
        if payment is not None:
            intent, id_ = payment["stripe_payment_intent_id"], payment["id"]
            self.database.execute(PAYMENT_MAKE_DUE, {"intent": intent, "payment": id_})

    def told_committed(self, booking: Booking) -> None:
        """A driver was told that the booking stands."""
        self.checks.promised(booking)

    def let_through(self, kind: LaneKind, car: Car, answered: Answered) -> None:
        """An arm is up for a car."""
        if kind is LaneKind.EXIT and not car.booked and car.came_at is not None:
            self.checks.paid_no_more(StayId(car.stay), car.came_at)
        self.trace.add(f"lane {kind}", f"{car.name} {answered.reason}")
        self.seen["let through", f"{kind} {answered.reason}"] += 1

    def turned_away(self, kind: LaneKind, car: Car, answered: Answered) -> None:
        """A car was refused."""
        self.trace.add(f"lane {kind}", f"{car.name} refused {answered.reason}")
        self.seen["turned away", f"{kind} {answered.reason}"] += 1
        if car.booked:
            self.checks.pass_refused(car.booked, answered.reason)

    def _calm(self) -> None:
        """Faults stop."""
        self.trace.add("world", "calm")
        self.faulty = False
        self.network.weather = type(self.network.weather)()
        self.provider.deaf, self.provider.down = 0.0, False
        self.lot_tier.disk.full = False
        self.lot_failpoints.disarm()
        self.cloud_failpoints.disarm()
        self.network.set_cut(up=False, down=False)
        for gate in self.lot_tier.gates:
            gate.lost = gate.jammed = gate.blind = False
            gate.read()

    async def _fresh_sales(self) -> None:
        """A place is sold on both sides again. A card may be declined; three in a row are not."""
        starts_at = self.clock.now() + timedelta(hours=20)
        window = Interval(starts_at, starts_at + timedelta(hours=1))
        at_kiosk = Order(lane="in", type=SpotType.REGULAR, window=window)
        for sell in (lambda: self.kiosk.sell(at_kiosk), lambda: book_anew(self, window)):
            for _ in range(TRIES):
                if await sell():
                    break
            else:
                raise AssertionError("calm came, and nothing can be sold")

    async def _quiet(self) -> None:
        """Until nothing is left to do; it must come."""
        for _ in range(int(CALM_S / QUIET_EVERY_S)):
            await asyncio.sleep(QUIET_EVERY_S)
            if not self.checks.left_undone():
                return
        raise AssertionError(f"calm does not come: {self.checks.left_undone()}")
