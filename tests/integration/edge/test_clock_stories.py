"""Any story of boots, dark times, jumps, deaths of the agent and words of the centre, on the real ledger: what must hold at each step."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.lanes import LaneEvent
from edge.lot_clock import clock_kept_in
from parking.claims import Claim
from parking.price import price
from parking.trusted_time import EARLIEST_AT
from sync.instants import from_us
from tests.integration.edge.conftest import NOON_AT
from tests.integration.edge.dark_lot import DarkLot, DarkPremises, World
from tests.unit.edge.lot_at_work import tariff, three_places, ticket_of
from tests.unit.edge.test_bookings import CLAIM, COMMITTED, prepare

HOUR = timedelta(hours=1)
OFFS = (timedelta(0), HOUR, -HOUR, timedelta(days=9 * 365), EARLIEST_AT - NOON_AT)
BOOKED_UNTIL_AT = NOON_AT + 2 * HOUR

_minutes = st.integers(1, 300)
STEPS = st.lists(
    st.one_of(
        st.just(("come",)),
        st.just(("leave",)),
        st.just(("told",)),
        st.just(("dies",)),
        st.tuples(st.just("passes"), _minutes),
        st.tuples(st.just("dark"), _minutes),
        st.tuples(st.just("jumps"), st.sampled_from(OFFS)),
    ),
    max_size=14,
)


@dataclass
class Story:
    """A lot with one booking for the first two hours, and what truly happened in it."""

    lot: DarkLot
    inside: list[tuple[str, datetime]] = field(default_factory=list)
    bound: datetime = EARLIEST_AT

    async def step(self, kind: str, *much: Any) -> None:
        world = self.lot.world
        match kind:
            case "come":
                came = await self.lot.come_in()
                if came.event is LaneEvent.GRANTED:
                    self.inside.append((ticket_of(came), world.true_at))
            case "leave" if self.inside:
                await self.leave(*self.inside.pop(0))
            case "told":
                self.lot.told()
            case "dies":
                await self.lot.restart()
            case "passes":
                world.passes(minutes=much[0])
                self.lot.clock.tick()
            case "dark":
                self.bound = self.carried()
                await self.lot.power_cut(minutes=much[0])
            case "jumps":
                world.civil_off = much[0]
        self.lot.promises.tick()
        self.check()

    def carried(self) -> datetime:
        """The lower bound that the last commit carried: all that a power cut leaves."""
        kept = clock_kept_in(self.lot.premises.store)
        assert kept is not None
        return from_us(int(kept.split()[3]))

    async def leave(self, ticket: str, came_at: datetime) -> None:
        """No driver pays more than the truth (a second's grace for an hour that has just begun)."""
        now = self.lot.world.true_at
        truth = price(tariff(), came_at, now + timedelta(seconds=1)).total_minor
        assert await self.lot.leaves(ticket) <= truth

    def check(self) -> None:
        clock, now = self.lot.clock, self.lot.world.true_at
        slack = timedelta(milliseconds=1)
        assert self.bound - slack <= clock.lower_bound() <= now + slack
        assert clock.released_before() <= now + slack
        self.bound = clock.lower_bound()
        if now < BOOKED_UNTIL_AT:
            self.check_the_booking(self.lot.ledger.book.claim(CLAIM))

    def check_the_booking(self, booked: Claim) -> None:
        assert booked.binds
        assert booked.spot is not None
        others = self.lot.ledger.book.claims_on(booked.spot, booked.window)
        assert [claim.id for claim in others] == [CLAIM]


async def tell(folder: Path, off: timedelta, steps: list[tuple[Any, ...]]) -> None:
    lot = DarkLot(DarkPremises(folder, three_places(), world=World(civil_off=off)))
    lot.told()
    lot.commitments.hear(prepare(lot))
    lot.commitments.hear(COMMITTED)
    story = Story(lot)
    try:
        for kind, *much in steps:
            await story.step(kind, *much)
        lot.told()
        while story.inside:
            await story.leave(*story.inside.pop())
    finally:
        for ledger in lot.premises.started:
            await ledger.close()


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(OFFS), STEPS)
def test_whatever_the_clocks_do_no_promise_ends_early_and_nobody_pays_too_much(
    off: timedelta, steps: list[tuple[Any, ...]]
) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(tell(Path(folder), off, steps))
