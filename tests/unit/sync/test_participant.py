"""The lot as a participant, pair by pair and by its rules. The whole protocol under faults: test_commit_between_parties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, product
from random import Random

import pytest

from parking.book import Book, ClaimRequest, Sale
from parking.claims import Claim, ClaimKind, ClaimState
from parking.decision import Reason
from parking.ids import ClaimId, LaneId, SpotId, StayId, ZoneId
from parking.interval import Interval
from parking.lot import Enforcement, LotPolicy, Owner, Spot, SpotType, Tier, Zone, ZoneKind
from parking.stays import Credential, CredentialKind, Stay, StayState
from sync.events import EventKind
from sync.instants import to_us
from sync.messages import Inquiry, Prepare, Vote
from sync.part import LotStanding, Moment, Part, ParticipantState
from sync.participant import PARTICIPANT_TABLE, ParticipantSignal, may_have_doubts
from sync.participant_news import (
    Cancelled,
    Commit,
    Decided,
    Fence,
    Honour,
    LinkIsOpen,
    OperatorDecides,
    ParticipantEffect,
    ParticipantNews,
    PassShown,
    PrepareArrived,
    Say,
    TimePassed,
)
from sync.participants import Participants
from sync.transaction import NoReason, Outcome, TransactionId

S = ParticipantState
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Interval(NOW + HOUR, NOW + 3 * HOUR)
ID = TransactionId(reservation="r", revision=1)
STANDING = LotStanding(epoch=4, last_seq=17)


def moment(after: timedelta = timedelta(0), *, lower_after: timedelta | None = None) -> Moment:
    lower = after if lower_after is None else lower_after
    return Moment(at=NOW + after, lower_at=NOW + lower, real_s=after.total_seconds())


class Lot:
    """A lot whose card never fails: every commit is taken in at once."""

    def __init__(self, spots: int = 2, *, assigned: bool = False, policy: LotPolicy | None = None) -> None:
        zone = Zone(
            id=ZoneId("z"),
            level="0",
            kind=ZoneKind.ASSIGNED if assigned else ZoneKind.FREE_CHOICE,
            enforced_by=Enforcement.SIGN if assigned else None,
        )
        painted = [
            Spot(id=SpotId(f"e{n}"), zone=zone.id, number=str(n), type=SpotType.REGULAR) for n in range(spots)
        ]
        painted.append(Spot(id=SpotId("c0"), zone=zone.id, number="c", type=SpotType.REGULAR))
        owners: dict[SpotId, Owner] = {SpotId("c0"): Tier.CLOUD}
        self.book = Book(spots=painted, owners=owners, policy=policy or LotPolicy(), zones=[zone])
        self.numbers = count(1)
        self.participants = Participants(
            self.book, new_claim=lambda: ClaimId(f"lot-{next(self.numbers)}"), random=Random(1)
        )

    def hear(
        self,
        news: ParticipantNews | LinkIsOpen | TimePassed,
        now: Moment | None = None,
        standing: LotStanding = STANDING,
    ) -> tuple[ParticipantEffect, ...]:
        effects = self.participants.step(news, now or moment(), standing)
        for effect in effects:
            if isinstance(effect, Commit):
                self.book.apply(effect.claims)
                for stay in effect.stays:
                    self.book.note_stay(stay)
        return effects

    def state(self, transaction: TransactionId = ID) -> ParticipantState:
        return self.participants.part(transaction).state

    def park(self, claim: ClaimId | None) -> Stay:
        stay = Stay(
            id=StayId(f"stay-{next(self.numbers)}"),
            credential=Credential(kind=CredentialKind.PASS, subject="r"),
            type=SpotType.REGULAR,
            state=StayState.INSIDE,
            lane=LaneId("in"),
            admitted_at=NOW,
            claim=claim,
            over_count=claim is None,
            tariff_version="1",
        )
        self.book.note_stay(stay)
        return stay

    def walk_in(self, window: Interval = WINDOW) -> bool:
        number = next(self.numbers)
        asked = ClaimRequest(
            id=ClaimId(f"walk-{number}"),
            type=SpotType.REGULAR,
            window=window,
            kind=ClaimKind.WALK_IN,
            holder_kind="stay",
            holder_id=str(number),
            epoch=4,
        )
        sale = self.book.sell(asked, now=NOW)
        if isinstance(sale, Sale):
            self.book.apply(sale.claims)
        return isinstance(sale, Sale)


def prepare(
    reservation: str = "r",
    revision: int = 1,
    window: Interval = WINDOW,
    *,
    epoch: int = 4,
    spot: str | None = None,
) -> PrepareArrived:
    assert window.ends_at is not None
    return PrepareArrived(
        prepare=Prepare(
            epoch=epoch,
            session=1,
            reservation=reservation,
            revision=revision,
            claim=f"claim-{reservation}-{revision}",
            type="regular",
            starts_us=to_us(window.starts_at),
            ends_us=to_us(window.ends_at),
            left_ms=8_000,
            spot=spot,
        )
    )


PASS = PassShown(id=ID, type=SpotType.REGULAR, window=WINDOW, epoch=4)
COMMITTED = Decided(id=ID, outcome=Outcome.COMMITTED)
ABORTED = Decided(id=ID, outcome=Outcome.ABORTED, reason="deadline")
BY_HAND = {outcome: OperatorDecides(id=ID, outcome=outcome, by="ada", reason="phoned") for outcome in Outcome}
ROAD: dict[ParticipantState, tuple[ParticipantNews, ...]] = {
    S.NONE: (),
    S.PREP: (prepare(),),
    S.COMM: (prepare(), COMMITTED),
    S.ABRT: (prepare(), ABORTED),
    S.COMM_BY_HAND: (prepare(), BY_HAND[Outcome.COMMITTED]),
    S.ABRT_BY_HAND: (prepare(), BY_HAND[Outcome.ABORTED]),
    S.CANC: (prepare(), COMMITTED, Cancelled(id=ID, used=False)),
}
NEWS: dict[ParticipantSignal, ParticipantNews | LinkIsOpen | TimePassed] = {
    ParticipantSignal.PREPARE_FITS: prepare(),
    ParticipantSignal.COMMITTED: COMMITTED,
    ParticipantSignal.ABORTED: ABORTED,
    ParticipantSignal.PASS_SHOWN: PASS,
    ParticipantSignal.OPERATOR_COMMITS: BY_HAND[Outcome.COMMITTED],
    ParticipantSignal.OPERATOR_ABORTS: BY_HAND[Outcome.ABORTED],
    ParticipantSignal.CANCELLED: Cancelled(id=ID, used=False),
    ParticipantSignal.CANCELLED_AFTER_USE: Cancelled(id=ID, used=True),
    ParticipantSignal.LINK_OPENED: LinkIsOpen(),
}


def lot_in(state: ParticipantState) -> Lot:
    lot = Lot()
    for news in ROAD[state]:
        lot.hear(news)
    assert lot.state() is state
    return lot


def commits(effects: Sequence[ParticipantEffect]) -> list[Commit]:
    return [effect for effect in effects if isinstance(effect, Commit)]


def votes(effects: Sequence[ParticipantEffect]) -> list[Vote]:
    said = [effect.frame for effect in effects if isinstance(effect, Say)]
    later = [frame for commit in commits(effects) for frame in commit.then]
    return [frame for frame in (*said, *later) if isinstance(frame, Vote)]


def inquiries(effects: Sequence[ParticipantEffect]) -> list[Inquiry]:
    return [e.frame for e in effects if isinstance(e, Say) and isinstance(e.frame, Inquiry)]


@pytest.mark.parametrize(("state", "signal"), list(product(S, NEWS)))
def test_every_pair_goes_where_the_table_says_or_changes_nothing(
    state: ParticipantState, signal: ParticipantSignal
) -> None:
    lot = lot_in(state)
    before = lot.participants.part(ID)
    claims = lot.book.claims()
    effects = lot.hear(NEWS[signal])
    heard = signal
    if signal is ParticipantSignal.PREPARE_FITS and state is not S.NONE:
        heard = ParticipantSignal.PREPARE_AGAIN
    entry = PARTICIPANT_TABLE.get((state, heard))
    if entry is None:
        assert commits(effects) == []
        assert lot.participants.part(ID) == before
        assert lot.book.claims() == claims
        return
    after = lot.participants.part(ID)
    assert after.state is entry[0]
    held = [claim for claim in lot.book.claims() if claim.state is ClaimState.HELD]
    assert bool(held) == (after.state is S.PREP), "a hold lasts exactly as long as its doubt"
    if after.state in {S.COMM, S.COMM_BY_HAND} and after.claim is not None:
        assert lot.book.claim(after.claim).state is ClaimState.FIRM
    if after.state is not state and state is not S.NONE:
        assert [each.part for each in commits(effects)] == [after], "no doubt ends but on the disk"


@pytest.mark.parametrize("state", [S.COMM, S.ABRT, S.CANC])
def test_time_and_lines_never_end_or_reopen_what_was_decided(state: ParticipantState) -> None:
    lot = lot_in(state)
    for news in (LinkIsOpen(), TimePassed(linked=True)):
        assert lot.hear(news, moment(10 * HOUR)) == ()
    assert lot.participants.timer() is None


def test_a_yes_is_the_word_after_the_disk_and_names_the_log_before_its_row() -> None:
    lot = Lot()
    (commit,) = commits(lot.hear(prepare()))
    (vote,) = commit.then
    assert isinstance(vote, Vote)
    (claim,) = commit.claims
    assert (claim.state, claim.sold_by, claim.epoch) == (ClaimState.HELD, Tier.CLOUD, 4)
    assert (vote.yes, vote.claim, vote.spot, vote.log_seq_before) == (True, "claim-r-1", claim.spot, 17)
    assert [event.kind for event in commit.events] == [EventKind.PREPARED]


def test_a_repeated_prepare_gets_the_very_same_vote_whatever_the_log_has_grown_to() -> None:
    lot = Lot()
    (first,) = votes(lot.hear(prepare()))
    again = lot.hear(prepare(), standing=replace(STANDING, last_seq=99))
    assert votes(again) == [first]
    assert commits(again) == []


def test_a_yes_has_no_time_out() -> None:
    lot = lot_in(S.PREP)
    for hours in range(1, 4):
        lot.hear(TimePassed(linked=True), moment(hours * HOUR - timedelta(minutes=1)))
    assert lot.state() is S.PREP
    assert [claim.state for claim in lot.book.claims()] == [ClaimState.HELD]


def test_the_windows_end_frees_the_spot_by_the_lower_bound_of_the_clock_and_decides_nothing() -> None:
    lot = lot_in(S.PREP)
    lot.hear(TimePassed(linked=False), moment(4 * HOUR, lower_after=2 * HOUR))
    assert len(lot.book.claims()) == 1
    (commit,) = commits(lot.hear(TimePassed(linked=False), moment(4 * HOUR)))
    assert [claim.state for claim in commit.claims] == [ClaimState.RELEASED]
    assert lot.state() is S.PREP
    assert commits(lot.hear(TimePassed(linked=False), moment(5 * HOUR))) == []
    assert inquiries(lot.hear(LinkIsOpen(), moment(5 * HOUR))) != []
    lot.hear(replace(COMMITTED), moment(5 * HOUR))
    assert lot.state() is S.COMM
    assert lot.book.claims() == []


@pytest.mark.parametrize(
    ("standing", "news", "reason"),
    [
        (STANDING, prepare(epoch=3), NoReason.STALE_EPOCH),
        (STANDING, prepare(epoch=5), NoReason.FENCED),
        (replace(STANDING, fenced=True), prepare(), NoReason.FENCED),
        (replace(STANDING, storing=False), prepare(), NoReason.NOT_STORING),
        (replace(STANDING, backlog=501), prepare(), NoReason.CATCHING_UP),
    ],
)
def test_a_lot_that_may_not_promise_turns_the_question_away_and_writes_nothing(
    standing: LotStanding, news: PrepareArrived, reason: NoReason
) -> None:
    lot = Lot()
    effects = lot.hear(news, standing=standing)
    (vote,) = votes(effects)
    assert (vote.yes, vote.reason) == (False, reason)
    assert commits(effects) == []
    assert lot.state() is S.NONE
    assert [type(each) for each in effects if isinstance(each, Fence)] == [Fence] * (news.prepare.epoch == 5)


def test_a_lot_without_a_place_writes_its_no_so_that_a_late_copy_of_the_prepare_finds_it() -> None:
    lot = Lot(spots=1)
    assert lot.walk_in()
    (commit,) = commits(lot.hear(prepare()))
    (vote,) = votes([commit])
    assert (vote.yes, vote.reason, commit.part.state) == (False, "full", S.ABRT)
    assert commit.events == (), "a full lot does not fill its log with refusals"
    lot.book.apply([lot.book.release(claim.id) for claim in lot.book.claims()])
    (late,) = votes(lot.hear(prepare()))
    assert (late.yes, late.reason) == (False, NoReason.ABORTED_BEFORE)


def test_two_prepares_for_one_place_give_one_yes() -> None:
    lot = Lot(spots=1)
    answers = [vote.yes for name in "ab" for vote in votes(lot.hear(prepare(name)))]
    assert answers == [True, False]


def test_too_many_prepares_past_their_deadline_and_the_lot_promises_no_more() -> None:
    assert [may_have_doubts(total) for total in (1, 99, 100, 149, 150, 1_000)] == [2, 2, 2, 2, 3, 20]
    lot = Lot(spots=5)
    for name in "ab":
        lot.hear(prepare(name))
    assert [vote.yes for vote in votes(lot.hear(prepare("c"), moment(timedelta(seconds=7))))] == [True]
    (no,) = votes(lot.hear(prepare("d"), moment(timedelta(seconds=9))))
    assert (no.yes, no.reason) == (False, NoReason.TOO_MANY_DOUBTS)
    assert lot.walk_in(), "the lot's own sales go on"


def test_a_held_claim_is_never_moved_to_make_room() -> None:
    buffer = timedelta(0)
    lot = Lot(spots=2, policy=LotPolicy(turnover_buffer=buffer))
    lot.hear(prepare("a", window=Interval(NOW + HOUR, NOW + 2 * HOUR)))
    (held,) = lot.book.claims()
    other = next(spot for spot in ("e0", "e1") if spot != held.spot)
    lot.hear(prepare("b", window=Interval(NOW + 2 * HOUR, NOW + 3 * HOUR), spot=other))
    (no,) = votes(lot.hear(prepare("c", window=Interval(NOW + HOUR, NOW + 3 * HOUR))))
    assert (no.yes, no.reason) == (False, "would_not_pack")
    lot.hear(Decided(id=TransactionId(reservation="b", revision=1), outcome=Outcome.COMMITTED))
    (yes,) = votes(lot.hear(prepare("d", window=Interval(NOW + HOUR, NOW + 3 * HOUR))))
    assert yes.yes
    assert yes.spot == other
    assert lot.book.claim(held.id).spot == held.spot


def test_a_painted_spot_that_was_asked_for_is_that_spot_or_a_no() -> None:
    lot = Lot(spots=2, assigned=True)
    (yes,) = votes(lot.hear(prepare("a", spot="e1")))
    assert yes.spot == "e1"
    for spot in ("e1", "c0", "nowhere"):
        (no,) = votes(lot.hear(prepare(f"b{spot}", spot=spot)))
        assert (no.yes, no.reason) == (False, NoReason.SPOT_TAKEN)


def test_an_added_window_goes_beside_the_first_on_the_same_spot_without_a_turnover_between() -> None:
    lot = Lot(spots=1)
    lot.hear(prepare())
    lot.hear(COMMITTED)
    longer = Interval(NOW + 3 * HOUR, NOW + 4 * HOUR)
    (stranger,) = votes(lot.hear(prepare("x", window=longer)))
    assert not stranger.yes
    (yes,) = votes(lot.hear(prepare(revision=2, window=longer)))
    assert (yes.yes, yes.spot) == (True, "e0")


def test_what_a_lot_cannot_sell_it_names() -> None:
    lot = Lot()
    strange = prepare()
    (no,) = votes(lot.hear(PrepareArrived(prepare=replace(strange.prepare, type="ev"))))
    assert no.reason == NoReason.TYPE_NOT_HERE
    (no,) = votes(lot.hear(prepare("y"), moment(4 * HOUR)))
    assert no.reason == NoReason.WINDOW_OVER


# Doubts


def test_a_doubt_asks_when_the_deadline_is_over_and_then_ever_less_often_up_to_a_minute() -> None:
    lot = lot_in(S.PREP)
    assert lot.participants.timer() == 8.0
    waits, now_s = [], 8.0
    for _ in range(6):
        asked = inquiries(lot.hear(TimePassed(linked=True), replace(moment(), real_s=now_s)))
        assert [inquiry.prepared_us for inquiry in asked] == [to_us(NOW)]
        due_s = lot.participants.timer()
        assert due_s is not None
        waits.append(due_s - now_s)
        now_s = due_s
    for wait, longest in zip(waits, (15, 30, 60, 60, 60, 60), strict=True):
        assert longest / 2 <= wait <= longest


def test_without_a_line_nothing_is_asked_and_with_it_at_once() -> None:
    lot = lot_in(S.PREP)
    assert lot.hear(TimePassed(linked=False), moment(timedelta(minutes=5))) == ()
    effects = lot.hear(LinkIsOpen(), moment(timedelta(minutes=5)))
    assert len(inquiries(effects)) == 1
    assert [vote.yes for vote in votes(effects)] == [True]


def test_after_a_power_cut_doubts_are_what_the_card_says_and_ask_at_once() -> None:
    lot = lot_in(S.PREP)
    again = Participants(
        lot.book,
        new_claim=lambda: ClaimId("x"),
        random=Random(1),
        parts=lot.participants.parts(),
        now_s=500.0,
    )
    assert [(doubt.part.id, doubt.overdue) for doubt in again.doubts(500.0)] == [(ID, True)]
    assert again.timer() == 500.0


@pytest.mark.parametrize("mine", list(Outcome))
@pytest.mark.parametrize("theirs", list(Outcome))
def test_an_operators_word_is_compared_and_the_coordinators_stands(mine: Outcome, theirs: Outcome) -> None:
    lot = lot_in(S.PREP)
    (commit,) = commits(lot.hear(BY_HAND[mine]))
    assert commit.events[0].body["by"] == "operator ada"
    assert commit.events[0].body["reason"] == "phoned"
    assert commit.then == ()
    (commit,) = commits(lot.hear(Decided(id=ID, outcome=theirs)))
    assert lot.state() is (S.COMM if theirs is Outcome.COMMITTED else S.ABRT)
    assert bool(commit.clashes) == (mine is not theirs)
    firm = [claim for claim in lot.book.claims() if claim.state is ClaimState.FIRM]
    assert len(firm) == (1 if theirs is Outcome.COMMITTED else 0)
    lot.hear(Decided(id=ID, outcome=theirs))
    assert [claim for claim in lot.book.claims() if claim.state is ClaimState.FIRM] == firm


def test_a_place_taken_again_after_a_wrong_abort_by_hand_survives_the_decision_told_twice() -> None:
    lot = lot_in(S.ABRT_BY_HAND)
    told = replace(COMMITTED, claim=replace(own_claim(), id=ClaimId("claim-r-1"), spot=SpotId("e0")))
    for _ in range(2):
        lot.hear(told)
        assert [(claim.id, claim.state) for claim in lot.book.claims()] == [("lot-1", ClaimState.FIRM)]
    assert lot.book.claim(ClaimId("claim-r-1")).version == 3, "higher than the row that the centre has"


# The pass


def test_the_pass_ends_a_doubt_in_a_lot_that_is_cut_off() -> None:
    lot = lot_in(S.PREP)
    effects = lot.hear(PASS)
    (commit,) = commits(effects)
    assert [claim.state for claim in commit.claims] == [ClaimState.FIRM]
    assert commit.events[0].kind is EventKind.COMMITTED
    assert commit.events[0].body["by"] == "pass"
    assert Honour(claim=ClaimId("claim-r-1")) in effects
    assert lot.hear(PASS) == (Honour(claim=ClaimId("claim-r-1")),)


def test_a_pass_for_a_booking_nobody_heard_of_gets_a_place_where_one_can_be_had() -> None:
    lot = Lot(spots=1)
    effects = lot.hear(PASS)
    assert lot.state() is S.COMM
    assert Honour(claim=ClaimId("lot-1")) in effects
    assert lot.book.claim(ClaimId("lot-1")).window == WINDOW
    full = Lot(spots=1)
    assert full.walk_in()
    assert Honour() in full.hear(PASS), "over the count, not turned away"
    assert full.state() is S.COMM


def test_when_the_centres_own_claim_comes_the_stay_moves_to_it_and_the_stand_in_goes() -> None:
    lot = Lot()
    lot.hear(PASS)
    stay = lot.park(ClaimId("lot-1"))
    (commit,) = commits(lot.hear(replace(COMMITTED, claim=own_claim())))
    assert [moved.claim for moved in commit.stays] == ["own"]
    assert commit.stays[0].id == stay.id
    assert [claim.id for claim in lot.book.claims()] == ["own"]


def own_claim(spot: str = "c0") -> Claim:
    return Claim(
        id=ClaimId("own"),
        spot=SpotId(spot),
        type=SpotType.REGULAR,
        window=WINDOW,
        kind=ClaimKind.BOOKING,
        holder_kind="reservation",
        holder_id="r",
        state=ClaimState.FIRM,
        sold_by=Tier.CLOUD,
        epoch=4,
        version=2,
    )


def test_a_decided_claim_that_meets_another_is_on_record_outside_the_rule_and_told() -> None:
    lot = Lot(spots=1)
    assert lot.walk_in()
    (commit,) = commits(lot.hear(replace(COMMITTED, claim=own_claim("e0"))))
    assert [claim.clashing for claim in commit.claims] == [True]
    assert [event.kind for event in commit.events] == [EventKind.COMMITTED, EventKind.CONFLICT_FOUND]


def test_against_our_own_abort_a_pass_admits_while_a_place_is_free_and_is_told() -> None:
    lot = lot_in(S.ABRT)
    effects = lot.hear(PASS)
    (commit,) = commits(effects)
    assert [clash.kind for clash in commit.clashes] == ["decision_contradicted"]
    assert Honour(claim=ClaimId("lot-1")) in effects
    assert lot.state() is S.ABRT
    assert Honour(claim=ClaimId("lot-1")) in lot.hear(PASS), "the same driver takes no second place"
    full = lot_in(S.ABRT)
    while full.walk_in():
        pass
    assert Honour(refusal=Reason.FULL) in full.hear(PASS)


def test_a_pass_of_a_higher_epoch_says_that_we_are_the_ghost_and_is_honoured_all_the_same() -> None:
    lot = Lot()
    effects = lot.hear(replace(PASS, epoch=5))
    assert [type(effect) for effect in effects] == [Commit, Honour, Fence]


def test_a_pass_of_an_older_revision_is_judged_by_the_newest() -> None:
    lot = Lot()
    newer = TransactionId(reservation="r", revision=2)
    lot.hear(prepare(revision=2))
    lot.hear(Decided(id=newer, outcome=Outcome.COMMITTED))
    assert lot.hear(PASS) == (Honour(claim=ClaimId("claim-r-2")),)
    lot.hear(Cancelled(id=newer, used=False))
    assert Honour(refusal=Reason.BOOKING_OVER) in lot.hear(PASS)


# Cancelling


def test_a_cancelled_booking_frees_its_place_and_its_pass_opens_nothing() -> None:
    lot = lot_in(S.CANC)
    assert lot.book.claims() == []
    assert lot.hear(PASS) == (Honour(refusal=Reason.BOOKING_OVER),)
    unheard = Lot()
    unheard.hear(Cancelled(id=ID, used=False))
    assert unheard.hear(PASS) == (Honour(refusal=Reason.BOOKING_OVER),)


def test_a_booking_in_use_is_not_cancelled() -> None:
    lot = lot_in(S.COMM)
    lot.park(ClaimId("claim-r-1"))
    lot.hear(Cancelled(id=ID, used=True))
    assert lot.state() is S.COMM
    assert len(lot.book.claims()) == 1


def test_what_ended_a_month_ago_is_forgotten_and_a_doubt_never_is() -> None:
    lot = lot_in(S.COMM)
    lot.hear(prepare("doubt"))
    month = moment(timedelta(days=31))
    assert lot.participants.forget(moment(timedelta(days=29))) == []
    assert lot.participants.forget(month) == [ID]
    assert lot.participants.part(ID) == Part(id=ID)
    assert len(lot.participants.doubts(0.0)) == 1
