"""A day of bookings and cars that stay on, whatever they are: promises never overlap, none moves that may not, and none is at risk for want of packing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from parking.book import Book, ClaimRequest, Sale
from parking.claims import ClaimKind, ClaimState
from parking.conflicts import end_of
from parking.extension import due, extend
from parking.ids import ClaimId
from parking.interval import Interval
from parking.lot import SpotType
from parking.stays import StayEvent
from tests.unit.parking.test_extension import NOON, book_of, parked

QUARTER = timedelta(minutes=15)
DAY = 48


@dataclass(frozen=True)
class Asked:
    """A booking, in quarters of an hour from noon; a held one waits for its decision."""

    starts: int
    length: int
    held: bool


@dataclass(frozen=True)
class Car:
    """A walk-in that comes at one quarter and leaves at another."""

    comes: int
    stays: int


bookings = st.builds(Asked, starts=st.integers(0, DAY), length=st.integers(1, 16), held=st.booleans())
cars = st.builds(Car, comes=st.integers(0, 12), stays=st.integers(1, DAY))


def sell(book: Book, name: str, window: Interval, kind: ClaimKind, *, held: bool, at: int) -> Sale | None:
    asked = ClaimRequest(
        id=ClaimId(name),
        type=SpotType.REGULAR,
        window=window,
        kind=kind,
        holder_kind="reservation" if kind is ClaimKind.BOOKING else "stay",
        holder_id=name,
        epoch=1,
        state=ClaimState.HELD if held else ClaimState.FIRM,
    )
    sale = book.sell(asked, now=NOON + at * QUARTER)
    if not isinstance(sale, Sale):
        return None
    book.apply(sale.claims)
    return sale


def window(starts: int, length: int) -> Interval:
    return Interval(NOON + starts * QUARTER, NOON + (starts + length) * QUARTER)


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 4), st.lists(bookings, max_size=8), st.lists(cars, max_size=5))
@example(
    2,
    [Asked(starts=32, length=4, held=False), Asked(starts=35, length=1, held=False)],
    [Car(comes=0, stays=32)],
)
def test_through_a_whole_day_promises_hold_and_only_a_lack_of_places_puts_one_at_risk(
    spots: int, wished: list[Asked], coming: list[Car]
) -> None:
    book = book_of(*[SpotType.REGULAR] * spots)
    for number, asked in enumerate(wished):
        sell(
            book,
            f"b{number}",
            window(asked.starts, asked.length),
            ClaimKind.BOOKING,
            held=asked.held,
            at=0,
        )
    held = {claim.id: claim for claim in book.claims() if claim.state is ClaimState.HELD}
    for tick in range(DAY + 4):
        now = NOON + tick * QUARTER
        for number, car in enumerate(coming):
            if car.comes == tick:
                sale = sell(book, f"c{number}", window(tick, 16), ClaimKind.WALK_IN, held=False, at=tick)
                if sale is not None:
                    parked(book, book.claim(sale.claim.id))
            leaving = [stay for stay in book.open_stays() if stay.id == f"stay of c{number}"]
            if leaving and car.comes + car.stays == tick:
                (stay,) = leaving
                book.apply(book.release_of(stay))
                book.note_stay(stay.after(StayEvent.LEFT, now))
        for stay in due(book, now):
            plan = extend(book, stay, now=now, new_claim=ClaimId(f"x{tick} {stay.id}"), epoch=1)
            if plan is None:
                continue
            if plan.stay.over_count:
                assert wants_a_place(book, now, spots), "a claim could have been had"
            book.apply(plan.claims)  # refuses an overlap by itself
            book.note_stay(plan.stay)
        for stay in book.open_stays():
            if stay.claim is not None:
                ends_at = book.claim(stay.claim).window.ends_at
                assert ends_at is not None
                assert ends_at - now >= book.policy.extension_step
        assert all(book.claim(name) == claim for name, claim in held.items()), "a held promise moved"


def wants_a_place(book: Book, now: datetime, spots: int) -> bool:
    """Whether some instant of the next hour has as many promises as spots, or one that may not move stands in the way of those that would have to."""
    ahead = Interval(now, now + 2 * book.policy.extension_step)
    bound = [claim for claim in book.claims() if claim.binds]
    met = [claim for claim in bound if claim.window.overlaps(ahead)]
    starts = [ahead.starts_at, *(claim.window.starts_at for claim in met)]
    crowded = any(sum(claim.window.contains(at) for claim in met) >= spots for at in starts)
    reach = Interval(now, max(end_of(window) for window in (ahead, *(claim.window for claim in met))))
    return crowded or any(
        book.is_pinned(claim) and claim.window.starts_at > now and claim.window.overlaps(reach)
        for claim in bound
    )
