"""A space of a street: which words of its sensor make a stay, and what its car is promised."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.admission import NewIds
from parking.ids import ClaimId, SpotId, StayId
from parking.interval import Interval
from parking.lot import SpotType, Tier
from parking.stays import StayState
from parking.street import BAY_TABLE, Bay, BayEvent, BayPhase, Waits, claim_on, stay_on
from tests.unit.parking.test_extension import HOUR, NOON, book_of, promised

WAITS = Waits(stands_after_s=60.0, gone_after_s=10.0)
IDS = NewIds(stay=StayId("stay"), claim=ClaimId("claim"), epoch=3)
SPOT = SpotId("0")
WITH_A_STAY = {BayPhase.TAKEN, BayPhase.LEAVING}
WORDS = [BayEvent.OCCUPIED, BayEvent.FREE, BayEvent.UNKNOWN]
RESTART = "restart"


class Played:
    """A bay second by second, and beside it the rule as a person would say it: how long it has been so without interruption."""

    def __init__(self) -> None:
        self.bay = Bay()
        self.second = 0
        self.word: BayEvent = BayEvent.UNKNOWN
        self.lasted = 0
        self.car = False
        self.opened = self.closed = 0

    def hear(self, word: BayEvent | str) -> None:
        if word == RESTART:
            taken = self.bay.phase in WITH_A_STAY
            self.bay = Bay(phase=BayPhase.TAKEN if taken else BayPhase.EMPTY)
            self.lasted = 0
            self._happens(self.word)
            return
        word = BayEvent(word)
        if word is not self.word:
            self.word, self.lasted = word, 0
        self._happens(word)

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.second += 1
            self.lasted += 1
            over_s = WAITS.over_s(self.bay)
            if over_s is not None and over_s <= self.second:
                self._happens(BayEvent.LASTED)
            self._by_the_rule()
            assert (self.bay.phase in WITH_A_STAY) is self.car

    def _happens(self, event: BayEvent) -> None:
        before = self.bay.phase
        self.bay = self.bay.after(
            event, now_s=float(self.second), now_at=NOON + timedelta(seconds=self.second)
        )
        self.opened += before not in WITH_A_STAY and self.bay.phase in WITH_A_STAY
        self.closed += before in WITH_A_STAY and self.bay.phase not in WITH_A_STAY
        assert self.opened - self.closed in {0, 1}

    def _by_the_rule(self) -> None:
        if self.word is BayEvent.OCCUPIED and self.lasted >= 60:
            self.car = True
        elif self.word is BayEvent.FREE and self.lasted >= 10:
            self.car = False


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*WORDS, RESTART]), st.integers(0, 12) | st.integers(55, 65) | st.just(130)
        ),
        max_size=25,
    )
)
def test_a_space_has_one_stay_exactly_while_a_car_stands_on_it_by_the_rule(
    said: list[tuple[BayEvent | str, int]],
) -> None:
    played = Played()
    for word, seconds in said:
        played.hear(word)
        played.wait(seconds)


def test_what_the_table_does_not_have_changes_nothing() -> None:
    for phase, event in product(BayPhase, BayEvent):
        bay = Bay(phase=phase, since_s=5.0, since_at=NOON)
        after = bay.after(event, now_s=9.0, now_at=NOON + HOUR)
        if (phase, event) in BAY_TABLE:
            assert (after.phase, after.since_s) == (BAY_TABLE[phase, event], 9.0)
        else:
            assert after is bay


def test_only_the_end_of_a_wait_opens_a_stay_and_no_unknown_word_closes_one() -> None:
    opening = {
        event
        for (phase, event), then in BAY_TABLE.items()
        if phase not in WITH_A_STAY and then in WITH_A_STAY
    }
    closing = {
        event
        for (phase, event), then in BAY_TABLE.items()
        if phase in WITH_A_STAY and then not in WITH_A_STAY
    }
    assert opening == {BayEvent.LASTED}
    assert closing == {BayEvent.LASTED, BayEvent.CLOSED}


def test_the_claim_is_on_the_very_space_that_the_car_stands_on() -> None:
    book = book_of(SpotType.REGULAR, SpotType.EV)
    claim = claim_on(book, SpotId("1"), now=NOON, ids=IDS)
    assert claim is not None
    book.apply((claim,))
    stay = stay_on(book, SpotId("1"), claim, since_at=NOON, ids=IDS, tariff_version="t 1")
    book.note_stay(stay)
    assert (claim.spot, claim.type, claim.window) == (
        SpotId("1"),
        SpotType.EV,
        Interval(NOON, NOON + 4 * HOUR),
    )
    assert (stay.state, stay.type, stay.claim) == (StayState.INSIDE, SpotType.EV, claim.id)
    assert book.sellable_now(SpotType.EV, NOON).count == 0
    assert book.sellable_now(SpotType.REGULAR, NOON).count == 1


@pytest.mark.parametrize(
    ("window", "is_bare"),
    [
        (Interval(NOON - HOUR, NOON + HOUR), False),
        (Interval(NOON + 3 * HOUR, NOON + 5 * HOUR), False),
        (Interval(NOON - 2 * HOUR, NOON), True),
        (Interval(NOON + 4 * HOUR, NOON + 5 * HOUR), True),
    ],
)
def test_where_the_space_is_promised_meanwhile_the_car_is_over_the_count(
    window: Interval, is_bare: bool
) -> None:
    book = book_of(SpotType.REGULAR)
    promised(book, "booked", window)
    claim = claim_on(book, SPOT, now=NOON, ids=IDS)
    assert (claim is not None) is is_bare
    stay = stay_on(book, SPOT, claim, since_at=NOON, ids=IDS, tariff_version="t 1")
    assert stay.over_count is not is_bare


def test_a_space_of_the_centres_is_not_this_lots_to_promise() -> None:
    book = book_of(SpotType.REGULAR, owners={SPOT: Tier.CLOUD})
    assert claim_on(book, SPOT, now=NOON, ids=IDS) is None


def test_while_the_time_is_unknown_the_claim_has_no_end() -> None:
    book = book_of(SpotType.REGULAR)
    claim = claim_on(book, SPOT, now=NOON, ids=IDS, clock_known=False)
    assert claim is not None
    assert claim.window == Interval(NOON, None)
