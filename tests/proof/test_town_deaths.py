"""Every labelled crash point of the commit on real processes of both tiers: nothing lost, sold twice, captured without a booking, or acknowledged and missing.

Before and after each step is a label of its own. The long proof passes fifty storms over as many towns, each with its labels in an order of the seed's;
tests/proof/remembered.py knows which have passed.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.proof.remembered import Remembered
from tests.proof.town import town_at
from tests.proof.town_books import come_to_rest, doubts_of, wrongs
from tests.proof.town_deaths import AGENT, CENTRE, Storm

REMEMBERED = Remembered("town_deaths")
STORMS = 50
PLACES = 60
"""A car whose agent died between its admission and its passage keeps a place for five minutes: nobody is to be refused for that."""


async def weather(database_url: str, folder: Path, seed: int) -> str:
    """One storm over a town of its own; what came of it, where all is well."""
    async with town_at(folder, database_url, spots=PLACES) as town:
        storm = Storm(town=town, draw=Random(seed))
        await storm.pass_over()
        assert set(town.deaths) - {""} == {*AGENT, *CENTRE}
        told = Counter(buyer.told for buyer in storm.buyers)
        assert told[200] > 0
        assert [buyer.reason for buyer in storm.buyers if buyer.reason == "full"] == []
        await come_to_rest(town)
        assert wrongs(town, storm.buyers, storm.cars, storm.people) == []
        assert doubts_of(town) == 0
        assert storm.people.told["sold"] > 0
        assert storm.people.told["full"] == 0
        return f"{len(town.deaths)} deaths, {told}, at the kiosk {storm.people.told}"


async def test_a_death_at_every_label_of_both_tiers_leaves_both_books_right_and_no_doubt(
    database_url: str, tmp_path: Path
) -> None:
    await weather(database_url, tmp_path, 1)


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(2, 2 + STORMS))
async def test_fifty_storms_over_as_many_towns_leave_both_books_right_and_no_doubt(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    before = REMEMBERED.before(seed)
    if before is not None:
        pytest.skip(f"passed before, on these very sources: {before}")
    began_s = time.monotonic()
    told = await weather(database_url, tmp_path, seed)
    REMEMBERED.passed(seed, told, time.monotonic() - began_s)
