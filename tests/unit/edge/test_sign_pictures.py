"""What signs are sent, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from drivers.errors import CommandUnanswered
from drivers.ports import Command, Done, ShowPlaces
from edge.change import Change, SpotState
from edge.sign_pictures import SignPictures
from tests.unit.edge.lot_at_work import LotAtWork, until


class Signs:
    """Take pictures; one that is stuck answers when it is let go."""

    def __init__(self) -> None:
        self.pictures: dict[str, list[ShowPlaces]] = {"north": [], "south": []}
        self.stuck: set[str] = set()
        self.let_go = asyncio.Event()

    async def ask(self, command: Command, _timeout_s: float) -> Done:
        assert isinstance(command, ShowPlaces)
        if command.device in self.stuck:
            await self.let_go.wait()
            raise CommandUnanswered("it said nothing")
        self.pictures[command.device].append(command)
        return Done()

    def last(self, sign: str = "north") -> ShowPlaces:
        return self.pictures[sign][-1]


@asynccontextmanager
async def at_work(lot: LotAtWork, signs: Signs, *, at_least_every_s: float = 60.0) -> AsyncIterator[None]:
    work = SignPictures(
        lot=lot.premises.lot,
        ledger=lot.ledger,
        signs=lambda: tuple(signs.pictures),
        ask=signs.ask,
        at_most_every_s=0.01,
        at_least_every_s=at_least_every_s,
    )
    task = asyncio.create_task(work.run())
    await until(lambda: all(signs.pictures.values()) or signs.stuck)
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def free(picture: ShowPlaces) -> int:
    return sum(count or 0 for count in picture.free.values())


async def test_a_car_that_comes_in_takes_one_off_every_sign(lot: LotAtWork) -> None:
    signs = Signs()
    async with at_work(lot, signs):
        before = free(signs.last())
        await lot.come_in()
        await until(lambda: free(signs.last("north")) == free(signs.last("south")) == before - 1)


async def test_a_lamp_follows_its_spot_and_a_spot_that_nobody_watches_is_not_known(lot: LotAtWork) -> None:
    signs = Signs()
    watched, other, *_ = lot.premises.lot.spots
    async with at_work(lot, signs):
        assert set(signs.last().taken.values()) == {None}
        said = SpotState(
            spot=watched.id, writer="lot", n=1, state="occupied", source="s", occurred_at=lot.later()
        )
        for n, (state, taken) in enumerate(
            {"occupied": True, "free": False, "unknown": None}.items(), start=1
        ):
            lot.ledger.commit(Change(spot_states=(replace(said, n=n, state=state),)), urgent=True)
            await until(lambda taken=taken: signs.last().taken[watched.number] is taken)  # type: ignore[misc]
        assert signs.last().taken[other.number] is None


async def test_a_lot_that_may_not_sell_shows_no_number(lot: LotAtWork) -> None:
    signs = Signs()
    async with at_work(lot, signs, at_least_every_s=0.02):
        lot.ledger.fence("a recount is due")
        await until(lambda: set(signs.last().free.values()) == {None})


async def test_a_sign_that_does_not_answer_keeps_none_waiting_and_gets_the_newest_later(
    lot: LotAtWork,
) -> None:
    signs = Signs()
    signs.stuck.add("south")
    async with at_work(lot, signs):
        await until(lambda: signs.pictures["north"])
        before = free(signs.last())
        await lot.come_in()
        await until(lambda: free(signs.last()) == before - 1)
        assert signs.pictures["south"] == []
        signs.stuck.clear()
        signs.let_go.set()
        await until(lambda: signs.pictures["south"] and free(signs.last("south")) == before - 1)


async def test_signs_hear_of_us_though_nothing_changes(lot: LotAtWork) -> None:
    signs = Signs()
    async with at_work(lot, signs, at_least_every_s=0.02):
        await until(lambda: len(signs.pictures["north"]) > 3)
