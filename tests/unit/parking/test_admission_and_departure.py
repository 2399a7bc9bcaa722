"""Who may drive in and who may drive out, and what they are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from parking.admission import Arrival, NewIds, Passback, Permit, Standing, admit_by_hand, decide_entry
from parking.book import Book, ClaimRequest, Sale
from parking.claims import ClaimKind, ClaimState
from parking.decision import Decision, Reason
from parking.departure import Departure, decide_exit
from parking.ids import ClaimId, SpotId, StayId, ZoneId
from parking.interval import Interval
from parking.lot import LotPolicy, OpeningHours, Spot, SpotType
from parking.opening import is_open, opens_at
from parking.stays import Credential, CredentialKind, Stay, StayState

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
IDS = NewIds(stay=StayId("stay"), claim=ClaimId("claim"), epoch=1)
TICKET = Credential(kind=CredentialKind.TICKET, subject="t1")
PASS = Credential(kind=CredentialKind.PASS, subject="p1")


def book_of(count: int, policy: LotPolicy | None = None) -> Book:
    spots = [
        Spot(id=SpotId(str(n)), zone=ZoneId("z"), number=str(n), type=SpotType.REGULAR) for n in range(count)
    ]
    return Book(spots=spots, owners={}, policy=policy or LotPolicy())


def booked(book: Book, starts: int, ends: int, *, held: bool = False, name: str = "booking") -> ClaimId:
    """A booking from and until so many minutes from noon."""
    sale = book.sell(
        ClaimRequest(
            id=ClaimId(name),
            type=SpotType.REGULAR,
            window=Interval(NOON + starts * MINUTE, NOON + ends * MINUTE),
            kind=ClaimKind.BOOKING,
            holder_kind="reservation",
            holder_id=name,
            epoch=1,
            state=ClaimState.HELD if held else ClaimState.FIRM,
        ),
        now=NOON - timedelta(days=1),
    )
    assert isinstance(sale, Sale)
    book.apply(sale.claims)
    return sale.claim.id


def stay_in(state: StayState) -> Stay:
    return Stay(
        id=StayId("before"),
        credential=TICKET,
        type=SpotType.REGULAR,
        state=state,
        lane="in",
        admitted_at=NOON - timedelta(hours=1),
        claim=ClaimId("old"),
        tariff_version="1",
    )


def enter(book: Book, standing: Standing | None = None, **arrival: object) -> Decision:
    asked = replace(Arrival(credential=TICKET), **arrival)  # type: ignore[arg-type] # fields by name, per test
    return decide_entry(asked, standing or Standing(), book, now=NOON, ids=IDS)


def test_every_reason_has_a_sentence_and_no_two_share_one() -> None:
    sentences = [reason.sentence for reason in Reason]
    assert all(sentence.endswith(".") for sentence in sentences)
    assert len(set(sentences)) == len(sentences)


def test_a_walk_in_is_a_sale_of_the_assumed_stay() -> None:
    decision = enter(book_of(1))
    assert (decision.allowed, decision.reason) == (True, Reason.GRANTED)
    (claim,) = decision.claims
    assert claim.window == Interval(NOON, NOON + timedelta(hours=4))
    assert (claim.kind, claim.state, claim.holder_id) == (ClaimKind.WALK_IN, ClaimState.FIRM, IDS.stay)


def test_a_booking_to_come_keeps_its_place_free_of_walk_ins() -> None:
    book = book_of(1)
    booked(book, 180, 240)
    assert enter(book).reason is Reason.FULL


def test_a_place_is_sold_up_to_the_buffer_before_the_next_booking() -> None:
    book = book_of(1)
    booked(book, 4 * 60 + 15, 6 * 60)
    assert enter(book).allowed


def test_with_the_clock_unknown_a_walk_in_gets_a_claim_without_end() -> None:
    (claim,) = enter(book_of(1), Standing(clock_known=False)).claims
    assert claim.window.ends_at is None


@pytest.mark.parametrize(
    ("standing", "arrival", "reason"),
    [
        (Standing(), {"blocked": True}, Reason.BLOCKED_CREDENTIAL),
        (Standing(), {"known": False}, Reason.CREDENTIAL_UNKNOWN),
        (Standing(), {"type": SpotType.EV}, Reason.TYPE_NOT_HERE),
        (Standing(open=False), {}, Reason.CLOSED),
        (Standing(fenced=True), {}, Reason.FENCED),
        (Standing(storing=False), {}, Reason.NOT_STORING),
        (Standing(), {"permit": Permit(id="p", places_left=0)}, Reason.POOL_FULL),
        (Standing(), {"booking": ClaimId("never made")}, Reason.CREDENTIAL_UNKNOWN),
        (Standing(), {"stay": stay_in(StayState.INSIDE)}, Reason.ALREADY_INSIDE),
    ],
)
def test_a_refusal_names_its_reason_and_sells_nothing(
    standing: Standing, arrival: dict[str, object], reason: Reason
) -> None:
    decision = enter(book_of(3), standing, **arrival)
    assert (decision.allowed, decision.reason, decision.claims) == (False, reason, ())


def test_a_closed_lot_is_closed_even_when_it_is_full_too() -> None:
    assert enter(book_of(0), Standing(open=False)).reason is Reason.CLOSED


def test_the_same_credential_again_opens_for_the_same_stay() -> None:
    decision = enter(book_of(1), stay=stay_in(StayState.ADMITTED))
    assert (decision.reason, decision.stay, decision.claims) == (Reason.ALREADY_ADMITTED, "before", ())


def test_soft_passback_lets_in_and_tells() -> None:
    decision = enter(book_of(1), Standing(passback=Passback.SOFT), stay=stay_in(StayState.INSIDE))
    assert (decision.allowed, decision.reason) == (True, Reason.PASSBACK_TOLERATED)


def test_a_fenced_lot_honours_bookings() -> None:
    book = book_of(1)
    booking = booked(book, 0, 60)
    assert enter(book, Standing(fenced=True, storing=False), booking=booking, credential=PASS).allowed


@pytest.mark.parametrize(
    ("starts", "ends", "reason"),
    [
        (16, 60, Reason.NOT_YET),
        (15, 60, Reason.GRANTED),
        (-60, 0, Reason.BOOKING_OVER),
        (-60, 1, Reason.GRANTED),
    ],
)
def test_a_booking_is_good_from_a_quarter_of_an_hour_before_until_its_end(
    starts: int, ends: int, reason: Reason
) -> None:
    book = book_of(1)
    assert enter(book, booking=booked(book, starts, ends)).reason is reason


def test_who_comes_too_early_is_told_when_to_come() -> None:
    book = book_of(1)
    assert enter(book, booking=booked(book, 60, 120)).opens_at == NOON + 45 * MINUTE


def test_who_comes_a_little_early_starts_early_in_the_book_too() -> None:
    book = book_of(1)
    (claim,) = enter(book, booking=booked(book, 10, 60)).claims
    assert claim.window == Interval(NOON, NOON + 60 * MINUTE)


def test_who_comes_early_to_a_lot_that_is_taken_until_then_waits() -> None:
    book = book_of(1, LotPolicy(turnover_buffer=timedelta(0)))
    booked(book, -60, 10, name="before")
    decision = enter(book, booking=booked(book, 10, 60))
    assert (decision.reason, decision.opens_at) == (Reason.NOT_YET, NOON + 10 * MINUTE)


def test_booked_but_physically_full_is_never_admitted_into_nothing() -> None:
    book = book_of(1)
    decision = enter(book, Standing(brim_full=True), booking=booked(book, 0, 60))
    assert (decision.allowed, decision.reason, decision.call_help) == (False, Reason.BOOKED_BUT_FULL, True)


def test_a_pass_makes_a_held_claim_firm_and_a_plate_does_not() -> None:
    book = book_of(1)
    booking = booked(book, 0, 60, held=True)
    assert enter(book, booking=booking).reason is Reason.BOOKING_NOT_FIRM
    (claim,) = enter(book, booking=booking, credential=PASS).claims
    assert claim.state is ClaimState.FIRM


def test_a_pass_that_comes_early_leaves_one_row_that_is_early_and_firm() -> None:
    book = book_of(1)
    decision = enter(book, booking=booked(book, 10, 60, held=True), credential=PASS)
    (applied,) = book.apply(decision.claims)
    assert (applied.state, applied.window.starts_at) == (ClaimState.FIRM, NOON)


def test_an_attendant_admits_over_the_count_and_it_is_counted() -> None:
    decision = admit_by_hand(Arrival(credential=TICKET), book_of(0), now=NOON, ids=IDS)
    assert (decision.allowed, decision.reason, decision.over_count) == (True, Reason.OVERRIDE, True)


def test_exit_is_refused_for_nothing_but_an_unpaid_demand_and_then_help_is_called() -> None:
    stays: list[Stay | None] = [None, *(stay_in(state) for state in StayState)]
    stays += [
        replace(stay_in(StayState.INSIDE), paid_until=NOON + minutes * MINUTE) for minutes in (-1, 0, 1)
    ]
    yes_no = (False, True)
    for stay, readable, owed, prepaid, later in product(stays, yes_no, (0, 250), yes_no, yes_no):
        departure = Departure(
            stay=stay, readable=readable, owed_minor=owed, prepaid=prepaid, bill_later=later
        )
        decision = decide_exit(departure, LotPolicy(), now=NOON)
        if not decision.allowed:
            assert decision.reason is Reason.UNPAID
            assert decision.amount_minor == 250
            assert decision.call_help
            assert stay is not None
        if stay is None or stay.state is StayState.LEFT:
            assert decision.allowed
            assert decision.call_help


@pytest.mark.parametrize(
    ("departure", "reason"),
    [
        (Departure(stay=stay_in(StayState.INSIDE), owed_minor=1), Reason.UNPAID),
        (Departure(stay=stay_in(StayState.INSIDE), owed_minor=1, bill_later=True), Reason.BILLED_LATER),
        (Departure(stay=stay_in(StayState.INSIDE)), Reason.FREE_OF_CHARGE),
        (Departure(stay=replace(stay_in(StayState.INSIDE), entered_at=NOON - 5 * MINUTE)), Reason.GRACE),
        (Departure(stay=replace(stay_in(StayState.INSIDE), paid_until=NOON), owed_minor=1), Reason.PAID),
        (
            Departure(stay=replace(stay_in(StayState.INSIDE), paid_until=NOON - MINUTE), owed_minor=1),
            Reason.UNPAID,
        ),
        (Departure(stay=stay_in(StayState.INSIDE), prepaid=True), Reason.PREPAID),
        (Departure(stay=stay_in(StayState.LEFT)), Reason.ALREADY_LEFT),
        (Departure(), Reason.NO_SUCH_STAY),
        (Departure(readable=False), Reason.UNREADABLE),
    ],
)
def test_an_exit_names_its_reason(departure: Departure, reason: Reason) -> None:
    assert decide_exit(departure, LotPolicy(), now=NOON).reason is reason


ZURICH = ZoneInfo("Europe/Zurich")
LATE = OpeningHours(by_weekday={4: (time(18), time(2)), 5: (time(8), time(20))})
"""Friday from six until two in the night, Saturday from eight until eight."""


@pytest.mark.parametrize(
    ("local", "is_it"),
    [
        (datetime(2026, 11, 27, 17, 59, tzinfo=ZURICH), False),
        (datetime(2026, 11, 27, 18, tzinfo=ZURICH), True),
        (datetime(2026, 11, 28, 1, 59, tzinfo=ZURICH), True),
        (datetime(2026, 11, 28, 2, tzinfo=ZURICH), False),
        (datetime(2026, 11, 28, 8, tzinfo=ZURICH), True),
        (datetime(2026, 11, 28, 20, tzinfo=ZURICH), False),
    ],
)
def test_hours_may_reach_into_the_next_day(local: datetime, is_it: bool) -> None:
    assert is_open(LATE, ZURICH, local) is is_it


def test_a_closed_lot_says_when_it_opens() -> None:
    thursday = datetime(2026, 11, 26, 12, tzinfo=ZURICH)
    assert opens_at(LATE, ZURICH, thursday) == datetime(2026, 11, 27, 18, tzinfo=ZURICH)
    assert opens_at(OpeningHours(by_weekday={}), ZURICH, thursday) is None
    assert is_open(None, ZURICH, thursday)


def test_the_night_of_the_clock_change_is_one_hour_longer() -> None:
    """On 25 October 2026 three o'clock becomes two: from Saturday 22:00 until Sunday 06:00 nine hours go by."""
    night = OpeningHours(by_weekday={5: (time(22), time(6))})
    opened = datetime(2026, 10, 24, 20, tzinfo=UTC)
    assert not is_open(night, ZURICH, opened - MINUTE)
    assert is_open(night, ZURICH, opened)
    assert is_open(night, ZURICH, opened + timedelta(hours=9) - MINUTE)
    assert not is_open(night, ZURICH, opened + timedelta(hours=9))
