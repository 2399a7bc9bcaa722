"""A hand that kills what a town is made of, while buyers and cars compete for its places; a seed draws whom, when, and what the line does meanwhile.

`python -m tests.proof.town_kills --kills 50 --seed 3` runs it alone and prints what it did; tests/proof/test_town_kills.py runs it as a test.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from cloud.migrating import migrate
from simulators.database import DatabaseCluster
from simulators.network import Direction, Flow
from tests.proof.kiosk_people import KioskPeople
from tests.proof.rivals import Buyer, Cars, soon
from tests.proof.town import Town, town_at
from tests.proof.town_books import come_to_rest, wrongs

MORTALS = ("agent", "centre a", "centre b", "database", "provider")
TROUBLES = ("cut", "hold up", "hold down", "swallow up", "swallow down", "slow up", "slow down", "no money")
SHORTEST_S, LONGEST_S = 0.05, 0.6
SLOW_S = 0.15
BUYERS_AT_ONCE = 2
ROUND = 10


@dataclass(slots=True, kw_only=True)
class Hand:
    """Kills `kills` times, the mortals in turn in an order of the seed's; before each second one a line is in trouble too: the lot's, or the provider's."""

    town: Town
    cluster: DatabaseCluster
    draw: Random
    kills: int
    say: Callable[[str], None]
    killed: Counter[str] = field(default_factory=Counter)
    troubled: Counter[str] = field(default_factory=Counter)
    buyers: list[Buyer] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    cars: Cars = field(init=False)
    people: KioskPeople = field(init=False)

    def __post_init__(self) -> None:
        self.cars = Cars(town=self.town)
        self.people = KioskPeople(town=self.town)

    async def work(self) -> None:
        """Kill under load; after every ten kills let everybody finish and everything rest, and compare all books.

        Raises:
            AssertionError: it never comes to rest.
        """
        for done in range(0, self.kills, ROUND):
            await self._round(min(ROUND, self.kills - done))
            await come_to_rest(self.town)
            self.wrong += wrongs(self.town, self.buyers, self.cars, self.people)
            booked = sum(buyer.told == 200 for buyer in self.buyers)
            self.say(
                f"{sum(self.killed.values())} kills, {booked} of {len(self.buyers)} buyers have booked,"
                f" {len(self.people.sold)} at the kiosk: {self.wrong or 'all books agree'}"
            )
            if self.wrong:
                return

    async def _round(self, kills: int) -> None:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as load:
            load.create_task(self._drive(over))
            load.create_task(self._book_at_the_kiosk(over, Random(self.draw.random())))
            for _ in range(BUYERS_AT_ONCE):
                load.create_task(self._buy(over, Random(self.draw.random())))
            try:
                await self._kill_in_turn(kills)
            finally:
                over.set()

    async def _kill_in_turn(self, kills: int) -> None:
        for number in range(kills):
            if number % len(MORTALS) == 0:
                order = self.draw.sample(MORTALS, len(MORTALS))
            victim = order[number % len(MORTALS)]
            await self._pause()
            if number % 2:
                await self._trouble(self.draw.choice(TROUBLES))
            await self._kill(victim)
            self.killed[victim] += 1

    async def _kill(self, victim: str) -> None:
        town = self.town
        match victim:
            case "agent":
                await town.site.agent.kill()
                await self._pause()
                await town.start_agent()
            case "database":
                # Its server ends with the thread that starts it: with this one, which stands still meanwhile.
                self.cluster.kill()
                self.cluster.start()
            case "provider":
                await town.provider.kill()
                await self._pause()
                await town.provider.start()
                await town.provider.serves()
            case _:
                name = victim[-1]
                if town.lead == name:
                    town.lead_to(next(other for other in town.ports if other != name))
                await town.centres[name].kill()
                await self._pause()
                await town.start_centre(name)

    async def _trouble(self, how: str) -> None:
        line = self.town.money if how == "no money" else self.town.line
        self.troubled[how] += 1
        match how.split():
            case ["slow", direction]:
                line.delay(Direction(direction), SLOW_S)
            case [("hold" | "swallow") as flow, direction]:
                line.flow(Direction(direction), Flow(flow))
            case _:
                line.cut()
        await self._pause()
        line.restore()

    async def _pause(self) -> None:
        await asyncio.sleep(self.draw.uniform(SHORTEST_S, LONGEST_S))

    async def _buy(self, over: asyncio.Event, draw: Random) -> None:
        """Today, against the cars; tonight, against the kiosk; or on a day of his own. Who wants what is scarce gives it back."""
        while not over.is_set():
            day = draw.choice(("today", "tonight", "later", "later"))
            after = {
                "today": timedelta(),
                "tonight": tonight(draw),
                "later": timedelta(days=draw.randrange(1, 3 + self.kills)),
            }[day]
            buyer = Buyer(
                town=self.town,
                draw=draw,
                starts_at=soon() + after,
                cancels=day != "later" or draw.random() < 0.3,
            )
            self.buyers.append(buyer)
            await buyer.buy()

    async def _book_at_the_kiosk(self, over: asyncio.Event, draw: Random) -> None:
        terminal = self.town.site.terminal
        while not over.is_set():
            terminal.decline = draw.random() < 0.2
            terminal.think_s = draw.choice((0.0, 0.3))
            lasts = timedelta(minutes=draw.choice((45, 60, 120)))
            await self.people.book(soon() + tonight(draw), lasts)
            await asyncio.sleep(LONGEST_S)

    async def _drive(self, over: asyncio.Event) -> None:
        while not over.is_set():
            ticket = await self.cars.come()
            if ticket is not None:
                await self.cars.go(ticket)


def tonight(draw: Random) -> timedelta:
    """Within the day that a lot sells without a line, and after the cars that come now."""
    return timedelta(hours=draw.randrange(6, 22))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it; `wrong` is to be empty."""

    wrong: Sequence[str]
    killed: Counter[str]
    troubled: Counter[str]
    told: Counter[int]
    kiosk: Counter[str]
    tickets: int
    full: int
    seconds: float


async def survive(
    kills: int, seed: int, folder: Path, cluster: DatabaseCluster, say: Callable[[str], None]
) -> Outcome:
    """Kill so often, and compare after every ten. The cluster is the caller's, running, and nobody else's."""
    began_s = time.monotonic()
    url = cluster.create_database(f"town_{seed}")
    migrate(url)
    async with town_at(folder, url) as town:
        hand = Hand(town=town, cluster=cluster, draw=Random(seed), kills=kills, say=say)
        await hand.work()
        return Outcome(
            wrong=hand.wrong,
            killed=hand.killed,
            troubled=hand.troubled,
            told=Counter(buyer.told for buyer in hand.buyers),
            kiosk=hand.people.told,
            tickets=len(hand.cars.tickets),
            full=hand.cars.full,
            seconds=time.monotonic() - began_s,
        )


def main(arguments: Sequence[str]) -> int:
    """Exit 0 where nothing is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.town_kills")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    cluster = DatabaseCluster(durable=True)
    cluster.start()
    try:
        with TemporaryDirectory(prefix="lotgate-town-") as name:
            outcome = asyncio.run(survive(asked.kills, asked.seed, Path(name), cluster, _say))
    finally:
        cluster.stop()
    sys.stdout.write(f"{outcome}\n")
    return 1 if outcome.wrong else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
