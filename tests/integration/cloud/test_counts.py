"""Sellable now in SQL is the same as in memory (parking/sellable.py), on any book."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.bootstrap import Cloud
from parking.book import Book
from parking.claims import Claim, ClaimState
from parking.interval import Interval
from parking.lot import LotPolicy, SpotType
from parking.stays import Stay, StayState
from sync.layout import layout_body, layout_hash
from sync.messages import CountRow, States
from tests.integration.cloud.conftest import LOT, NOON, Lane1, claim, lot_of, stay

QUARTER = timedelta(minutes=15)
NAMES = UUID(LOT)


@dataclass(frozen=True)
class Drawn:
    """A book: claims that do not overlap on any spot, stays with and without one, a policy, and how far on it is looked at."""

    claims: tuple[Claim, ...]
    stays: tuple[Stay, ...]
    policy: LotPolicy
    later: timedelta


@st.composite
def books(draw: st.DrawFn) -> Drawn:
    claims: list[Claim] = []
    stays: list[Stay] = []
    spots = [spot.number for spot in lot_of().spots]
    for spot in spots:
        at = NOON - 20 * QUARTER
        for index in range(draw(st.integers(0, 4))):
            at += QUARTER * draw(st.sampled_from([0, 0, 0, 1, 2, 8, 20]))
            ends_at = (
                None
                if index == 3 and draw(st.booleans())
                else at + QUARTER * draw(st.sampled_from([1, 2, 4, 12, 30]))
            )
            type_ = (
                SpotType.EV
                if spot.startswith("E")
                else draw(st.sampled_from([SpotType.REGULAR, SpotType.EV]))
            )
            made = claim(spot, id_=str(uuid5(NAMES, f"{spot} {index}")), type_=type_)
            state = draw(
                st.sampled_from([ClaimState.FIRM, ClaimState.FIRM, ClaimState.HELD, ClaimState.RELEASED])
            )
            claims.append(replace(made, window=Interval(at, ends_at), state=state))
            if ends_at is None:
                break
            at = ends_at
    for index in range(draw(st.integers(0, 3))):
        made_stay = stay(
            id_=str(uuid5(NAMES, f"stay {index}")),
            type_=draw(st.sampled_from([SpotType.REGULAR, SpotType.EV])),
            state=draw(st.sampled_from([StayState.ADMITTED, StayState.INSIDE, StayState.LEFT])),
        )
        stays.append(replace(made_stay, over_count=True))
    bound = draw(st.lists(st.sampled_from(claims), max_size=2, unique=True)) if claims else []
    stays.extend(stay(id_=str(uuid5(NAMES, f"of {of.id}")), of=of, type_=of.type) for of in bound)
    policy = LotPolicy(
        assumed_stay=QUARTER * draw(st.integers(1, 24)),
        turnover_buffer=QUARTER * draw(st.integers(0, 2)),
        spare_spots={SpotType.REGULAR: draw(st.integers(0, 2))},
    )
    return Drawn(
        claims=tuple(claims), stays=tuple(stays), policy=policy, later=QUARTER * draw(st.integers(0, 20))
    )


@dataclass
class Centre:
    """A gateway on a loop of its own, so that Hypothesis can call it again and again."""

    loop: asyncio.AbstractEventLoop
    gateway: Lane1


@pytest.fixture
async def gateway_of_a_thread(gateway: Lane1) -> Centre:
    return Centre(loop=asyncio.get_running_loop(), gateway=gateway)


async def computed(gateway: Lane1, drawn: Drawn) -> dict[str, tuple[int, int, object]]:
    await gateway.rows_do(
        "DELETE FROM claims; DELETE FROM stays; DELETE FROM conflicts; DELETE FROM lot_counts"
    )
    gateway.log.rows.clear()
    await gateway.rows_do("DELETE FROM gateway_inbox; UPDATE gateways SET acknowledged_seq = 0")
    body = layout_body(replace(lot_of(), policy=drawn.policy))
    await gateway.cloud.gateways.store_layout(gateway.session, layout_hash(body), body)
    for made in drawn.claims:
        gateway.log.claim(made)
    for kept in drawn.stays:
        gateway.log.stay("stay_entered", kept)
    if gateway.log.rows:
        applied = await gateway.send()
        assert applied.quarantined == 0
    lots = gateway.cloud.lots
    async with gateway.cloud.database.connection() as connection, connection.transaction():
        await lots.recount(connection, "default", UUID(LOT), as_of_seq=1, now=NOON + drawn.later)
        counts = await lots.counts(connection, UUID(LOT))
    return {row.type: (row.sellable, row.total, row.holds_until) for row in counts}


async def test_counts_in_sql_equal_the_book_in_memory(gateway_of_a_thread: Centre) -> None:
    centre = gateway_of_a_thread

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(books())
    def on_any_book(drawn: Drawn) -> None:
        lot = lot_of()
        book = Book.rebuild(
            spots=lot.spots, owners={}, policy=drawn.policy, claims=drawn.claims, stays=drawn.stays
        )
        expected = {}
        for type_ in (SpotType.REGULAR, SpotType.EV):
            now = book.sellable_now(type_, NOON + drawn.later)
            expected[str(type_)] = (now.count, now.total, now.holds_until)
        future = asyncio.run_coroutine_threadsafe(computed(centre.gateway, drawn), centre.loop)
        assert future.result(timeout=30) == expected

    await asyncio.to_thread(on_any_book)


async def test_a_snapshot_is_shown_until_the_log_has_passed_it(gateway: Lane1) -> None:
    async def shown() -> list[tuple[str, int, bool]]:
        async with gateway.cloud.database.connection() as connection:
            counts = await gateway.cloud.lots.counts(connection, UUID(LOT))
        return [(row.type, row.sellable, row.is_reported) for row in counts]

    for number in range(1, 4):
        gateway.log.claim(claim(f"R-00{number}"))
    assert await shown() == [("ev", 2, False), ("regular", 4, False)]
    reported = States(
        epoch=1,
        session=1,
        n=1,
        snapshot=True,
        as_of_seq=2,
        spots=(),
        counts=(CountRow(type="regular", total=4, sellable=2, holds_until_us=None),),
    )
    await gateway.cloud.gateways.store_states(gateway.session, reported)
    assert await shown() == [("ev", 2, False), ("regular", 2, True)]
    await gateway.send(1, 1)
    assert await shown() == [("ev", 2, False), ("regular", 2, True)]
    await gateway.send(2, 3)
    assert await shown() == [("ev", 2, False), ("regular", 1, False)]


async def test_a_count_that_nobody_touches_changes_when_its_time_is_over(
    gateway: Lane1, cloud: Cloud
) -> None:
    sold = claim("R-001", starts=-1, ends=0.5)
    gateway.log.claim(sold)
    await gateway.send()
    assert await gateway.one("SELECT sellable FROM lot_counts WHERE type = 'regular'") == 3
    assert await cloud.recounting.recount_due() == 0
    async with cloud.database.connection() as connection:
        assert await cloud.lots.next_due_at(connection) == NOON + timedelta(hours=0.5)
        due = await cloud.lots.recount_due(connection, NOON + timedelta(hours=1))
        assert [row["lot"] for row in due] == [UUID(LOT)]
        async with connection.transaction():
            await cloud.lots.recount(
                connection, "default", UUID(LOT), as_of_seq=1, now=NOON + timedelta(hours=1)
            )
    assert await gateway.one("SELECT sellable FROM lot_counts WHERE type = 'regular'") == 4


async def test_free_is_never_below_nought_nor_above_the_total(gateway: Lane1) -> None:
    """Complaints row 13: 8,259 free of 140."""
    for _ in range(9):
        gateway.log.stay("stay_entered", stay())
    await gateway.send()
    counts = await gateway.rows("SELECT sellable, total FROM lot_counts WHERE type = 'regular'")
    assert counts == [{"sellable": 0, "total": 4}]
    wild = States(
        epoch=1,
        session=1,
        n=1,
        snapshot=True,
        as_of_seq=99,
        spots=(),
        counts=(CountRow(type="regular", total=4, sellable=8259, holds_until_us=None),),
    )
    await gateway.cloud.gateways.store_states(gateway.session, wild)
    shown = await gateway.rows("SELECT sellable, total FROM lot_counts_shown WHERE type = 'regular'")
    assert shown == [{"sellable": 4, "total": 4}]
