"""A person counts the cars: afterwards as many are inside as were counted, and nobody's promise to come is broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.book import Book, ClaimRequest, Sale
from parking.claims import Claim, ClaimKind, ClaimState
from parking.ids import ClaimId, LotId, StayId, ZoneId, spot_id
from parking.interval import Interval
from parking.lot import Lot, Spot, SpotType, Zone
from parking.recount import Miscount, MiscountFound, Recount, Recounting, most_of, plan_recount
from parking.stays import Credential, CredentialKind, Stay, StayState

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LOT_ID = LotId("5f0c2b7e-2c45-4c0e-9d7b-6a3f6d3b2a10")
YARD = ZoneId("yard")
COUNTED = (SpotType.REGULAR, SpotType.EV)


def lot_of(regular: int, ev: int) -> Lot:
    kinds = [SpotType.REGULAR] * regular + [SpotType.EV] * ev
    return Lot(
        id=LOT_ID,
        name="Counted",
        timezone=ZoneInfo("Europe/London"),
        currency="GBP",
        latitude=52.0,
        longitude=-1.9,
        zones=(Zone(id=YARD, level="0"),),
        spots=tuple(
            Spot(id=spot_id(LOT_ID, str(n)), zone=YARD, number=str(n), type=kind)
            for n, kind in enumerate(kinds)
        ),
        lanes=(),
    )


def empty(lot: Lot) -> Book:
    return Book(spots=lot.spots, owners={}, policy=lot.policy, zones=lot.zones)


def at(book_epoch: int = 1) -> Recounting:
    ids = count(1)
    return Recounting(
        now=NOW,
        epoch=book_epoch,
        tariff_version="t 1",
        clock_known=True,
        new_id=lambda: f"new-{next(ids):05}",
        seen_at=lambda stay: stay.entered_at or stay.admitted_at,
    )


def promise(book: Book, name: str, kind: SpotType, window: Interval, why: ClaimKind) -> Claim | None:
    """A claim of the book, where one can be had."""
    asked = ClaimRequest(
        id=ClaimId(f"claim-{name}"),
        type=kind,
        window=window,
        kind=why,
        holder_kind="reservation" if why is ClaimKind.BOOKING else "stay",
        holder_id=name,
        epoch=1,
    )
    sale = book.sell(asked, now=NOW, beyond_count=True)
    if not isinstance(sale, Sale):
        return None
    book.apply(sale.claims)
    return sale.claim


def car(
    book: Book,
    name: str,
    kind: SpotType = SpotType.REGULAR,
    *,
    hours: float = 1,
    why: ClaimKind = ClaimKind.WALK_IN,
    state: StayState = StayState.INSIDE,
    keeps_a_place: bool = True,
) -> Stay:
    since = NOW - timedelta(hours=hours)
    window = Interval(since, NOW + timedelta(hours=2))
    claim = promise(book, name, kind, window, why) if keeps_a_place else None
    credential = CredentialKind.PASS if why is ClaimKind.BOOKING else CredentialKind.TICKET
    stay = Stay(
        id=StayId(name),
        credential=Credential(kind=credential, subject=name),
        type=kind,
        state=state,
        lane="entry-1",
        admitted_at=since,
        entered_at=since if state is StayState.INSIDE else None,
        claim=None if claim is None else claim.id,
        over_count=claim is None,
        tariff_version="t 1",
    )
    book.note_stay(stay)
    return stay


def inside(book: Book, kind: SpotType) -> int:
    return sum(stay.type is kind and stay.state is StayState.INSIDE for stay in book.open_stays())


def recount(book: Book, lot: Lot, counted: Mapping[SpotType, int]) -> Recount:
    plan = plan_recount(book, lot, counted, at())
    assert isinstance(plan, Recount)
    return plan


def take_in(book: Book, plan: Recount) -> None:
    book.apply(plan.claims)
    for stay in plan.stays:
        book.note_stay(stay)


@st.composite
def lots(draw: st.DrawFn) -> tuple[Lot, Book, set[ClaimId]]:
    """A lot with cars of all kinds inside, some only admitted, some over the count, and promises to people who have not come."""
    lot = lot_of(draw(st.integers(1, 6)), draw(st.integers(1, 3)))
    book = empty(lot)
    for n in range(draw(st.integers(0, 8))):
        car(
            book,
            f"car-{n}",
            draw(st.sampled_from(COUNTED)),
            hours=draw(st.integers(0, 50)),
            why=draw(st.sampled_from([ClaimKind.WALK_IN, ClaimKind.BOOKING, ClaimKind.PERMIT])),
            state=draw(st.sampled_from([StayState.INSIDE, StayState.INSIDE, StayState.ADMITTED])),
            keeps_a_place=draw(st.booleans()),
        )
    to_come = set()
    for n in range(draw(st.integers(0, 6))):
        starts_at = NOW + timedelta(hours=draw(st.integers(-1, 8)))
        window = Interval(starts_at, starts_at + timedelta(hours=3))
        claim = promise(book, f"to-come-{n}", draw(st.sampled_from(COUNTED)), window, ClaimKind.BOOKING)
        if claim is not None:
            to_come.add(claim.id)
    return lot, book, to_come


@given(lots(), st.data())
def test_after_a_recount_as_many_cars_are_inside_as_were_counted_and_promises_to_come_stand(
    drawn: tuple[Lot, Book, set[ClaimId]], data: st.DataObject
) -> None:
    lot, book, to_come = drawn
    kinds = data.draw(st.sets(st.sampled_from(COUNTED), min_size=1))
    counted = {kind: data.draw(st.integers(0, most_of(book, kind))) for kind in sorted(kinds)}
    before = {claim: book.claim(claim) for claim in to_come}
    others = {stay.id: stay for stay in book.open_stays()}
    alone = {kind: inside(book, kind) for kind in COUNTED if kind not in counted}
    claims_then = book.claims()

    plan = recount(book, lot, counted)
    assert book.claims() == claims_then, "a plan changes nothing"
    take_in(book, plan)

    assert {kind: inside(book, kind) for kind in COUNTED} == {**alone, **counted}
    for claim, was in before.items():
        assert replace(book.claim(claim), spot=was.spot, version=was.version) == was
    for stay in plan.closed:
        assert others[stay.id].state is StayState.INSIDE
        assert stay.state is StayState.LEFT
        assert stay.claim is None or book.claim(stay.claim).state is ClaimState.RELEASED
    for stay in plan.opened:
        assert stay.over_count is (stay.claim is None)
        assert stay.claim is None or book.has_stay(stay.claim)
    assert len({claim.id for claim in plan.claims}) == len(plan.claims)


@given(lots(), st.data())
def test_the_same_count_again_changes_nothing(
    drawn: tuple[Lot, Book, set[ClaimId]], data: st.DataObject
) -> None:
    lot, book, _ = drawn
    counted = {kind: data.draw(st.integers(0, most_of(book, kind))) for kind in COUNTED}
    take_in(book, recount(book, lot, counted))
    again = recount(book, lot, counted)
    assert (again.claims, again.stays, again.before) == ((), (), counted)


def test_who_keeps_no_place_goes_first_then_who_was_not_seen_for_longest_and_a_booked_car_last() -> None:
    lot = lot_of(6, 0)
    book = empty(lot)
    car(book, "booked", hours=40, why=ClaimKind.BOOKING)
    car(book, "old", hours=30)
    car(book, "young", hours=1)
    car(book, "over", hours=2, keeps_a_place=False)
    car(book, "booked-over", hours=50, why=ClaimKind.BOOKING, keeps_a_place=False)
    order = [recount(book, lot, {SpotType.REGULAR: left}).closed[-1].id for left in (4, 3, 2, 1, 0)]
    assert order == ["over", "old", "young", "booked-over", "booked"]


def test_who_is_only_admitted_is_not_inside_yet_and_not_touched() -> None:
    lot = lot_of(2, 0)
    book = empty(lot)
    coming = car(book, "coming", state=StayState.ADMITTED)
    plan = recount(book, lot, {SpotType.REGULAR: 0})
    assert plan.stays == ()
    take_in(book, recount(book, lot, {SpotType.REGULAR: 1}))
    assert coming in book.open_stays()
    assert len(book.open_stays()) == 2


def test_cars_that_nobody_saw_come_in_take_places_and_then_stand_over_the_count() -> None:
    lot = lot_of(3, 0)
    book = empty(lot)
    car(book, "known")
    plan = recount(book, lot, {SpotType.REGULAR: 5})
    assert [stay.over_count for stay in plan.opened] == [False, False, True, True]
    assert {stay.credential.kind for stay in plan.opened} == {CredentialKind.TICKET}
    assert {stay.entered_at for stay in plan.opened} == {NOW}


@pytest.mark.parametrize(
    ("counted", "problem"),
    [
        ({}, Miscount.NOTHING),
        ({SpotType.DISABLED: 0}, Miscount.TYPE_NOT_HERE),
        ({SpotType.REGULAR: -1}, Miscount.NEGATIVE),
        ({SpotType.REGULAR: 7}, Miscount.TOO_MANY),
        ({SpotType.REGULAR: 1, SpotType.EV: 3}, Miscount.TOO_MANY),
    ],
)
def test_a_count_that_cannot_be_is_refused_by_name(
    counted: Mapping[SpotType, int], problem: Miscount
) -> None:
    lot = lot_of(3, 1)
    found = plan_recount(empty(lot), lot, counted, at())
    assert isinstance(found, MiscountFound)
    assert found.problem is problem
    assert found.type in {None, *counted}
