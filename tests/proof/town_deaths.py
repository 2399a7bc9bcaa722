"""Each labelled crash point of both tiers, died at once in a town at work: who is dead comes back armed with the next label.

A death is by the label itself, so none can pass without having been reached. Buyers and cars go on meanwhile, at whatever answers; the lot's line leads
to a process of the centre that lives. What is so at the end is in tests/proof/town_books.py.
"""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from cloud.gateways import link, service
from cloud.payments import cashier
from cloud.reservations import beginning, commit_step, errands
from edge import commitments, entering, kiosk_sales, lane_runner, line
from edge.store import store
from simulators.programs import ProgramEnded
from tests.proof.kiosk_people import KioskPeople
from tests.proof.rivals import Buyer, Cars, soon
from tests.proof.town import Town

CENTRE = (
    beginning.BEGIN_BEFORE_COMMIT,
    beginning.BEGIN_AFTER_COMMIT,
    link.PREPARE_BEFORE_SENT,
    link.PREPARE_SENT,
    service.VOTE_ARRIVED,
    service.VOTE_TAKEN,
    commit_step.DECISION_BEFORE_COMMIT,
    errands.DECISION_AFTER_COMMIT,
    errands.AFTER_COMMIT,
    link.DECISION_BEFORE_TOLD,
    link.DECISION_TOLD,
    cashier.BEFORE_CALL,
    cashier.AFTER_CALL,
    cashier.BEFORE_CAPTURE,
    cashier.AFTER_CAPTURE,
    service.PAGE_BEFORE_COMMIT,
    service.PAGE_AFTER_COMMIT,
)
AGENT = (
    commitments.BEFORE_PREPARED,
    commitments.PREPARED,
    line.BEFORE_VOTE,
    line.VOTE_SENT,
    commitments.BEFORE_APPLIED,
    commitments.APPLIED,
    entering.BEFORE_ADMITTED,
    entering.ADMITTED,
    lane_runner.BEFORE_PULSE,
    lane_runner.PULSED,
    kiosk_sales.BEFORE_HELD,
    kiosk_sales.HELD,
    kiosk_sales.BEFORE_SETTLED,
    kiosk_sales.SETTLED,
    kiosk_sales.BEFORE_SOLD,
    kiosk_sales.SOLD,
    store.BEFORE_CHECKPOINT,
    store.AFTER_CHECKPOINT,
    store.BEFORE_COMMIT,
    store.AFTER_COMMIT,
)
STILL_S, LONGER = 4.0, 1.5
"""So long without a death or a birth, and the line leads to the other process, whose label only the one at the line may come to. Each time it waits longer: the machine may be
slow."""
BUYERS_AT_ONCE = 2
KIOSK_PAUSE_S = 0.2
REACHED_WITHIN_S = 300.0


@dataclass(slots=True, kw_only=True)
class Storm:
    """In one town. Each buyer has a window of his own, so that nobody is refused for want of a place."""

    town: Town
    draw: Random
    buyers: list[Buyer] = field(default_factory=list)
    cars: Cars = field(init=False)
    people: KioskPeople = field(init=False)
    over: bool = False
    _of_agent: deque[str] = field(init=False)
    _of_centre: deque[str] = field(init=False)
    _agent_is_through: bool = False
    _one_agent: asyncio.Lock = field(default_factory=asyncio.Lock)
    _serving: set[str] = field(default_factory=set)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.cars = Cars(town=self.town)
        self.people = KioskPeople(town=self.town)
        self._of_agent = deque(self.draw.sample(AGENT, len(AGENT)))
        self._of_centre = deque(self.draw.sample(CENTRE, len(CENTRE)))

    async def pass_over(self) -> None:
        """Until every label was died at; then everything lives, and everybody has an answer."""
        async with asyncio.TaskGroup() as load:
            load.create_task(self._drive())
            load.create_task(self._book_at_the_kiosk(Random(self.draw.random())))
            for _ in range(BUYERS_AT_ONCE):
                load.create_task(self._buy(Random(self.draw.random())))
            turning = load.create_task(self._turn_the_line())
            try:
                async with asyncio.TaskGroup() as lives:
                    for who in ("agent", *self.town.centres):
                        lives.create_task(self._live(who))
            finally:
                self.over = True
                turning.cancel()

    async def _live(self, who: str) -> None:
        """One process over its lives; the last one has no failpoint."""
        waiting = self._of_agent if who == "agent" else self._of_centre
        while waiting:
            label = waiting.popleft()
            await self._start(who, label)
            await self.town.dies(who, within_s=REACHED_WITHIN_S)
            self._serving.discard(who)
            self._moved.set()
            self._lead_to_the_living()
            if self._agent_is_through:
                await self._redial()
        await self._start(who, "")
        self._agent_is_through = self._agent_is_through or who == "agent"

    async def _start(self, who: str, label: str) -> None:
        program = self.town.site.agent if who == "agent" else self.town.centres[who]
        await program.kill()
        try:
            await (self.town.start_agent(label) if who == "agent" else self.town.start_centre(who, label))
        except ProgramEnded:
            if program.status != -signal.SIGKILL:
                raise
            return  # what was left over led it to its label before it served
        self._serving.add(who)
        self._moved.set()
        self._lead_to_the_living()

    async def _turn_the_line(self) -> None:
        still_s = STILL_S
        while True:
            self._moved.clear()
            try:
                async with asyncio.timeout(still_s):
                    await self._moved.wait()
            except TimeoutError:
                still_s *= LONGER
                await self._stir()

    async def _stir(self) -> None:
        """Let the line lead to the other process at once: a new agent dials without a pause. Its label comes later again."""
        town = self.town
        if self._other() in self._serving:
            town.lead_to(self._other())
        label, town.armed["agent"] = town.armed["agent"], ""
        if label:
            self._of_agent.append(label)
            await town.site.agent.kill()
        elif self._agent_is_through:
            await self._redial()

    async def _redial(self) -> None:
        """A new agent dials at once; one that lost its line often waits up to a minute."""
        async with self._one_agent:
            await self._start("agent", "")

    def _lead_to_the_living(self) -> None:
        if self.town.lead not in self._serving and self._other() in self._serving:
            self.town.lead_to(self._other())

    def _other(self) -> str:
        return next(name for name in self.town.centres if name != self.town.lead)

    async def _buy(self, draw: Random) -> None:
        while not self.over:
            starts_at = soon() + timedelta(hours=3 * len(self.buyers), days=1)
            buyer = Buyer(town=self.town, draw=draw, starts_at=starts_at)
            self.buyers.append(buyer)
            await buyer.buy()

    async def _book_at_the_kiosk(self, draw: Random) -> None:
        """Within the day that a lot sells without a line; by turns for money and for nothing."""
        while not self.over:
            starts_at = soon() + timedelta(hours=draw.randrange(6, 20))
            lasts = timedelta(minutes=120 if sum(self.people.told.values()) % 2 else 45)
            await self.people.book(starts_at, lasts)
            await asyncio.sleep(KIOSK_PAUSE_S)

    async def _drive(self) -> None:
        while not self.over:
            ticket = await self.cars.come()
            if ticket is not None:
                await self.cars.go(ticket)
