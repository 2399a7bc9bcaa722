"""Words of the commit that come late, early or from another life of the lot: what they may not undo, on both sides."""

from __future__ import annotations

from dataclasses import replace

from parking.claims import ClaimState
from sync.booking import CoordinatorState, LogHead, Transaction
from sync.coordinator import step
from sync.coordinator_news import VoteArrived
from sync.messages import Vote
from sync.part import ParticipantState
from sync.participant_news import Commit, Decided
from sync.transaction import NoReason, Outcome
from tests.unit.sync.test_coordinator import ID, NOW, YES
from tests.unit.sync.test_participant import Lot, prepare


def test_an_abort_that_came_before_its_prepare_is_kept_and_the_prepare_is_refused() -> None:
    lot = Lot()
    kept = [
        effect for effect in lot.hear(Decided(id=ID, outcome=Outcome.ABORTED)) if isinstance(effect, Commit)
    ]
    assert [commit.part.state for commit in kept] == [ParticipantState.ABRT]
    votes = [
        frame
        for effect in lot.hear(prepare())
        for frame in ([*effect.then] if isinstance(effect, Commit) else [getattr(effect, "frame", None)])
        if isinstance(frame, Vote)
    ]
    assert [(vote.yes, vote.reason) for vote in votes] == [(False, NoReason.ABORTED_BEFORE)]
    assert lot.state() is ParticipantState.ABRT


def test_what_is_committed_stays_so_at_the_lot_whatever_comes_later() -> None:
    lot = Lot()
    lot.hear(prepare())
    lot.hear(Decided(id=ID, outcome=Outcome.COMMITTED))
    (claim,) = lot.book.claims()
    assert claim.state is ClaimState.FIRM
    effects = lot.hear(Decided(id=ID, outcome=Outcome.ABORTED, reason="deadline"))
    assert lot.state() is ParticipantState.COMM
    assert lot.book.claim(claim.id).state is ClaimState.FIRM
    assert [bool(effect.clashes) for effect in effects if isinstance(effect, Commit)] == [True], (
        "somebody is told"
    )


def test_a_yes_of_another_life_of_the_lot_about_an_unknown_booking_changes_nothing() -> None:
    unknown = Transaction(id=ID)
    for epoch, head in ((1, LogHead(epoch=2, seq=0)), (2, LogHead(epoch=1, seq=9))):
        news = VoteArrived(lot="lot", vote=replace(YES, epoch=epoch), heads={"lot": head})
        assert step(unknown, news, NOW) == (unknown, ())
    of_no_log = VoteArrived(lot="lot", vote=YES, heads={})
    assert step(unknown, of_no_log, NOW) == (unknown, ())
    now_known, _ = step(
        unknown, VoteArrived(lot="lot", vote=YES, heads={"lot": LogHead(epoch=1, seq=9)}), NOW
    )
    assert now_known.state is CoordinatorState.ABORTED
