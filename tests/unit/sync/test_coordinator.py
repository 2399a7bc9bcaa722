"""The coordinator, pair by pair and by its rules. The whole protocol under faults: test_commit_between_parties."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from parking.claims import Claim, ClaimKind, ClaimState
from parking.ids import ClaimId, SpotId
from parking.interval import Interval
from parking.lot import SpotType, Tier
from sync import coordinator
from sync.booking import Ballot, CoordinatorState, LogHead, Transaction
from sync.coordinator import COORDINATOR_TABLE, CoordinatorSignal, step, superseded_by_next
from sync.coordinator_news import (
    AcknowledgedBy,
    Alarm,
    Begin,
    CancelPayment,
    Capture,
    CaptureFound,
    CoordinatorEffect,
    Draft,
    FallBack,
    FirmClaims,
    GivenUp,
    HoldClaims,
    Inquired,
    LeaseLost,
    LinkOpened,
    LogApplied,
    MetByFact,
    News,
    NothingOwn,
    PassReported,
    PaymentLost,
    PersonDecides,
    RecordConflict,
    RecordReceivable,
    Recovered,
    Refuse,
    ReleaseClaims,
    SendAnswer,
    SendPrepare,
    TakeOver,
    Tell,
    Tick,
    VoteArrived,
)
from sync.errors import LocalError
from sync.instants import to_us
from sync.messages import Vote
from sync.transaction import NoReason, Outcome, TransactionId, window_change

S = CoordinatorState
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
LATE = NOW + timedelta(seconds=9)
WINDOW = Interval(NOW, NOW + timedelta(hours=2))
ID = TransactionId(reservation="r", revision=1)
BALLOT = Ballot(lot="lot", epoch=1, claim=ClaimId("c"))
HEADS = {"lot": LogHead(epoch=1, seq=7)}
DRAFT = Draft(type=SpotType.REGULAR, window=WINDOW, expires_at=NOW + timedelta(minutes=10))
BEGIN = Begin(worker="w", authorised=True, ballots=(BALLOT,), connected=frozenset({"lot"}))
YES = Vote(
    epoch=1,
    session=1,
    reservation="r",
    revision=1,
    yes=True,
    claim="c",
    spot="s",
    starts_us=to_us(WINDOW.starts_at),
    ends_us=to_us(NOW + timedelta(hours=2)),
    log_seq_before=7,
)
NO = Vote(epoch=1, session=1, reservation="r", revision=1, yes=False, claim="c", reason="full")
OWN = Claim(
    id=ClaimId("o"),
    spot=SpotId("own"),
    type=SpotType.REGULAR,
    window=WINDOW,
    kind=ClaimKind.BOOKING,
    holder_kind="reservation",
    holder_id="r",
    state=ClaimState.HELD,
    sold_by=Tier.CLOUD,
    epoch=1,
)
BEGIN_OWN = Begin(
    worker="w",
    authorised=True,
    ballots=(replace(BALLOT, claim=OWN.id, asked=False),),
    own_claims=(OWN,),
)


def voted(vote: Vote = YES, *, lost: bool = False) -> VoteArrived:
    return VoteArrived(lot="lot", vote=vote, heads=HEADS, history_may_be_lost=lost)


def inquired(*, lost: bool = False) -> Inquired:
    return Inquired(lot="lot", epoch=1, current_epoch=1, history_may_be_lost=lost)


def after(*news: News) -> Transaction:
    row = Transaction(id=ID)
    for each in news:
        row, _ = step(row, each, NOW)
    return row


ROWS: dict[CoordinatorState, Transaction] = {
    S.NONE: Transaction(id=ID),
    S.DRAFT: after(DRAFT),
    S.PREPARING: after(DRAFT, BEGIN),
    S.COMMITTED: after(DRAFT, BEGIN, voted()),
    S.ABORTED: after(DRAFT, BEGIN, voted(NO)),
    S.WITHHELD: after(DRAFT, BEGIN, Recovered()),
}
NEWS: tuple[News, ...] = (
    DRAFT,
    BEGIN,
    BEGIN_OWN,
    replace(BEGIN, connected=frozenset()),
    replace(BEGIN, authorised=False),
    voted(),
    voted(NO),
    voted(lost=True),
    VoteArrived(lot="lot", vote=YES, heads={"lot": LogHead(epoch=1, seq=6)}),
    VoteArrived(lot="lot", vote=YES, heads={"lot": LogHead(epoch=2, seq=9)}),
    VoteArrived(lot="lot", vote=replace(YES, claim="other"), heads=HEADS),
    LogApplied(heads=HEADS),
    NothingOwn(),
    Tick(token=1),
    Tick(token=0),
    MetByFact(),
    PaymentLost(),
    CaptureFound(),
    GivenUp(),
    inquired(),
    inquired(lost=True),
    Inquired(lot="lot", epoch=1, current_epoch=2),
    Recovered(),
    AcknowledgedBy(lot="lot"),
    LinkOpened(lot="lot"),
    TakeOver(worker="w2"),
    PassReported(lot="lot"),
    PersonDecides(outcome=Outcome.COMMITTED, by="ada", reason="phoned"),
    PersonDecides(outcome=Outcome.ABORTED, by="ada", reason="phoned"),
)


def kinds(effects: tuple[CoordinatorEffect, ...]) -> list[type[CoordinatorEffect]]:
    return [type(effect) for effect in effects]


def test_every_state_has_a_row() -> None:
    assert {state: row.state for state, row in ROWS.items()} == {state: state for state in S}


@pytest.mark.parametrize(("state", "news", "now"), list(product(S, NEWS, (NOW, LATE))))
def test_every_pair_keeps_the_rules(state: CoordinatorState, news: News, now: datetime) -> None:
    row, effects = step(ROWS[state], news, now)
    done = set(kinds(effects))
    if state in {S.COMMITTED, S.ABORTED}:
        assert row.state is state, "a decision is absorbing"
    if row.state is not state:
        assert any(
            row.state is target for (source, _), (target, _) in COORDINATOR_TABLE.items() if source is state
        )
    assert (Capture in done) <= (row.state is S.COMMITTED), "money follows the commit"
    assert (CancelPayment in done) <= (row.state is S.ABORTED)
    assert (FirmClaims in done) <= (row.state is S.COMMITTED)
    assert (Tell in done) <= (row.outcome is not None)
    assert (SendPrepare in done) <= (row.state is S.PREPARING), "a prepare goes out only while PREPARING"
    assert (HoldClaims in done) <= (row.state is S.PREPARING)
    if row.state is S.COMMITTED and state is S.PREPARING:
        assert now < LATE, "nothing is committed after the deadline"
    if isinstance(news, LinkOpened):
        assert SendPrepare not in done, "no prepare waits for a reconnect"


def test_each_pair_of_the_table_is_reached_by_some_news() -> None:
    waited = VoteArrived(lot="lot", vote=YES, heads={"lot": LogHead(epoch=1, seq=6)})
    rows = (*ROWS.values(), after(DRAFT, BEGIN, waited, GivenUp()))
    reached = {
        (row.state, coordinator._signal(coordinator._take_in(row, news), news, now))
        for row, news, now in product(rows, NEWS, (NOW, LATE, NOW + timedelta(hours=1)))
    }
    assert set(COORDINATOR_TABLE) - reached == set()
    assert {signal for _, signal in COORDINATOR_TABLE} == set(CoordinatorSignal) - {CoordinatorSignal.NOTHING}


def test_begin_holds_own_claims_and_asks_the_lot_with_the_time_that_is_left() -> None:
    row, effects = step(after(DRAFT), replace(BEGIN, own_claims=(OWN,)), NOW)
    assert row.deadline_at == NOW + timedelta(seconds=8)
    assert effects[0] == HoldClaims(claims=(OWN,))
    (prepare,) = (effect.prepare for effect in effects if isinstance(effect, SendPrepare))
    assert (prepare.claim, prepare.left_ms, prepare.type) == ("c", 8_000, "regular")
    _, again = step(row, TakeOver(worker="w2"), NOW + timedelta(seconds=6))
    (late,) = (effect.prepare for effect in again if isinstance(effect, SendPrepare))
    assert late.left_ms == 2_000


def test_a_booking_on_the_clouds_own_spot_is_begun_and_decided_in_one_commit_and_the_lot_is_told() -> None:
    row, effects = step(after(DRAFT), BEGIN_OWN, NOW)
    assert row.state is S.COMMITTED
    assert kinds(effects) == [FirmClaims, Tell, Capture]
    tell = effects[1]
    assert isinstance(tell, Tell)
    assert tell.decision.claim is not None
    assert tell.decision.claim["state"] == "firm"


def test_with_the_link_down_or_without_money_nothing_is_begun_and_the_driver_hears_why() -> None:
    cut = step(after(DRAFT), replace(BEGIN, connected=frozenset()), NOW)
    unpaid = step(after(DRAFT), replace(BEGIN, authorised=False), NOW)
    assert cut == (after(DRAFT), (Refuse(reason=NoReason.LINK_DOWN),))
    assert unpaid == (after(DRAFT), (Refuse(reason=NoReason.NOT_AUTHORISED),))


def test_the_decision_puts_the_very_claim_of_the_vote_on_record() -> None:
    row, effects = step(ROWS[S.PREPARING], voted(), NOW)
    assert row.state is S.COMMITTED
    firm = effects[0]
    assert isinstance(firm, FirmClaims)
    (claim,) = firm.claims
    assert (claim.id, claim.spot, claim.window, claim.state, claim.version) == (
        "c",
        "s",
        WINDOW,
        ClaimState.FIRM,
        2,
    )


def test_a_vote_counts_once_the_log_before_it_is_applied_in_its_epoch() -> None:
    waiting, effects = step(
        ROWS[S.PREPARING], VoteArrived(lot="lot", vote=YES, heads={"lot": LogHead(epoch=1, seq=6)}), NOW
    )
    assert (waiting.state, effects) == (S.PREPARING, ())
    other_epoch, _ = step(waiting, LogApplied(heads={"lot": LogHead(epoch=2, seq=99)}), NOW)
    assert other_epoch.state is S.PREPARING
    applied, _ = step(waiting, LogApplied(heads=HEADS), NOW)
    assert applied.state is S.COMMITTED
    late, _ = step(waiting, LogApplied(heads=HEADS), LATE)
    assert late.state is S.ABORTED


def test_two_lots_must_both_say_yes() -> None:
    both = replace(
        BEGIN,
        ballots=(BALLOT, Ballot(lot="b", epoch=3, claim=ClaimId("d"))),
        connected=frozenset({"lot", "b"}),
    )
    heads = {**HEADS, "b": LogHead(epoch=3, seq=0)}
    row, effects = step(after(DRAFT), both, NOW)
    assert len([each for each in effects if isinstance(each, SendPrepare)]) == 2
    row, _ = step(row, VoteArrived(lot="lot", vote=YES, heads=heads), NOW)
    assert row.state is S.PREPARING
    other = replace(YES, epoch=3, claim="d", spot="t", log_seq_before=0)
    row, effects = step(row, VoteArrived(lot="b", vote=other, heads=heads), NOW)
    assert row.state is S.COMMITTED
    assert [effect.lot for effect in effects if isinstance(effect, Tell)] == ["lot", "b"]


@pytest.mark.parametrize(
    "vote", [replace(YES, claim="x"), replace(YES, epoch=2), replace(YES, starts_us=to_us(NOW) + 1)]
)
def test_a_yes_to_another_question_counts_for_nothing(vote: Vote) -> None:
    heads = {"lot": LogHead(epoch=vote.epoch, seq=99)}
    row, effects = step(ROWS[S.PREPARING], VoteArrived(lot="lot", vote=vote, heads=heads), NOW)
    assert (row, effects) == (ROWS[S.PREPARING], ())


def test_a_no_is_named_and_the_payment_goes_on_to_a_spot_of_our_own_or_is_let_go() -> None:
    row, effects = step(ROWS[S.PREPARING], voted(NO), NOW)
    assert (row.state, row.reason) == (S.ABORTED, "full")
    assert FallBack(reason="full") in effects
    assert CancelPayment not in kinds(effects)
    _, none = step(row, NothingOwn(), NOW)
    assert none == (CancelPayment(),)
    handed_on, following = superseded_by_next(row)
    assert (following.id.revision, following.state) == (2, S.DRAFT)
    assert CancelPayment not in kinds(step(handed_on, TakeOver(worker="w2"), LATE)[1])
    with pytest.raises(LocalError):
        superseded_by_next(handed_on)
    committed, _ = step(following, BEGIN_OWN, NOW)
    assert committed.state is S.COMMITTED


def test_an_inquiry_about_an_unknown_transaction_writes_aborted_before_it_is_answered() -> None:
    row, effects = step(ROWS[S.NONE], inquired(), NOW)
    assert row.state is S.ABORTED
    (answer,) = effects
    assert isinstance(answer, SendAnswer)
    assert answer.answer.outcome == "aborted"
    begun, _ = step(row, DRAFT, NOW)
    assert begun.state is S.ABORTED


def test_an_inquiry_before_the_deadline_is_answered_undecided_and_after_it_decides() -> None:
    row, effects = step(ROWS[S.PREPARING], inquired(), NOW)
    assert row.state is S.PREPARING
    assert isinstance(effects[0], SendAnswer)
    assert effects[0].answer.outcome == "undecided"
    late, _ = step(row, inquired(), LATE)
    assert late.state is S.ABORTED


def test_after_a_recovery_absence_never_means_abort() -> None:
    for news in (inquired(lost=True), voted(lost=True)):
        row, effects = step(ROWS[S.NONE], news, NOW)
        assert row.state is S.WITHHELD
        assert isinstance(effects[0], SendAnswer)
        assert effects[0].answer.outcome == "undecided"
        assert step(row, Tick(token=0), LATE)[0].state is S.WITHHELD
    withheld = ROWS[S.WITHHELD]
    assert step(withheld, PassReported(lot="lot"), LATE)[0].state is S.COMMITTED
    assert step(withheld, CaptureFound(), LATE)[0].state is S.COMMITTED
    assert step(withheld, PaymentLost(), LATE)[0].state is S.ABORTED


def test_a_stale_lease_writes_nothing() -> None:
    row = ROWS[S.PREPARING]
    assert step(row, TakeOver(worker="w2"), NOW) == (row, (LeaseLost(),))
    taken, _ = step(row, TakeOver(worker="w2"), NOW + timedelta(seconds=6))
    assert (taken.lease.holder, taken.lease.token) == ("w2", row.lease.token + 1)
    assert step(taken, Tick(token=row.lease.token), LATE) == (taken, (LeaseLost(),))
    assert step(taken, Tick(token=taken.lease.token), LATE)[0].state is S.ABORTED
    assert row.lease.renewed(row.lease.token - 1, NOW) is None


def test_a_process_that_takes_over_goes_on_with_what_is_left_to_do() -> None:
    later = NOW + timedelta(seconds=30)
    assert set(kinds(step(ROWS[S.COMMITTED], TakeOver(worker="w2"), later)[1])) == {Tell, Capture}
    assert set(kinds(step(ROWS[S.ABORTED], TakeOver(worker="w2"), later)[1])) == {Tell, CancelPayment}
    told, _ = step(ROWS[S.COMMITTED], AcknowledgedBy(lot="lot"), later)
    assert kinds(step(told, TakeOver(worker="w2"), later)[1]) == [Capture]
    assert kinds(step(told, LinkOpened(lot="lot"), later)[1]) == []


def test_a_fact_aborts_what_is_being_prepared_and_conflicts_with_what_stands() -> None:
    row = replace(ROWS[S.PREPARING], own_claims=(OWN,))
    met, effects = step(row, MetByFact(claim=OWN.id), NOW)
    assert met.state is S.ABORTED
    released = effects[0]
    assert isinstance(released, ReleaseClaims)
    assert released.claims[0].state is ClaimState.RELEASED
    assert step(ROWS[S.COMMITTED], MetByFact(), NOW) == (ROWS[S.COMMITTED], (RecordConflict(),))


def test_a_capture_that_fails_after_the_commit_is_a_receivable_and_the_place_is_kept() -> None:
    row, effects = step(ROWS[S.COMMITTED], PaymentLost(), NOW)
    assert (row.state, effects) == (S.COMMITTED, (RecordReceivable(),))


@pytest.mark.parametrize("state", [S.DRAFT, S.PREPARING, S.ABORTED])
def test_a_pass_without_a_commit_is_alarmed_and_changes_nothing(state: CoordinatorState) -> None:
    row, effects = step(ROWS[state], PassReported(lot="lot"), NOW)
    assert row.state is state
    assert kinds(effects) == [Alarm]


def test_a_change_holds_only_the_added_window_and_gives_up_the_rest_later() -> None:
    hour = timedelta(hours=1)
    longer = window_change(WINDOW, Interval(NOW - hour, NOW + 3 * hour))
    assert longer.added == (Interval(NOW - hour, NOW), Interval(NOW + 2 * hour, NOW + 3 * hour))
    assert longer.given_up == ()
    moved = window_change(WINDOW, Interval(NOW + hour, NOW + 3 * hour))
    assert moved.added == (Interval(NOW + 2 * hour, NOW + 3 * hour),)
    assert moved.given_up == (Interval(NOW, NOW + hour),)
    elsewhere = Interval(NOW + 5 * hour, NOW + 6 * hour)
    assert window_change(WINDOW, elsewhere).added == (elsewhere,)
    assert window_change(WINDOW, elsewhere).given_up == (WINDOW,)
