"""A lot that dies on either side of giving spots away, and of crediting them: each spot has one owner afterwards, and both tiers name the same."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest_asyncio

from cloud.database import connect
from edge.owners import IN_AFTER_COMMIT, IN_BEFORE_COMMIT, OUT_AFTER_COMMIT, OUT_BEFORE_COMMIT
from tests.proof.two_tiers import WITHIN_S, TwoTiers

GIVING = (OUT_BEFORE_COMMIT, OUT_AFTER_COMMIT)
CREDITING = (IN_BEFORE_COMMIT, IN_AFTER_COMMIT)


@pytest_asyncio.fixture
async def tiers(database_url: str, tmp_path: Path) -> AsyncIterator[TwoTiers]:
    async with TwoTiers(database_url, tmp_path) as tiers:
        yield tiers


def at_the_lot(tiers: TwoTiers) -> Mapping[str, str]:
    with sqlite3.connect(f"file:{tiers.ledger}?mode=ro", uri=True) as connection:
        return dict(connection.execute("SELECT id, owner FROM spots WHERE type = 'regular'").fetchall())


def at_the_centre(tiers: TwoTiers) -> Mapping[str, str]:
    with connect(tiers.database_url) as connection:
        rows = connection.execute(
            b"SELECT id::text, owner FROM parking_spots WHERE type = 'regular' ORDER BY id"
        ).fetchall()
        broken = connection.execute(b"SELECT count(*) AS n FROM conflicts").fetchone()
    assert broken == {"n": 0}
    return {row["id"]: row["owner"] for row in rows}


async def agreed(tiers: TwoTiers, *, clouds: int) -> None:
    """Wait until both tiers name the same owner of each regular place, so many of them the centre's."""
    here = at_the_lot(tiers)
    async with asyncio.timeout(WITHIN_S):
        while here != at_the_centre(tiers) or list(here.values()).count("cloud") != clouds:
            await asyncio.sleep(0.05)
            here = at_the_lot(tiers)
    assert set(here.values()) <= {"edge", "cloud"}


async def test_a_lot_that_dies_around_a_transfer_gives_and_credits_each_spot_once(tiers: TwoTiers) -> None:
    for label in GIVING:
        await tiers.start_agent(label, serving=False)
        await tiers.dies("agent")
    await tiers.start_agent()
    await tiers.settle()
    share = len(at_the_lot(tiers)) // 10
    await agreed(tiers, clouds=share)

    await tiers.stop_agent()
    await tiers.set_share("0")
    assert list(at_the_centre(tiers).values()).count("in_flight") == share
    for label in CREDITING:
        await tiers.start_agent(label, serving=False)
        await tiers.dies("agent")
    await tiers.start_agent()
    await tiers.settle()
    await agreed(tiers, clouds=0)
    tiers.assert_one_system()
