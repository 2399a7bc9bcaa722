"""Drivers: with tickets at the lanes, and on the web. They try again when something does not answer, as people do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

from cloud.errors import CloudError, LostRace, NotPaid
from cloud.reservations.booking import Wish
from edge.lanes import LaneEvent
from edge.visit import Presented, PresentedKind
from parking.decision import Reason
from parking.interval import Interval
from parking.lot import SpotType
from sync.booking import CoordinatorState
from tests.simulation.gates import Gate
from tests.simulation.lot_day import LOT, START_AT, Arrival, Web
from tests.simulation.virtual_time import Killed

if TYPE_CHECKING:
    from tests.simulation.world import World

PATIENCE_S = 45.0
LOOK_S = 0.25
BACKS_OUT = 0.02


@dataclass(slots=True)
class Car:
    """One vehicle. `code` is its ticket or pass; `booked` names its reservation."""

    name: str
    type: SpotType
    code: str = ""
    booked: str = ""
    stay: str = ""
    refused: Reason | None = None
    came_at: datetime | None = None


class Lane:
    """A queue of cars in front of one gate."""

    def __init__(self, gate: Gate, world: World, random: Random) -> None:
        self._gate = gate
        self._world = world
        self._random = random
        self._queue = asyncio.Lock()

    async def pass_by(self, car: Car) -> bool:
        """Stand in the queue, be let through or not; whether the car is through."""
        async with self._queue:
            self._gate.set(vehicle=True)
            car.came_at = car.came_at or self._world.clock.now()
            await asyncio.sleep(self._random.uniform(0.5, 2.0))
            through = await self._until_let_through(car)
            if through and self._random.random() < BACKS_OUT:
                await self._gate.back_out()
                return False
            if through:
                await self._gate.drive_through()
            else:
                self._gate.set(vehicle=False)
                await asyncio.sleep(1.0)
            return through

    async def _until_let_through(self, car: Car) -> bool:
        for _ in range(40):
            answered = await self._try(car)
            if answered is not None:
                return answered
            await asyncio.sleep(self._random.uniform(3, 30))
        runner = self._gate.runner
        return (
            runner is not None and runner.person_opens("attendant", "nothing works") and await self._is_up()
        )

    async def _is_up(self) -> bool:
        for _ in range(40):
            if self._gate.is_up:
                return True
            await asyncio.sleep(LOOK_S)
        return False

    async def _try(self, car: Car) -> bool | None:
        """Show the credential once; None: the agent did not answer."""
        presented = Presented.code(car.code) if car.code else Presented.button(car.type)
        visit = self._gate.present(presented)
        if visit is None:
            return None
        asked_to_pay = 0
        waited_s = 0.0
        while waited_s < PATIENCE_S:
            await asyncio.sleep(LOOK_S)
            waited_s += LOOK_S
            self._gate.look()
            answered, runner = visit.answered, self._gate.runner
            if runner is None:
                return None
            if answered is None:
                continue
            if answered.stay is not None:
                car.stay = answered.stay.id
            if answered.ticket is not None:
                car.code = answered.ticket.text
            if self._gate.is_up:
                self._world.let_through(self._gate.kind, car, answered)
                return True
            if answered.event is LaneEvent.REFUSED and visit.presented.kind is not PresentedKind.PLATE:
                car.refused = answered.reason
                self._world.turned_away(self._gate.kind, car, answered)
                return False
            if answered.event in {LaneEvent.OWES, LaneEvent.DECLINED} and asked_to_pay < 3:
                asked_to_pay += runner.ask_payment()
        return None


async def park(world: World, arrival: Arrival, name: str) -> None:
    """In by a ticket, and out again."""
    await world.sleep_until(arrival.at_s)
    car = Car(name=name, type=arrival.type)
    if not await world.entry.pass_by(car):
        return
    await asyncio.sleep(arrival.stays_s)
    await leave(world, car)


async def leave(world: World, car: Car) -> None:
    """Out, however long it takes."""
    while not await world.exit.pass_by(car):  # noqa: ASYNC110 - the driver looks for himself
        await asyncio.sleep(60)


class WebDriver:
    """One booking over the web, with whatever process answers."""

    def __init__(self, world: World, plan: Web) -> None:
        self._world = world
        self._plan = plan
        self.reservation: UUID | None = None
        self.committed = False
        self.cancelled = False
        self.window = plan.window

    async def live(self) -> None:
        """From the wish to the way home."""
        plan, world = self._plan, self._world
        await world.sleep_until(plan.at_s)
        if not await self._draft() or not await self._pay():
            return
        world.trace.add(plan.key, f"has {self.reservation}")
        await self._confirm()
        if not self.committed:
            return
        if plan.changes_to is not None:
            await asyncio.sleep(plan.thinks_s)
            await self._change(plan.changes_to)
        code = await self._pass()
        if plan.cancels_after_s is not None:
            await asyncio.sleep(plan.cancels_after_s)
            await self._cancel()
        if not plan.comes or not code or (self.cancelled and not plan.insists):
            return
        starts_s = (self.window.starts_at - START_AT).total_seconds()
        await world.sleep_until(starts_s + world.random.uniform(-300, 900))
        await self._park(code)

    async def _park(self, code: str) -> None:
        plan, world = self._plan, self._world
        booked = "" if self.cancelled else str(self.reservation)
        car = Car(name=plan.key, type=plan.type, code=code, booked=booked)
        if not await world.entry.pass_by(car):
            if car.refused is not Reason.NOT_YET:
                return
            await world.sleep_until((self.window.starts_at - START_AT).total_seconds() + 1)
            if not await world.entry.pass_by(car):
                return
        assert self.window.ends_at is not None
        ends_s = (self.window.ends_at - START_AT).total_seconds()
        await world.sleep_until(ends_s + plan.overstays_s)
        if plan.insists:
            await self._cancel()
        await leave(world, car)
        if plan.insists:
            again = Car(name=plan.key, type=plan.type, code=code)
            if await world.entry.pass_by(again):
                await leave(world, again)

    async def _draft(self) -> bool:
        plan = self._plan
        for _ in range(10):
            try:
                bookings = self._world.any_process().cloud.bookings
                wish = Wish(lot=UUID(LOT), type=plan.type, window=plan.window)
                _, told = await bookings.quote(wish)
                offered = await bookings.draft("driver", plan.key, told)
            except (Killed, NotPaid):
                await asyncio.sleep(self._world.random.uniform(1, 20))
            except CloudError as error:
                self._world.trace.add(plan.key, f"cannot draft: {error}")
                return False
            else:
                self.reservation = offered.booking.id
                return True
        return False

    async def _pay(self) -> bool:
        """Authenticate with the bank, once the payment is there."""
        world, plan = self._world, self._plan
        row = world.booking_row(self.reservation)
        if row is None:
            return False
        await asyncio.sleep(plan.thinks_s)
        for _ in range(20):
            if world.provider.of_payment(str(row["payment_id"])) is not None:
                return world.provider.authenticate(str(row["payment_id"]), succeeds=plan.pays)
            await asyncio.sleep(15)
        return False

    async def _confirm(self) -> None:
        world, plan = self._world, self._plan
        if plan.asks_both_ways:
            world.webhook(self.reservation)
        for _ in range(12):
            try:
                assert self.reservation is not None
                booking = await world.any_process().cloud.bookings.confirm("driver", self.reservation)
            except LostRace as lost:
                world.trace.add(plan.key, f"lost: {lost.reason}")
                return
            except (Killed, NotPaid):
                await asyncio.sleep(world.random.uniform(1, 20))
            except CloudError as error:
                world.trace.add(plan.key, f"not confirmed: {error}")
                return
            else:
                if booking.state is not CoordinatorState.COMMITTED:  # nothing is decided: asked again
                    await asyncio.sleep(world.random.uniform(1, 20))
                    continue
                self.committed = True
                world.told_committed(booking)
                return

    async def _change(self, window: Interval) -> None:
        """Another window: paid and confirmed where it costs more. Who hears no answer asks again."""
        world, key = self._world, self._plan.key
        assert self.reservation is not None
        for _ in range(12):
            try:
                bookings = world.any_process().cloud.bookings
                booking, offered = await bookings.change("driver", self.reservation, window)
                if offered is not None:
                    payment = offered.booking.payment
                    if payment is not None and world.provider.of_payment(str(payment)) is not None:
                        world.provider.authenticate(str(payment), succeeds=True)
                    booking = await bookings.confirm("driver", self.reservation)
            except LostRace as lost:
                world.trace.add(key, f"change lost: {lost.reason}")
                return
            except (Killed, NotPaid):
                await asyncio.sleep(world.random.uniform(1, 20))
            except CloudError as error:
                world.trace.add(key, f"not changed: {error}")
                return
            else:
                world.trace.add(key, f"changes to revision {booking.revision}")
                if booking.booked == window:
                    self.window = window
                    return

    async def _pass(self) -> str:
        for _ in range(12):
            try:
                assert self.reservation is not None
                _, code = await self._world.any_process().cloud.bookings.pass_of("driver", self.reservation)
            except Killed:
                await asyncio.sleep(self._world.random.uniform(1, 20))
            except CloudError as error:
                self._world.trace.add(self._plan.key, f"no pass: {error}")
                return ""
            else:
                return code
        return ""

    async def _cancel(self) -> None:
        for _ in range(12):
            try:
                assert self.reservation is not None
                booking = await self._world.any_process().cloud.bookings.cancel("driver", self.reservation)
            except Killed:
                await asyncio.sleep(self._world.random.uniform(1, 20))
            except CloudError as error:
                self._world.trace.add(self._plan.key, f"not cancelled: {error}")
                return
            else:
                self.cancelled = True
                self._world.trace.add(self._plan.key, f"cancels {booking.status}")
                return


async def book_anew(world: World, window: Interval) -> bool:
    """One booking on a quiet line; whether it stands."""
    plan = Web(
        key=f"fresh-{world.time.now_s:.0f}",
        at_s=world.time.now_s,
        type=SpotType.REGULAR,
        window=window,
        thinks_s=5.0,
        pays=True,
        asks_both_ways=False,
        cancels_after_s=None,
        comes=False,
        overstays_s=0.0,
    )
    driver = WebDriver(world, plan)
    await driver.live()
    return driver.committed
