"""A spot changes hands in the book: what stands on it goes with it, ours leaves bare only, and the counts are those of a book made anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.book import Book
from parking.claims import Claim, ClaimKind, ClaimState
from parking.errors import ClaimsOverlap, SpotIsPromised
from parking.ids import ClaimId, SpotId, StayId, ZoneId
from parking.interval import Interval
from parking.lot import InFlight, LotPolicy, Owner, Spot, SpotType, Tier, Zone
from parking.stays import Credential, CredentialKind, Stay, StayState

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPOTS = tuple(
    Spot(id=SpotId(f"s{n}"), zone=ZoneId("z"), number=f"{n}", type=SpotType.REGULAR) for n in range(4)
)
ZONES = (Zone(id=ZoneId("z"), level="0"),)
S0 = SPOTS[0].id
AWAY: tuple[Owner, ...] = (Tier.CLOUD, InFlight(transfer="t"))


def a_book(*claims: Claim, owners: dict[SpotId, Owner] | None = None) -> Book:
    return Book.rebuild(
        spots=SPOTS, owners=owners or {}, policy=LotPolicy(), claims=claims, stays=(), zones=ZONES
    )


def a_claim(
    spot: int = 0, start: float = 0, hours: float | None = 2, *, n: int = 0, clashing: bool = False
) -> Claim:
    starts_at = NOW + HOUR * start
    return Claim(
        id=ClaimId(f"c{n}"),
        spot=SPOTS[spot].id,
        type=SpotType.REGULAR,
        window=Interval(starts_at, None if hours is None else starts_at + HOUR * hours),
        kind=ClaimKind.BOOKING,
        holder_kind="reservation",
        holder_id=f"r{n}",
        state=ClaimState.FIRM,
        sold_by=Tier.CLOUD,
        epoch=1,
        clashing=clashing,
    )


@pytest.mark.parametrize("owner", AWAY)
@pytest.mark.parametrize("claim", [a_claim(), a_claim(start=48), a_claim(hours=None), a_claim(clashing=True)])
def test_a_spot_of_ours_that_is_promised_is_not_given_away(claim: Claim, owner: Owner) -> None:
    book = a_book(claim)
    assert not book.is_bare(S0, over_at=NOW)
    with pytest.raises(SpotIsPromised):
        book.set_owner(S0, owner, over_at=NOW)
    assert book.owner(S0) is Tier.EDGE


@pytest.mark.parametrize("owner", AWAY)
def test_a_promise_that_is_over_keeps_no_spot_unless_somebody_is_inside_on_it(owner: Owner) -> None:
    over = a_claim(start=-4)
    book = a_book(over)
    assert not book.is_bare(S0), "nobody said what time it is"
    assert book.is_bare(S0, over_at=NOW)
    inside = Stay(
        id=StayId("stay"),
        credential=Credential(kind=CredentialKind.PASS, subject="r0"),
        type=SpotType.REGULAR,
        state=StayState.INSIDE,
        lane="in",
        admitted_at=NOW - HOUR,
        claim=over.id,
        tariff_version="1",
    )
    book.note_stay(inside)
    with pytest.raises(SpotIsPromised):
        book.set_owner(S0, owner, over_at=NOW)


def test_what_the_cloud_sold_on_its_way_stays_on_the_spot_when_it_arrives_there() -> None:
    book = a_book(owners={S0: InFlight(transfer="t")})
    sold = a_claim()
    book.apply([sold])
    book.set_owner(S0, Tier.CLOUD)
    assert book.claims_on(S0) == [sold]
    assert book.sellable_now(SpotType.REGULAR, NOW, owner=Tier.CLOUD).count == 0
    assert book.sellable_now(SpotType.REGULAR, NOW).count == 3


OWNERS = st.sampled_from([Tier.EDGE, Tier.CLOUD, InFlight(transfer="t"), InFlight(transfer="u")])
CLAIMS = st.tuples(st.integers(0, 3), st.integers(-6, 6), st.sampled_from([1, 2, 6, None]), st.booleans())


@given(st.lists(CLAIMS, max_size=8), st.lists(st.tuples(st.integers(0, 3), OWNERS), max_size=12))
def test_after_any_change_of_hands_the_counts_are_those_of_a_book_made_anew(
    drawn: list[tuple[int, int, int | None, bool]], changes: list[tuple[int, Owner]]
) -> None:
    book = a_book()
    for n, (spot, start, hours, clashing) in enumerate(drawn):
        try:
            book.apply([a_claim(spot, start, hours, n=n, clashing=clashing)])
        except ClaimsOverlap:
            continue
    for spot, owner in changes:
        try:
            book.set_owner(SPOTS[spot].id, owner, over_at=NOW)
        except SpotIsPromised:
            assert book.owner(SPOTS[spot].id) is Tier.EDGE
            continue
        assert book.owner(SPOTS[spot].id) == owner
    anew = a_book(*book.claims(), owners={spot.id: book.owner(spot.id) for spot in SPOTS})
    for tier in Tier:
        for at in (NOW - HOUR * 5, NOW, NOW + HOUR * 3):
            assert book.sellable_now(SpotType.REGULAR, at, owner=tier) == anew.sellable_now(
                SpotType.REGULAR, at, owner=tier
            )
    for claim in book.claims():
        book.apply([claim.moved_to(ClaimState.RELEASED)])
    assert all(book.is_bare(spot.id) for spot in SPOTS)
