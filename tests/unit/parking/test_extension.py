"""A stay that goes on keeps its claim, and what it meets gives way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from parking.book import Book, ClaimRequest, Sale
from parking.claims import Claim, ClaimKind, ClaimState
from parking.extension import Extension, due, extend, next_due_at, rehome
from parking.ids import ClaimId, SpotId, StayId, ZoneId
from parking.interval import Interval
from parking.lot import LotPolicy, Spot, SpotType, Tier
from parking.stays import Credential, CredentialKind, Stay, StayEvent, StayState

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ALMOST_FOUR = NOON + 4 * HOUR - 29 * MINUTE


def book_of(*types: SpotType, owners: dict[SpotId, Tier] | None = None) -> Book:
    spots = [
        Spot(id=SpotId(str(n)), zone=ZoneId("z"), number=str(n), type=spot_type)
        for n, spot_type in enumerate(types)
    ]
    return Book(spots=spots, owners=owners or {}, policy=LotPolicy())


def promised(
    book: Book,
    name: str,
    window: Interval,
    *,
    spot_type: SpotType = SpotType.REGULAR,
    state: ClaimState = ClaimState.FIRM,
    owner: Tier = Tier.EDGE,
) -> Claim:
    asked = ClaimRequest(
        id=ClaimId(name),
        type=spot_type,
        window=window,
        kind=ClaimKind.BOOKING,
        holder_kind="reservation",
        holder_id=name,
        epoch=1,
        state=state,
    )
    sale = book.sell(asked, now=NOON, owner=owner)
    assert isinstance(sale, Sale)
    book.apply(sale.claims)
    return sale.claim


def parked(book: Book, claim: Claim, spot_type: SpotType = SpotType.REGULAR) -> Stay:
    stay = Stay(
        id=StayId(f"stay of {claim.id}"),
        credential=Credential(kind=CredentialKind.TICKET, subject=claim.id),
        type=spot_type,
        state=StayState.INSIDE,
        lane="in",
        admitted_at=NOON,
        claim=claim.id,
        tariff_version="1",
    )
    book.note_stay(stay)
    return stay


def goes_on(book: Book, stay: Stay, now: datetime) -> Extension:
    longer = extend(book, stay, now=now, new_claim=ClaimId(f"at {now}"), epoch=1)
    assert longer is not None
    book.apply(longer.claims)
    book.note_stay(longer.stay)
    return longer


def walk_in(book: Book, name: str = "walk-in", spot_type: SpotType = SpotType.REGULAR) -> Stay:
    claim = promised(book, name, Interval(NOON, NOON + 4 * HOUR), spot_type=spot_type)
    return parked(book, claim, spot_type)


def test_a_claim_is_extended_by_half_an_hour_when_its_end_is_less_than_that_away() -> None:
    book = book_of(SpotType.REGULAR)
    stay = walk_in(book)
    assert next_due_at(book) == NOON + 3.5 * HOUR
    assert due(book, NOON + 3.5 * HOUR) == []
    assert extend(book, stay, now=NOON + 3.5 * HOUR, new_claim=ClaimId("x"), epoch=1) is None
    assert due(book, ALMOST_FOUR) == [stay]
    (claim,) = goes_on(book, stay, ALMOST_FOUR).claims
    assert claim.window.ends_at == NOON + 4.5 * HOUR


def test_an_agent_that_slept_catches_up_in_steps() -> None:
    book = book_of(SpotType.REGULAR)
    (claim,) = goes_on(book, walk_in(book), NOON + 10 * HOUR).claims
    assert claim.window.ends_at == NOON + 10.5 * HOUR


def test_a_booking_met_is_re_homed_to_a_spot_of_its_type() -> None:
    book = book_of(SpotType.REGULAR, SpotType.REGULAR)
    stay = walk_in(book)
    met = promised(book, "met", Interval(NOON + 4.25 * HOUR, NOON + 6 * HOUR))
    assert met.spot == book.claim(ClaimId("walk-in")).spot
    longer = goes_on(book, stay, ALMOST_FOUR)
    assert (longer.at_risk, longer.stay.claim) == ((), stay.claim)
    assert book.claim(met.id).spot != met.spot


def test_a_booking_met_is_re_homed_to_a_better_type() -> None:
    book = book_of(SpotType.COMPACT, SpotType.REGULAR)
    stay = walk_in(book, spot_type=SpotType.COMPACT)
    met = promised(book, "met", Interval(NOON + 4.25 * HOUR, NOON + 6 * HOUR), spot_type=SpotType.COMPACT)
    goes_on(book, stay, ALMOST_FOUR)
    assert (book.claim(met.id).spot, book.claim(met.id).type) == ("1", SpotType.COMPACT)


def test_no_promise_is_re_homed_to_a_place_for_a_badge_or_a_charger() -> None:
    book = book_of(SpotType.REGULAR, SpotType.DISABLED, SpotType.EV)
    claim = promised(book, "booking", Interval(NOON + HOUR, NOON + 2 * HOUR))
    assert rehome(book, claim, now=NOON) is None


def test_where_nothing_gives_way_the_stay_is_over_the_count_and_the_booking_at_risk() -> None:
    book = book_of(SpotType.REGULAR)
    stay = walk_in(book)
    met = promised(book, "met", Interval(NOON + 4.25 * HOUR, NOON + 6 * HOUR))
    longer = goes_on(book, stay, ALMOST_FOUR)
    assert (longer.stay.over_count, longer.stay.claim, longer.at_risk) == (True, None, (met,))
    assert book.sellable_now(SpotType.REGULAR, ALMOST_FOUR).count == 0
    assert book.claim(ClaimId("walk-in")).state is ClaimState.RELEASED


def test_a_claim_between_vote_and_decision_does_not_give_way() -> None:
    book = book_of(SpotType.REGULAR, SpotType.REGULAR)
    stay = walk_in(book)
    promised(book, "held", Interval(NOON + 4.25 * HOUR, NOON + 6 * HOUR), state=ClaimState.HELD)
    longer = goes_on(book, stay, ALMOST_FOUR)
    assert book.claim(ClaimId("held")).version == 1
    assert longer.stay.claim != stay.claim, "the stay goes on elsewhere in the accounts"


def test_a_stay_over_the_count_gets_a_claim_again_when_somebody_leaves() -> None:
    book = book_of(SpotType.REGULAR)
    first = walk_in(book)
    second = replace(first, id=StayId("second")).claimed(None)
    book.note_stay(second)
    assert extend(book, second, now=NOON, new_claim=ClaimId("none"), epoch=1) is None
    book.note_stay(first.after(StayEvent.LEFT, NOON))
    book.apply([book.release(ClaimId("walk-in"))])
    again = goes_on(book, second, NOON)
    assert (again.stay.over_count, again.stay.claim) == (False, f"at {NOON}")


def test_the_edge_does_not_stretch_a_promise_on_a_spot_of_the_cloud() -> None:
    book = book_of(SpotType.REGULAR, SpotType.REGULAR, owners={SpotId("0"): Tier.CLOUD})
    claim = promised(book, "cloud's", Interval(NOON, NOON + 4 * HOUR), owner=Tier.CLOUD)
    longer = goes_on(book, parked(book, claim), ALMOST_FOUR)
    (own,) = longer.claims
    assert (own.spot, own.window.starts_at) == ("1", NOON + 4 * HOUR)
    assert book.claim(claim.id) == claim


def changed(book: Book, claim: Claim, window: Interval) -> Claim:
    """What a later revision of the same booking added."""
    added = replace(claim, id=ClaimId(f"{claim.id}+"), window=window, revision=2)
    book.apply([added])
    return added


def test_a_stay_goes_from_one_window_of_its_changed_booking_to_the_next_and_only_the_last_is_extended() -> (
    None
):
    book = book_of(SpotType.REGULAR)
    first = promised(book, "booking", Interval(NOON, NOON + 2 * HOUR))
    stay = parked(book, first)
    added = changed(book, first, Interval(NOON + 2 * HOUR, NOON + 3 * HOUR))
    assert due(book, NOON + 1.9 * HOUR) == [], "the booking goes on, and so does the stay"
    assert next_due_at(book) == NOON + 2 * HOUR - timedelta(microseconds=1)
    moved_on = goes_on(book, stay, NOON + 2 * HOUR)
    assert moved_on.stay.claim == added.id
    assert [(claim.id, claim.state) for claim in moved_on.claims] == [(first.id, ClaimState.RELEASED)]
    longer = goes_on(book, moved_on.stay, NOON + 2.75 * HOUR)
    assert [(claim.id, claim.window.ends_at) for claim in longer.claims] == [(added.id, NOON + 3.5 * HOUR)]


def test_the_end_of_a_stay_on_a_changed_booking_frees_what_was_added_too() -> None:
    book = book_of(SpotType.REGULAR)
    first = promised(book, "booking", Interval(NOON, NOON + 2 * HOUR))
    stay = parked(book, first)
    added = changed(book, first, Interval(NOON + 2 * HOUR, NOON + 3 * HOUR))
    promised(book, "another", Interval(NOON + 4 * HOUR, NOON + 5 * HOUR))
    assert [claim.id for claim in book.release_of(stay)] == [first.id, added.id]
    assert book.release_of_void(stay) == ()


def test_a_stay_without_a_place_is_planned_anew_only_when_something_gave_way() -> None:
    book = book_of(SpotType.REGULAR)
    before = book.freed
    first = walk_in(book)
    assert book.freed == before, "a sale takes"
    goes_on(book, first, ALMOST_FOUR)
    assert book.freed == before, "and so does a longer window"
    book.apply(book.release_of(book.open_stays()[0]))
    assert book.freed == before + 1
    book.set_owner(SpotId("0"), Tier.CLOUD)
    assert book.freed == before + 2
