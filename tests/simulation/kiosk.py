"""People who buy a place ahead at the entry's kiosk, and come with the ticket that it printed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING

from edge.kiosk_orders import Order, Sold, Unsold
from parking.decision import Refusal
from tests.simulation.lot_day import START_AT, AtKiosk
from tests.simulation.people import Car, leave

if TYPE_CHECKING:
    from tests.simulation.world import World

Answer = Sold | Unsold | Refusal


@dataclass(slots=True)
class Kiosk:
    """The machine beside the entry."""

    world: World
    random: Random

    async def buy(self, plan: AtKiosk) -> None:
        """Buy, come in the window, and go home. Whoever stands before a dead screen goes away."""
        world = self.world
        await world.sleep_until(plan.at_s)
        sold = await self.sell(Order(lane="in", type=plan.type, window=plan.window))
        if sold is None:
            return
        assert plan.window.ends_at is not None
        await world.sleep_until(_seconds(plan.window.starts_at) + self.random.uniform(-60, 900))
        car = Car(name=plan.key, type=plan.type, code=sold.ticket.text, booked=sold.reservation)
        if not await world.entry.pass_by(car):
            return
        await world.sleep_until(_seconds(plan.window.ends_at) + plan.overstays_s)
        await leave(world, car)

    async def sell(self, order: Order) -> Sold | None:
        """One order at the screen; None where nothing was sold, or nobody knows."""
        boot = self.world.lot_tier.boot
        if boot is None or not boot.alive:
            return None
        selling: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        boot.start(self._sell(boot.sales.sell(order), selling))
        boot.asked.append(selling)
        answer = await selling
        self.world.trace.add("kiosk", f"{order.type} {type(answer).__name__} {_why(answer)}")
        if not isinstance(answer, Sold):
            return None
        self.world.checks.sold_at_kiosk(answer)
        return answer

    async def _sell(self, sale: Awaitable[Answer], selling: asyncio.Future[Answer | None]) -> None:
        answer = await sale
        if not selling.done():
            selling.set_result(answer)


def _why(answer: object) -> str:
    return str(answer.reason) if isinstance(answer, Refusal) else ""


def _seconds(at: datetime) -> float:
    return (at - START_AT).total_seconds()
