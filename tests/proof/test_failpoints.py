"""A death on either side of each step that crosses the seam, on real processes: what was begun is finished once, or was never begun.

Each test is killed by the label itself, so none can pass without having reached it. The ledger's own labels are in
tests/integration/edge/test_power_cuts.py too, under load; those of the commit in tests/proof/test_town_deaths.py, under competing sales.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from cloud.gateways.service import PAGE_AFTER_COMMIT, PAGE_BEFORE_COMMIT
from cloud.reservations import transfers
from edge.line import BEFORE_ACKNOWLEDGED, DOCUMENT_ARRIVED, DOCUMENT_DURABLE, PAGE_SENT
from edge.store.store import AFTER_COMMIT, BEFORE_COMMIT
from tests.proof.test_transfers import CREDITING, GIVING
from tests.proof.town_deaths import AGENT, CENTRE
from tests.proof.two_tiers import TwoTiers

ROOT = Path(__file__).parents[2]
LABEL = re.compile(r'^[A-Z_]+(?:: Final)? = "((?:edge|cloud|sync)\.[a-z_]+\.[a-z_]+)"$', re.MULTILINE)
QUICK = (BEFORE_ACKNOWLEDGED, DOCUMENT_DURABLE)
SLOW = (PAGE_SENT, DOCUMENT_ARRIVED, f"{BEFORE_COMMIT}:3", f"{AFTER_COMMIT}:3")


@pytest_asyncio.fixture
async def tiers(database_url: str, tmp_path: Path) -> AsyncIterator[TwoTiers]:
    async with TwoTiers(database_url, tmp_path) as tiers:
        yield tiers


@pytest.mark.parametrize("label", [*QUICK, *(pytest.param(label, marks=pytest.mark.proof) for label in SLOW)])
async def test_an_agent_that_dies_at_any_step_goes_on_where_it_was(tiers: TwoTiers, label: str) -> None:
    await tiers.start_agent(label, serving=False)
    await tiers.dies("agent")
    await tiers.start_agent()
    await tiers.call_help()
    await tiers.settle()
    tiers.assert_one_system()


@pytest.mark.proof
@pytest.mark.parametrize("label", [PAGE_BEFORE_COMMIT, PAGE_AFTER_COMMIT])
@pytest.mark.parametrize("nth", [1, 2])
async def test_a_centre_that_dies_on_either_side_of_its_commit_applies_each_row_once(
    tiers: TwoTiers, label: str, nth: int
) -> None:
    await tiers.stop_centre()
    await tiers.start_centre(f"{label}:{nth}")
    await tiers.start_agent()
    await tiers.call_help()
    await tiers.dies("centre")
    await tiers.start_centre()
    await tiers.settle()
    tiers.assert_one_system()


def test_every_label_of_both_tiers_stands_in_a_table_of_deaths_of_real_processes() -> None:
    sources = "\n".join(
        path.read_text("utf-8") for room in ("edge", "cloud", "sync") for path in (ROOT / room).rglob("*.py")
    )
    here = {label.partition(":")[0] for label in (*QUICK, *SLOW)}
    at_the_centres_transfer = {
        transfers.BEFORE_COMMIT,
        transfers.AFTER_COMMIT,
    }  # tests/integration/link/test_owners_kills.py
    died_at = {*AGENT, *CENTRE, *GIVING, *CREDITING, *here, *at_the_centres_transfer}
    labels = set(LABEL.findall(sources))
    assert len(labels) > 40
    assert labels == died_at
