"""Bookings about to begin for which the cars inside leave no place; and bookings that come early."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from parking.book import Book
from parking.claims import Claim
from parking.early_arrival import start_early
from parking.ids import ClaimId, SpotId, StayId
from parking.interval import Interval
from parking.lot import SpotType, Tier
from parking.trouble import better_home, in_trouble
from tests.unit.parking.test_extension import HOUR, MINUTE, NOON, book_of, promised, walk_in

LATER = Interval(NOON + 4.25 * HOUR, NOON + 6 * HOUR)
SOON = LATER.starts_at - 20 * MINUTE


def one_too_many(book: Book, spot_type: SpotType = SpotType.REGULAR) -> None:
    """A car comes in that no place is kept for."""
    first = walk_in(book, spot_type=spot_type)
    book.note_stay(replace(first, id=StayId("too many")).claimed(None))


def names(claims: object) -> list[str]:
    assert isinstance(claims, list)
    return [claim.id for claim in claims]


def test_a_car_without_a_place_puts_the_booking_that_begins_last_at_risk() -> None:
    book = book_of(SpotType.REGULAR, SpotType.REGULAR)
    promised(book, "first", LATER)
    promised(book, "second", Interval(LATER.starts_at + 5 * MINUTE, NOON + 7 * HOUR))
    one_too_many(book)
    assert in_trouble(book, now=LATER.starts_at - 31 * MINUTE) == []
    assert names(in_trouble(book, now=SOON)) == ["second"]


def test_where_everybody_has_a_place_no_booking_is_in_trouble() -> None:
    book = book_of(SpotType.REGULAR, SpotType.REGULAR)
    walk_in(book)
    promised(book, "first", LATER)
    promised(book, "second", LATER)
    assert in_trouble(book, now=SOON) == []


def test_of_two_that_begin_together_one_is_in_trouble() -> None:
    book = book_of(SpotType.REGULAR, SpotType.REGULAR)
    promised(book, "a", LATER)
    promised(book, "b", LATER)
    one_too_many(book)
    assert names(in_trouble(book, now=SOON)) == ["b"]


def test_a_booking_in_trouble_goes_to_a_better_type_while_that_has_room() -> None:
    book = book_of(SpotType.COMPACT, SpotType.REGULAR)
    met = promised(book, "met", LATER, spot_type=SpotType.COMPACT)
    one_too_many(book, SpotType.COMPACT)
    assert names(in_trouble(book, now=SOON)) == ["met"]
    moved = better_home(book, met, now=SOON)
    assert isinstance(moved, Claim)
    book.apply([moved])
    assert in_trouble(book, now=SOON) == []


def test_a_better_type_that_is_sold_out_is_no_home() -> None:
    book = book_of(SpotType.COMPACT, SpotType.REGULAR)
    met = promised(book, "met", LATER, spot_type=SpotType.COMPACT)
    one_too_many(book, SpotType.COMPACT)
    promised(book, "regular", LATER)
    assert better_home(book, met, now=SOON) is None


def test_a_booking_on_a_spot_of_the_cloud_that_comes_early_goes_to_one_of_ours() -> None:
    book = book_of(SpotType.REGULAR, SpotType.REGULAR, owners={SpotId("0"): Tier.CLOUD})
    window = Interval(NOON + HOUR, NOON + 2 * HOUR)
    claim = promised(book, "cloud's", window, owner=Tier.CLOUD)
    early = start_early(book, claim.id, now=window.starts_at - 10 * MINUTE)
    assert early is not None
    assert (early.spot, early.window.starts_at) == ("1", window.starts_at - timedelta(minutes=10))
    assert early.version == claim.version + 1
    book.apply([early])


def test_the_edge_never_stretches_a_promise_of_the_cloud_on_the_clouds_spot() -> None:
    book = book_of(SpotType.REGULAR, SpotType.REGULAR, owners={SpotId("0"): Tier.CLOUD})
    walk_in(book)
    claim = promised(book, "cloud's", Interval(NOON + HOUR, NOON + 2 * HOUR), owner=Tier.CLOUD)
    assert start_early(book, ClaimId(claim.id), now=NOON + 50 * MINUTE) is None
