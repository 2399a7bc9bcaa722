"""Turns at a lot: one begins at a time, and a miss is everybody's who was asking for the same."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from cloud.reservations.turns import Turns

LOT, OTHER = UUID(int=1), UUID(int=2)


async def ask(turns: Turns, wanted: str, looks: list[str], *, finds: bool, lot: UUID = LOT) -> bool:
    """Whether it was found; `looks` are those that had to look themselves."""
    async with turns.of(lot, wanted) as turn:
        if turn.is_missed:
            return False
        looks.append(wanted)
        await asyncio.sleep(0)
        if not finds:
            turn.miss()
        return finds


async def test_a_crowd_that_asks_for_what_is_gone_looks_twice() -> None:
    """The first look began before the others came."""
    turns, looks = Turns(), list[str]()
    found = await asyncio.gather(*(ask(turns, "noon", looks, finds=False) for _ in range(64)))
    assert (set(found), looks) == ({False}, ["noon", "noon"])


async def test_who_comes_later_looks_again_since_a_place_may_have_come_free() -> None:
    turns, looks = Turns(), list[str]()
    assert not await ask(turns, "noon", looks, finds=False)
    assert await ask(turns, "noon", looks, finds=True)
    assert looks == ["noon", "noon"]


async def test_who_comes_while_a_look_is_under_way_looks_again_after_it() -> None:
    """That look may have begun before a place came free, so its miss is not his."""
    turns, looks = Turns(), list[str]()
    first = asyncio.create_task(ask(turns, "noon", looks, finds=False))
    while not looks:  # noqa: ASYNC110 - the look itself is what is waited for
        await asyncio.sleep(0)
    late = asyncio.create_task(ask(turns, "noon", looks, finds=True))
    assert (await first, await late, looks) == (False, True, ["noon", "noon"])


async def test_a_miss_is_of_one_wish_in_one_lot() -> None:
    turns, looks = Turns(), list[str]()
    found = await asyncio.gather(
        ask(turns, "noon", looks, finds=False),
        ask(turns, "evening", looks, finds=True),
        ask(turns, "noon", looks, finds=False),
        ask(turns, "noon", looks, finds=True, lot=OTHER),
    )
    assert list(found) == [False, True, False, True]
    assert sorted(looks) == ["evening", "noon", "noon", "noon"]


async def test_a_turn_that_fails_is_handed_on_and_an_empty_queue_is_forgotten() -> None:
    turns, looks = Turns(), list[str]()

    async def fails() -> None:
        async with turns.of(LOT, "noon"):
            await asyncio.sleep(0)
            raise RuntimeError("the database is gone")

    failing = asyncio.create_task(fails())
    assert await ask(turns, "noon", looks, finds=True)
    with pytest.raises(RuntimeError, match="gone"):
        await failing
    assert not turns._queues
