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
from tests.proof.rivals import Buyer, Cars, soon
from tests.proof.town import Town, town_at
from tests.proof.town_books import come_to_rest, wrongs

MORTALS = ("agent", "centre a", "centre b", "database", "provider")
TROUBLES = ("cut", "hold up", "hold down", "swallow up", "swallow down", "slow")
SHORTEST_S, LONGEST_S = 0.05, 0.6
SLOW_S = 0.15
BUYERS_AT_ONCE = 2


@dataclass(slots=True, kw_only=True)
class Hand:
    """Kills `kills` times, the mortals in turn in an order of the seed's; after each second one the line is in trouble too."""

    town: Town
    cluster: DatabaseCluster
    draw: Random
    kills: int
    say: Callable[[str], None]
    killed: Counter[str] = field(default_factory=Counter)
    troubled: Counter[str] = field(default_factory=Counter)
    buyers: list[Buyer] = field(default_factory=list)
    over: bool = False

    async def work(self) -> Cars:
        """Kill under load, then let everybody finish."""
        cars = Cars(town=self.town)
        async with asyncio.TaskGroup() as load:
            load.create_task(self._drive(cars))
            for number in range(BUYERS_AT_ONCE):
                load.create_task(self._buy(Random(f"{self.draw.random()} {number}")))
            try:
                await self._kill_all()
            finally:
                self.over = True
        return cars

    async def _kill_all(self) -> None:
        for number in range(self.kills):
            if number % len(MORTALS) == 0:
                order = self.draw.sample(MORTALS, len(MORTALS))
            victim = order[number % len(MORTALS)]
            await self._pause()
            if number % 2:
                await self._trouble(self.draw.choice(TROUBLES))
            await self._kill(victim)
            self.killed[victim] += 1
            if (number + 1) % 10 == 0:
                booked = sum(buyer.told == 200 for buyer in self.buyers)
                self.say(f"{number + 1} kills, {booked} of {len(self.buyers)} buyers have booked")

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
                town.money.cut()
                await self._pause()
                town.money.restore()
            case _:
                name = victim[-1]
                if town.lead == name:
                    town.lead_to(next(other for other in town.ports if other != name))
                await town.centres[name].kill()
                await self._pause()
                await town.start_centre(name)

    async def _trouble(self, how: str) -> None:
        line = self.town.line
        self.troubled[how] += 1
        if how == "cut":
            line.cut()
        elif how == "slow":
            for way in Direction:
                line.delay(way, SLOW_S)
        else:
            flow, _, direction = how.partition(" ")
            line.flow(Direction(direction), Flow(flow))
        await self._pause()
        line.restore()

    async def _pause(self) -> None:
        await asyncio.sleep(self.draw.uniform(SHORTEST_S, LONGEST_S))

    async def _buy(self, draw: Random) -> None:
        while not self.over:
            today = draw.random() < 0.5
            starts_at = soon() + timedelta(days=0 if today else draw.randrange(1, 3 + self.kills))
            buyer = Buyer(
                town=self.town, draw=draw, starts_at=starts_at, cancels=today or draw.random() < 0.3
            )
            self.buyers.append(buyer)
            await buyer.buy()

    async def _drive(self, cars: Cars) -> None:
        while not self.over:
            ticket = await cars.come()
            if ticket is not None:
                await cars.go(ticket)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it; `wrong` is to be empty."""

    wrong: Sequence[str]
    killed: Counter[str]
    troubled: Counter[str]
    told: Counter[int]
    tickets: int
    full: int
    seconds: float


async def survive(
    kills: int, seed: int, folder: Path, cluster: DatabaseCluster, say: Callable[[str], None]
) -> Outcome:
    """Kill so often, let everything come to rest, compare. The cluster is the caller's, running, and nobody else's."""
    began_s = time.monotonic()
    url = cluster.create_database(f"town_{seed}")
    migrate(url)
    async with town_at(folder, url) as town:
        hand = Hand(town=town, cluster=cluster, draw=Random(seed), kills=kills, say=say)
        cars = await hand.work()
        await come_to_rest(town)
        return Outcome(
            wrong=wrongs(town, hand.buyers, cars),
            killed=hand.killed,
            troubled=hand.troubled,
            told=Counter(buyer.told for buyer in hand.buyers),
            tickets=len(cars.tickets),
            full=cars.full,
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
