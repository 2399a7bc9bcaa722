"""Every labelled crash point of the commit on real processes of both tiers: nothing lost, sold twice, captured without a booking, or acknowledged and missing.

Before and after each step is a label of its own. The long proof passes fifty storms over as many towns, each with its labels in an order of the seed's.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.proof.town import town_at
from tests.proof.town_books import come_to_rest, doubts_of, wrongs
from tests.proof.town_deaths import AGENT, CENTRE, Storm

PLACES = 60
"""A car whose agent died between its admission and its passage keeps a place for five minutes: nobody is to be refused for that."""


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.proof) for seed in range(2, 51))])
async def test_a_death_at_every_label_of_both_tiers_leaves_both_books_right_and_no_doubt(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    async with town_at(tmp_path, database_url, spots=PLACES) as town:
        storm = Storm(town=town, draw=Random(seed))
        await storm.pass_over()
        assert set(town.deaths) - {""} == {*AGENT, *CENTRE}
        assert Counter(buyer.told for buyer in storm.buyers)[200] > 0
        assert [buyer.reason for buyer in storm.buyers if buyer.reason == "full"] == []
        await come_to_rest(town)
        assert wrongs(town, storm.buyers, storm.cars, storm.people) == []
        assert storm.people.told["sold"] > 0
        assert storm.people.told["full"] == 0
        assert doubts_of(town) == 0
