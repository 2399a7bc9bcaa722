"""The coordinator of a booking: one reservation's revision from draft to decision. Next in its story: cloud/gateways/link.

Theory of operation
===================
The reservation's row is the transaction. Whoever has news of it (the endpoint, the provider's webhook, the process that holds the lot's link,
the one that takes over a dead one's work) opens a database transaction, locks the row, gives it to `step` with the database's own
`now`, writes what comes back and the effects that belong into the same commit (`InCommit`), commits, and then does the others. So the
decision *is* that commit, and a process may die at any point: what is durable says what is left to do (`TakenOver`).

`begin` comes after the payment is authorised and only where the lot's link is up: PREPARING, with a deadline. A prepare is sent only while the row is
PREPARING, never queued for a reconnect. The lot votes. Its yes names the log sequence just before its own row, and counts only when that much
of its log is applied, in the epoch in which it was asked: then no fact that we have not seen can stand in the way. COMMITTED is written only
where the row is still PREPARING, before the deadline, with every vote counted. All else ends in ABORTED: a no, the deadline, a fact that
met the hold, a payment that fell away. Both are absorbing and are told until acknowledged.

An inquiry about a transaction that we never heard of writes ABORTED first and answers then (presumed abort), so that nothing can begin
behind the answer's back. After a recovery that could have lost rows absence proves nothing: such a transaction is WITHHELD until the pass,
the provider or a person decides.

A booking on the cloud's own spot asks nobody: begin and decision are one commit. A no does not end a sale while the cloud has a spot
of its own: `FallBack` asks the service to try one, as the next revision with the same payment; `NothingOwn` says that there is none.

A pair that the table lacks is late or repeated news and changes nothing. What a stale lease asks for changes nothing either. The
states and rules have the names of tests/model/edge_sync.pml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from parking.ids import ClaimId
from sync.booking import Ballot, CoordinatorState, Heads, Transaction, yes_of
from sync.coordinator_effects import CoordinatorAct, effects_of
from sync.coordinator_news import (
    AcknowledgedBy,
    Begin,
    CaptureFound,
    CoordinatorEffect,
    Draft,
    GivenUp,
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
    Recovered,
    TakeOver,
    Tick,
    VoteArrived,
)
from sync.errors import LocalError
from sync.messages import Vote
from sync.transaction import NoReason, Outcome

DEADLINE = timedelta(seconds=8)


class CoordinatorSignal(StrEnum):
    """What news comes down to once the guards have looked at it."""

    DRAFTED = "drafted"
    BEGUN = "begun"
    BEGUN_ON_OWN_SPOT = "begun_on_own_spot"
    BEGUN_CUT_OFF = "begun_cut_off"
    BEGUN_UNPAID = "begun_unpaid"
    VOTE_COUNTED = "vote_counted"
    ALL_YES = "all_yes"
    VOTED_NO = "voted_no"
    NOTHING_OWN = "nothing_own"
    DEADLINE_PASSED = "deadline_passed"
    MET_BY_FACT = "met_by_fact"
    PAYMENT_LOST = "payment_lost"
    GIVEN_UP = "given_up"
    INQUIRED = "inquired"
    INQUIRED_LATE = "inquired_late"
    INQUIRED_AFTER_LOSS = "inquired_after_loss"
    RECOVERED = "recovered"
    ACKNOWLEDGED = "acknowledged"
    LINK_OPENED = "link_opened"
    TAKEN_OVER = "taken_over"
    PASS_REPORTED = "pass_reported"  # noqa: S105 - news of a pass, not a secret
    CAPTURE_FOUND = "capture_found"
    PERSON_COMMITS = "person_commits"
    PERSON_ABORTS = "person_aborts"
    NOTHING = "nothing"


_S, _E, _A = CoordinatorState, CoordinatorSignal, CoordinatorAct
_COMMITTING = (_A.FIRM_CLAIMS, _A.TELL, _A.CAPTURE)
_ABORTING = (_A.RELEASE_OWN, _A.TELL, _A.CANCEL_PAYMENT)

COORDINATOR_TABLE: Mapping[
    tuple[CoordinatorState, CoordinatorSignal], tuple[CoordinatorState, tuple[CoordinatorAct, ...]]
] = {
    (_S.NONE, _E.DRAFTED): (_S.DRAFT, ()),
    (_S.NONE, _E.INQUIRED): (_S.ABORTED, (_A.ANSWER,)),
    (_S.NONE, _E.INQUIRED_AFTER_LOSS): (_S.WITHHELD, (_A.ANSWER,)),
    (_S.NONE, _E.PASS_REPORTED): (_S.COMMITTED, (_A.ALARM,)),
    (_S.DRAFT, _E.BEGUN): (_S.PREPARING, (_A.HOLD_OWN, _A.SEND_PREPARE)),
    (_S.DRAFT, _E.BEGUN_ON_OWN_SPOT): (_S.COMMITTED, _COMMITTING),
    (_S.DRAFT, _E.BEGUN_CUT_OFF): (_S.DRAFT, (_A.REFUSE,)),
    (_S.DRAFT, _E.BEGUN_UNPAID): (_S.DRAFT, (_A.REFUSE,)),
    (_S.DRAFT, _E.DEADLINE_PASSED): (_S.ABORTED, _ABORTING),
    (_S.DRAFT, _E.GIVEN_UP): (_S.ABORTED, _ABORTING),
    (_S.DRAFT, _E.INQUIRED): (_S.ABORTED, (*_ABORTING, _A.ANSWER)),
    (_S.DRAFT, _E.INQUIRED_LATE): (_S.ABORTED, (*_ABORTING, _A.ANSWER)),
    (_S.DRAFT, _E.INQUIRED_AFTER_LOSS): (_S.WITHHELD, (_A.ANSWER,)),
    (_S.DRAFT, _E.PASS_REPORTED): (_S.DRAFT, (_A.ALARM,)),
    (_S.DRAFT, _E.RECOVERED): (_S.WITHHELD, ()),
    (_S.PREPARING, _E.VOTE_COUNTED): (_S.PREPARING, ()),
    (_S.PREPARING, _E.ALL_YES): (_S.COMMITTED, _COMMITTING),
    (_S.PREPARING, _E.VOTED_NO): (_S.ABORTED, (_A.RELEASE_OWN, _A.TELL, _A.FALL_BACK)),
    (_S.PREPARING, _E.DEADLINE_PASSED): (_S.ABORTED, _ABORTING),
    (_S.PREPARING, _E.MET_BY_FACT): (_S.ABORTED, _ABORTING),
    (_S.PREPARING, _E.PAYMENT_LOST): (_S.ABORTED, _ABORTING),
    (_S.PREPARING, _E.GIVEN_UP): (_S.ABORTED, _ABORTING),
    (_S.PREPARING, _E.INQUIRED): (_S.PREPARING, (_A.ANSWER,)),
    (_S.PREPARING, _E.INQUIRED_LATE): (_S.ABORTED, (*_ABORTING, _A.ANSWER)),
    (_S.PREPARING, _E.INQUIRED_AFTER_LOSS): (_S.WITHHELD, (_A.ANSWER,)),
    (_S.PREPARING, _E.TAKEN_OVER): (_S.PREPARING, (_A.SEND_PREPARE,)),
    (_S.PREPARING, _E.PASS_REPORTED): (_S.PREPARING, (_A.ALARM,)),
    (_S.PREPARING, _E.RECOVERED): (_S.WITHHELD, ()),
    (_S.COMMITTED, _E.VOTE_COUNTED): (_S.COMMITTED, (_A.TELL,)),
    (_S.COMMITTED, _E.ALL_YES): (_S.COMMITTED, (_A.TELL,)),
    (_S.COMMITTED, _E.INQUIRED): (_S.COMMITTED, (_A.ANSWER,)),
    (_S.COMMITTED, _E.INQUIRED_LATE): (_S.COMMITTED, (_A.ANSWER,)),
    (_S.COMMITTED, _E.INQUIRED_AFTER_LOSS): (_S.COMMITTED, (_A.ANSWER,)),
    (_S.COMMITTED, _E.ACKNOWLEDGED): (_S.COMMITTED, ()),
    (_S.COMMITTED, _E.LINK_OPENED): (_S.COMMITTED, (_A.TELL,)),
    (_S.COMMITTED, _E.TAKEN_OVER): (_S.COMMITTED, (_A.TELL, _A.CAPTURE)),
    (_S.COMMITTED, _E.PASS_REPORTED): (_S.COMMITTED, ()),
    (_S.COMMITTED, _E.PAYMENT_LOST): (_S.COMMITTED, (_A.RECEIVABLE,)),
    (_S.COMMITTED, _E.MET_BY_FACT): (_S.COMMITTED, (_A.CONFLICT,)),
    (_S.ABORTED, _E.VOTE_COUNTED): (_S.ABORTED, (_A.TELL,)),
    (_S.ABORTED, _E.ALL_YES): (_S.ABORTED, (_A.TELL,)),
    (_S.ABORTED, _E.NOTHING_OWN): (_S.ABORTED, (_A.CANCEL_PAYMENT,)),
    (_S.ABORTED, _E.INQUIRED): (_S.ABORTED, (_A.ANSWER,)),
    (_S.ABORTED, _E.INQUIRED_LATE): (_S.ABORTED, (_A.ANSWER,)),
    (_S.ABORTED, _E.INQUIRED_AFTER_LOSS): (_S.ABORTED, (_A.ANSWER,)),
    (_S.ABORTED, _E.ACKNOWLEDGED): (_S.ABORTED, ()),
    (_S.ABORTED, _E.LINK_OPENED): (_S.ABORTED, (_A.TELL,)),
    (_S.ABORTED, _E.TAKEN_OVER): (_S.ABORTED, (_A.TELL, _A.CANCEL_PAYMENT)),
    (_S.ABORTED, _E.PASS_REPORTED): (_S.ABORTED, (_A.ALARM,)),
    (_S.WITHHELD, _E.INQUIRED): (_S.WITHHELD, (_A.ANSWER,)),
    (_S.WITHHELD, _E.INQUIRED_LATE): (_S.WITHHELD, (_A.ANSWER,)),
    (_S.WITHHELD, _E.INQUIRED_AFTER_LOSS): (_S.WITHHELD, (_A.ANSWER,)),
    (_S.WITHHELD, _E.PASS_REPORTED): (_S.COMMITTED, _COMMITTING),
    (_S.WITHHELD, _E.CAPTURE_FOUND): (_S.COMMITTED, (_A.FIRM_CLAIMS, _A.TELL)),
    (_S.WITHHELD, _E.PAYMENT_LOST): (_S.ABORTED, _ABORTING),
    (_S.WITHHELD, _E.PERSON_COMMITS): (_S.COMMITTED, _COMMITTING),
    (_S.WITHHELD, _E.PERSON_ABORTS): (_S.ABORTED, _ABORTING),
}


Step = tuple[Transaction, tuple[CoordinatorEffect, ...]]


def step(transaction: Transaction, news: News, now: datetime) -> Step:
    """The row as it is to be written, and what is to be done. `now` is the database's clock."""
    if isinstance(news, Tick) and news.token != transaction.lease.token:
        return transaction, (LeaseLost(),)
    if isinstance(news, TakeOver):
        lease = transaction.lease.taken(news.worker, now)
        if lease is None:
            return transaction, (LeaseLost(),)
        transaction = replace(transaction, lease=lease)
    heard = _take_in(transaction, news)
    signal = _signal(heard, news, now)
    state, acts = COORDINATOR_TABLE.get((heard.state, signal), (heard.state, ()))
    if signal is _E.NOTHING:
        return transaction, ()
    decided = _moved(heard, news, signal, state, now)
    return decided, tuple(effect for act in acts for effect in effects_of(act, decided, news, now))


def superseded_by_next(transaction: Transaction) -> tuple[Transaction, Transaction]:
    """After a no: this row without its payment, and the draft of the next revision, which has it. Both go into one commit.

    Raises:
        LocalError: the transaction is not aborted, or has handed its payment on before.
    """
    if transaction.state is not _S.ABORTED or transaction.superseded:
        raise LocalError(f"{transaction.id} is {transaction.state}: it has no payment to hand on")
    following = Transaction(
        id=replace(transaction.id, revision=transaction.id.revision + 1),
        state=_S.DRAFT,
        type=transaction.type,
        window=transaction.window,
        deadline_at=transaction.deadline_at,
    )
    return replace(transaction, superseded=True), following


def _take_in(transaction: Transaction, news: News) -> Transaction:
    """What is on record whatever the state becomes: a yes on its ballot, an acknowledgement."""
    match news:
        case VoteArrived(lot=lot, vote=vote) if vote.yes and transaction.state is _S.PREPARING:
            yes = yes_of(vote)
            return replace(
                transaction,
                ballots=tuple(
                    replace(ballot, yes=yes) if ballot.lot == lot and ballot.epoch == vote.epoch else ballot
                    for ballot in transaction.ballots
                ),
            )
        case AcknowledgedBy(lot=lot) | PassReported(lot=lot) if transaction.outcome is not None:
            return replace(
                transaction,
                ballots=tuple(
                    replace(ballot, acknowledged=True) if ballot.lot == lot else ballot
                    for ballot in transaction.ballots
                ),
            )
        case _:
            return transaction


def _signal(transaction: Transaction, news: News, now: datetime) -> CoordinatorSignal:
    """What the news means here and now: the guards of the table."""
    late = transaction.deadline_at is not None and now >= transaction.deadline_at
    match news:
        case Begin():
            return _begin_signal(news, late=late and transaction.state is _S.DRAFT)
        case VoteArrived():
            return _vote_signal(transaction, news, late=late)
        case LogApplied(heads=heads):
            return (
                _counted(transaction, heads, late=late) if transaction.state is _S.PREPARING else _E.NOTHING
            )
        case Inquired():
            return _inquiry_signal(news, late=late)
        case Tick():
            return _E.DEADLINE_PASSED if late else _E.NOTHING
        case TakeOver():
            undecided = transaction.state in {_S.DRAFT, _S.PREPARING}
            return _E.DEADLINE_PASSED if late and undecided else _E.TAKEN_OVER
        case PersonDecides(outcome=outcome):
            return _E.PERSON_COMMITS if outcome is Outcome.COMMITTED else _E.PERSON_ABORTS
        case _:
            return _PLAIN[type(news)]


_PLAIN: Mapping[type[object], CoordinatorSignal] = {
    Draft: _E.DRAFTED,
    NothingOwn: _E.NOTHING_OWN,
    MetByFact: _E.MET_BY_FACT,
    PaymentLost: _E.PAYMENT_LOST,
    CaptureFound: _E.CAPTURE_FOUND,
    GivenUp: _E.GIVEN_UP,
    Recovered: _E.RECOVERED,
    AcknowledgedBy: _E.ACKNOWLEDGED,
    LinkOpened: _E.LINK_OPENED,
    PassReported: _E.PASS_REPORTED,
}


def _begin_signal(begin: Begin, *, late: bool) -> CoordinatorSignal:
    if late:
        return _E.DEADLINE_PASSED
    if not begin.authorised:
        return _E.BEGUN_UNPAID
    asked = {ballot.lot for ballot in begin.ballots if ballot.asked}
    if not asked:
        return _E.BEGUN_ON_OWN_SPOT
    if not asked <= begin.connected:
        return _E.BEGUN_CUT_OFF
    return _E.BEGUN


def _vote_signal(transaction: Transaction, news: VoteArrived, *, late: bool) -> CoordinatorSignal:
    head = news.heads.get(news.lot)
    if head is None or head.epoch != news.vote.epoch:
        return _E.NOTHING
    if transaction.state is _S.NONE:
        # Whoever votes on what we never heard of is in doubt: the same as an inquiry.
        if not news.vote.yes:
            return _E.NOTHING
        return _E.INQUIRED_AFTER_LOSS if news.history_may_be_lost else _E.INQUIRED
    asked = next((ballot for ballot in transaction.ballots if ballot.lot == news.lot), None)
    if transaction.state is _S.PREPARING and not _is_to_the_question(asked, transaction, news.vote):
        return _E.NOTHING
    if not news.vote.yes:
        return _E.VOTED_NO
    return _counted(transaction, news.heads, late=late)


def _is_to_the_question(asked: Ballot | None, transaction: Transaction, vote: Vote) -> bool:
    """Whether this vote is of a lot that was asked, in the epoch it was asked in, on the claim and window it was asked for."""
    if asked is None or not asked.asked or asked.epoch != vote.epoch or asked.claim != vote.claim:
        return False
    return not vote.yes or yes_of(vote).window == transaction.window


def _counted(transaction: Transaction, heads: Heads, *, late: bool) -> CoordinatorSignal:
    """Whether every vote is in and stands on an applied log, in the epoch in which it was asked."""
    if late and transaction.state is _S.PREPARING:
        return _E.DEADLINE_PASSED
    for ballot in transaction.ballots:
        if not ballot.asked:
            continue
        head = heads.get(ballot.lot)
        if ballot.yes is None or head is None:
            return _E.VOTE_COUNTED
        if head.epoch != ballot.yes.epoch or head.seq < ballot.yes.log_seq_before:
            return _E.VOTE_COUNTED
    return _E.ALL_YES


def _inquiry_signal(news: Inquired, *, late: bool) -> CoordinatorSignal:
    if news.epoch != news.current_epoch:
        return _E.NOTHING
    if news.history_may_be_lost:
        return _E.INQUIRED_AFTER_LOSS
    return _E.INQUIRED_LATE if late else _E.INQUIRED


def _moved(
    transaction: Transaction, news: News, signal: CoordinatorSignal, state: CoordinatorState, now: datetime
) -> Transaction:
    """The row in its new state, with what the news brings to it."""
    if isinstance(news, Draft) and state is _S.DRAFT and transaction.state is _S.NONE:
        return replace(
            transaction,
            state=state,
            type=news.type,
            window=news.window,
            deadline_at=news.expires_at,
            own_claims=news.own_claims,
        )
    if isinstance(news, Begin) and transaction.state is _S.DRAFT and state in {_S.PREPARING, _S.COMMITTED}:
        lease = transaction.lease.taken(news.worker, now)
        return replace(
            transaction,
            state=state,
            ballots=news.ballots,
            own_claims=news.own_claims or transaction.own_claims,
            deadline_at=now + DEADLINE,
            lease=lease or transaction.lease,
        )
    if transaction.state is _S.NONE and state is not _S.NONE and isinstance(news, VoteArrived | Inquired):
        # The lot is told until it acknowledges, as any other.
        transaction = replace(transaction, ballots=(_unasked(transaction, news),))
    reason = _reason(news, signal) if state is _S.ABORTED and transaction.state is not _S.ABORTED else ""
    return replace(transaction, state=state, reason=reason or transaction.reason)


def _unasked(transaction: Transaction, news: VoteArrived | Inquired) -> Ballot:
    epoch = news.epoch if isinstance(news, Inquired) else news.vote.epoch
    return Ballot(lot=news.lot, epoch=epoch, claim=ClaimId(str(transaction.id)))


_REASONS: Mapping[CoordinatorSignal, NoReason] = {
    _E.DEADLINE_PASSED: NoReason.DEADLINE,
    _E.INQUIRED_LATE: NoReason.DEADLINE,
    _E.MET_BY_FACT: NoReason.MET_BY_FACT,
    _E.PAYMENT_LOST: NoReason.NOT_AUTHORISED,
    _E.GIVEN_UP: NoReason.GIVEN_UP,
    _E.INQUIRED: NoReason.NEVER_HEARD_OF,
    _E.PERSON_ABORTS: NoReason.BY_HAND,
}


def _reason(news: News, signal: CoordinatorSignal) -> str:
    if isinstance(news, VoteArrived) and signal is _E.VOTED_NO:
        return news.vote.reason
    return str(_REASONS.get(signal, ""))
