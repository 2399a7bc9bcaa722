"""A street without lanes: what its sensors say becomes anonymous stays, over a real ledger that is opened again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count

import pytest_asyncio

from drivers.ports import SpotReading
from edge.change import Change
from edge.ledger import Ledger
from edge.observing import Observing
from edge.price_list import PriceList
from edge.promises import Promises
from edge.street import Street
from parking.book import ClaimRequest, Sale
from parking.claims import ClaimKind
from parking.ids import ClaimId, SpotId
from parking.interval import Interval
from parking.lot import SpotType
from parking.stays import CredentialKind, Stay, StayEvent, StayState
from sync.chain import unpack_envelope
from sync.events import EventKind
from tests.integration.edge.conftest import Premises, small_lot
from tests.unit.edge.lot_at_work import tariff


@dataclass(slots=True)
class Kerb:
    """Three spaces at a kerb, and the agent's parts that look at them."""

    premises: Premises
    ids: count[int] = field(default_factory=count)
    ledger: Ledger = field(init=False)
    street: Street = field(init=False)
    observing: Observing = field(init=False)
    promises: Promises = field(init=False)

    def __post_init__(self) -> None:
        self.wake()

    def wake(self) -> None:
        """The agent starts on what is on the card."""
        clock = self.premises.clock
        self.ledger = self.premises.start()
        spots = self.premises.lot.spots
        self.observing = Observing(self.ledger, sensors={s.number: s.id for s in spots}, clock=clock)
        self.street = Street(
            self.ledger, prices=PriceList([tariff()]), clock=clock, new_id=lambda: f"id-{next(self.ids)}"
        )
        self.promises = Promises(
            ledger=self.ledger, clock=clock, new_id=lambda: f"id-{next(self.ids)}", void_after_s=300
        )
        self.street.begin()

    async def power_cut(self) -> None:
        """It goes dark, and starts again."""
        await self.ledger.close()
        self.wake()

    async def says(self, number: int, *, occupied: bool | None) -> None:
        """The sensor of a space speaks; None: its source has lost it."""
        device = self.premises.lot.spots[number].number
        await self.observing.observe(SpotReading(device=device, occupied=occupied, lost=occupied is None))
        await asyncio.sleep(0)  # the ledger's callbacks have their turn

    def pass_s(self, seconds: float) -> None:
        """So much time goes by, and what waited for it is done."""
        self.premises.clock.at += timedelta(seconds=seconds)
        self.street.tick()

    async def parks(self, number: int) -> Stay:
        """A car comes and stays."""
        await self.says(number, occupied=True)
        self.pass_s(60)
        return self.at(number)[0]

    def at(self, number: int) -> Sequence[Stay]:
        """The open stays of a space."""
        spot = self.premises.lot.spots[number].id
        return [stay for stay in self.ledger.open_stays() if stay.credential.subject == spot]

    def books(self, number: int, window: Interval, name: str = "booked") -> ClaimId:
        """A booking that the packer put on this space."""
        book = self.ledger.book
        asked = ClaimRequest(
            id=ClaimId(name),
            type=SpotType.REGULAR,
            window=window,
            kind=ClaimKind.BOOKING,
            holder_kind="reservation",
            holder_id=name,
            epoch=1,
        )
        sale = book.sell(asked, now=self.premises.clock.at)
        assert isinstance(sale, Sale)
        claim = replace(sale.claim, spot=self.premises.lot.spots[number].id)
        self.ledger.commit(Change.record(at=self.premises.clock.at, claims=(claim,)))
        return claim.id

    def kinds(self) -> list[str]:
        """The facts of the log in their order."""
        return [
            str(unpack_envelope(row.body).kind)
            for row in self.premises.store.log_page(epoch=1, after_seq=0, limit=10_000)
        ]

    @property
    def sellable(self) -> int:
        return self.ledger.counts()[SpotType.REGULAR].count


@pytest_asyncio.fixture
async def kerb(premises: Premises) -> Kerb:
    premises.lot = small_lot(3)
    return Kerb(premises)


def spot(kerb: Kerb, number: int) -> SpotId:
    return kerb.premises.lot.spots[number].id


async def test_a_space_that_is_taken_for_a_minute_has_a_stay_with_its_claim_and_one_less_is_for_sale(
    kerb: Kerb,
) -> None:
    came_at = kerb.premises.clock.at
    await kerb.says(1, occupied=True)
    kerb.pass_s(59)
    assert not kerb.ledger.open_stays()
    assert kerb.sellable == 3
    kerb.pass_s(1)
    (stay,) = kerb.ledger.open_stays()
    assert (stay.state, stay.credential.kind) == (StayState.INSIDE, CredentialKind.SENSOR)
    assert (stay.credential.subject, stay.admitted_at, stay.entered_at) == (spot(kerb, 1), came_at, came_at)
    assert stay.claim is not None
    assert kerb.ledger.book.spot_of(stay.claim) == spot(kerb, 1)
    assert kerb.sellable == 2
    assert kerb.kinds()[-2:] == [EventKind.CLAIM_CHANGED, EventKind.STAY_ENTERED]


async def test_a_space_that_is_free_again_has_no_stay_and_is_for_sale(kerb: Kerb) -> None:
    stay = await kerb.parks(0)
    kerb.pass_s(600)
    gone_at = kerb.premises.clock.at
    await kerb.says(0, occupied=False)
    kerb.pass_s(9)
    assert kerb.at(0)
    kerb.pass_s(1)
    assert not kerb.ledger.open_stays()
    closed = kerb.ledger.stay(stay.id)
    assert closed is not None
    assert (closed.state, closed.left_at) == (StayState.LEFT, gone_at)
    assert (kerb.sellable, kerb.ledger.book.claims()) == (3, [])
    assert kerb.kinds()[-2:] == [EventKind.CLAIM_CHANGED, EventKind.STAY_LEFT]


async def test_a_car_that_only_waits_a_moment_is_no_stay(kerb: Kerb) -> None:
    for _ in range(3):
        await kerb.says(0, occupied=True)
        kerb.pass_s(50)
        await kerb.says(0, occupied=False)
        kerb.pass_s(5)
    kerb.pass_s(600)
    assert EventKind.STAY_ENTERED not in kerb.kinds()


async def test_a_sensor_that_flickers_makes_no_second_stay(kerb: Kerb) -> None:
    stay = await kerb.parks(0)
    for _ in range(2):
        await kerb.says(0, occupied=False)
        kerb.pass_s(5)
        await kerb.says(0, occupied=True)
        kerb.pass_s(300)
    assert [open_stay.id for open_stay in kerb.at(0)] == [stay.id]


async def test_a_sensor_that_was_lost_changes_nothing(kerb: Kerb) -> None:
    await kerb.says(1, occupied=True)
    stay = await kerb.parks(0)
    await kerb.says(0, occupied=None)
    await kerb.says(1, occupied=None)
    kerb.pass_s(7_200)
    assert [open_stay.id for open_stay in kerb.at(0)] == [stay.id]
    assert len(kerb.at(1)) == 1


async def test_a_sensor_that_is_not_believed_neither_opens_nor_closes(kerb: Kerb) -> None:
    stay = await kerb.parks(0)
    for number in range(9):  # flapping: its spot is unknown from the sixth change on
        await kerb.says(0, occupied=bool(number % 2))
        kerb.pass_s(2)
    state = kerb.ledger.spot_state(spot(kerb, 0), "edge:1")
    assert state is not None
    assert state.state == "unknown"
    kerb.pass_s(600)
    assert [open_stay.id for open_stay in kerb.at(0)] == [stay.id]


async def test_after_a_power_cut_the_stay_of_a_space_is_found_again_and_the_minute_begins_anew(
    kerb: Kerb,
) -> None:
    stay = await kerb.parks(0)
    await kerb.says(1, occupied=True)
    kerb.pass_s(59)
    await kerb.power_cut()
    kerb.pass_s(59)
    assert not kerb.at(1)
    kerb.pass_s(1)
    assert len(kerb.at(1)) == 1
    assert [open_stay.id for open_stay in kerb.at(0)] == [stay.id]
    await kerb.says(0, occupied=False)
    await kerb.power_cut()
    assert kerb.at(0)
    kerb.pass_s(10)
    assert not kerb.at(0)
    assert len(kerb.ledger.open_stays()) == 1


async def test_a_car_on_a_booked_space_is_over_the_count_and_then_at_home_elsewhere_in_the_accounts(
    kerb: Kerb,
) -> None:
    now = kerb.premises.clock.at
    booked = kerb.books(0, Interval(now - timedelta(hours=1), now + timedelta(hours=2)))
    stay = await kerb.parks(0)
    assert (stay.claim, stay.over_count) == (None, True)
    assert kerb.sellable == 1
    kerb.promises.tick()
    (stay,) = kerb.at(0)
    assert stay.claim is not None
    assert kerb.ledger.book.spot_of(stay.claim) in {spot(kerb, 1), spot(kerb, 2)}
    assert kerb.ledger.book.spot_of(booked) == spot(kerb, 0)
    assert (stay.over_count, kerb.sellable) == (False, 1)


async def test_where_cars_stand_on_every_space_the_booking_to_come_is_told_to_be_at_risk(kerb: Kerb) -> None:
    now = kerb.premises.clock.at
    kerb.books(2, Interval(now + timedelta(minutes=20), now + timedelta(hours=2)))
    for number in range(3):
        await kerb.parks(number)
    kerb.promises.tick()
    assert kerb.sellable == 0
    assert EventKind.BOOKING_AT_RISK in kerb.kinds()


async def test_a_stay_that_somebody_else_closed_begins_anew_with_the_sensors_next_word(kerb: Kerb) -> None:
    stay = await kerb.parks(0)
    now = kerb.premises.clock.at
    claims = kerb.ledger.book.release_of(stay)
    kerb.ledger.commit(Change.record(at=now, claims=claims, stays=(stay.after(StayEvent.LEFT, now),)))
    await asyncio.sleep(0)
    kerb.pass_s(600)
    assert not kerb.at(0)
    await kerb.says(0, occupied=True)
    kerb.pass_s(60)
    (again,) = kerb.at(0)
    assert again.id != stay.id


async def test_it_sleeps_until_a_word_comes_and_its_wait_is_over(kerb: Kerb) -> None:
    """The task itself, on a clock that stands."""
    opened = asyncio.Event()
    kerb.ledger.subscribe(lambda change: opened.set() if change.stays else None)
    running = asyncio.create_task(kerb.street.run())
    try:
        await asyncio.sleep(0)
        await kerb.says(0, occupied=True)
        kerb.premises.clock.at += timedelta(seconds=61)
        await kerb.says(1, occupied=True)
        async with asyncio.timeout(20):
            await opened.wait()
        assert (len(kerb.at(0)), len(kerb.at(1))) == (1, 0)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
