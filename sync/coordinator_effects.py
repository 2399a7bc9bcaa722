"""What the coordinator's acts are for one row: messages, claims and money, made from the row alone. The machine is sync/coordinator.py."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from parking.claims import Claim, ClaimKind, ClaimState
from parking.lot import Tier
from sync.booking import Ballot, Transaction
from sync.coordinator_news import (
    Alarm,
    Begin,
    CancelPayment,
    Capture,
    CoordinatorEffect,
    FallBack,
    FirmClaims,
    HoldClaims,
    Inquired,
    LinkOpened,
    News,
    RecordConflict,
    RecordReceivable,
    Refuse,
    ReleaseClaims,
    SendAnswer,
    SendPrepare,
    Tell,
    VoteArrived,
)
from sync.errors import LocalError
from sync.instants import to_us
from sync.messages import Answer, Decision, Prepare
from sync.rows import claim_row
from sync.transaction import NoReason, Outcome

UNDECIDED = "undecided"


class CoordinatorAct(StrEnum):
    """What a step does besides moving the state."""

    HOLD_OWN = "hold_own"
    SEND_PREPARE = "send_prepare"
    FIRM_CLAIMS = "firm_claims"
    RELEASE_OWN = "release_own"
    CAPTURE = "capture"
    CANCEL_PAYMENT = "cancel_payment"
    RECEIVABLE = "receivable"
    TELL = "tell"
    ANSWER = "answer"
    FALL_BACK = "fall_back"
    REFUSE = "refuse"
    CONFLICT = "conflict"
    ALARM = "alarm"


_A = CoordinatorAct


def effects_of(
    act: CoordinatorAct, transaction: Transaction, news: News, now: datetime
) -> tuple[CoordinatorEffect, ...]:
    """What an act of the table is for this transaction; nothing where there is nothing to do it to."""
    match act:
        case _A.HOLD_OWN | _A.RELEASE_OWN | _A.FIRM_CLAIMS:
            return _claim_effects(act, transaction)
        case _A.SEND_PREPARE:
            return tuple(
                SendPrepare(lot=ballot.lot, prepare=_prepare(transaction, ballot, now))
                for ballot in transaction.ballots
                if ballot.asked and ballot.yes is None
            )
        case _A.TELL:
            return _told(transaction, news)
        case _A.ANSWER:
            return _answered(transaction, news)
        case _A.CAPTURE:
            return (Capture(),)
        case _A.CANCEL_PAYMENT:
            return () if transaction.superseded else (CancelPayment(),)
        case _A.RECEIVABLE:
            return (RecordReceivable(),)
        case _A.FALL_BACK:
            return (FallBack(reason=transaction.reason),)
        case _A.REFUSE:
            unpaid = isinstance(news, Begin) and not news.authorised
            return (Refuse(reason=NoReason.NOT_AUTHORISED if unpaid else NoReason.LINK_DOWN),)
        case _A.CONFLICT:
            return (RecordConflict(),)
        case _A.ALARM:
            return (Alarm(kind="pass_without_commit", detail=f"{transaction.id} is {transaction.state}"),)


def _claim_effects(act: CoordinatorAct, transaction: Transaction) -> tuple[CoordinatorEffect, ...]:
    own = transaction.own_claims
    if act is _A.FIRM_CLAIMS:
        firm = (*(_firm(claim) for claim in own), *_voted_claims(transaction))
        return (FirmClaims(claims=firm),) if firm else ()
    if not own:
        return ()
    if act is _A.HOLD_OWN:
        return (HoldClaims(claims=own),)
    return (ReleaseClaims(claims=tuple(claim.moved_to(ClaimState.RELEASED) for claim in own)),)


def _firm(claim: Claim) -> Claim:
    return claim.moved_to(ClaimState.FIRM) if claim.state is ClaimState.HELD else claim


def _voted_claims(transaction: Transaction) -> tuple[Claim, ...]:
    """The claims that lots hold for us, as the decision makes them: the next version of the very row that each lot has."""
    if transaction.type is None:
        return ()
    return tuple(
        Claim(
            id=ballot.yes.claim,
            spot=ballot.yes.spot,
            type=transaction.type,
            window=ballot.yes.window,
            kind=ClaimKind.BOOKING,
            holder_kind="reservation",
            holder_id=transaction.id.reservation,
            state=ClaimState.FIRM,
            sold_by=Tier.CLOUD,
            epoch=ballot.yes.epoch,
            revision=transaction.id.revision,
            version=2,
        )
        for ballot in transaction.ballots
        if ballot.yes is not None
    )


def _prepare(transaction: Transaction, ballot: Ballot, now: datetime) -> Prepare:
    window, deadline_at = transaction.window, transaction.deadline_at
    if window is None or transaction.type is None or deadline_at is None or window.ends_at is None:
        raise LocalError(f"{transaction.id} has no window, type or deadline: it was never begun")
    left_ms = max(0, (deadline_at - now) // timedelta(milliseconds=1))
    return Prepare(
        epoch=ballot.epoch,
        session=0,
        reservation=transaction.id.reservation,
        revision=transaction.id.revision,
        claim=ballot.claim,
        type=str(transaction.type),
        starts_us=to_us(window.starts_at),
        ends_us=to_us(window.ends_at),
        left_ms=left_ms,
        spot=ballot.spot,
    )


def _told(transaction: Transaction, news: News) -> tuple[CoordinatorEffect, ...]:
    """The decision for every lot that has not acknowledged it; where a lot is back, for that lot alone."""
    if transaction.outcome is None:
        return ()
    alone = news.lot if isinstance(news, LinkOpened) else None
    return tuple(
        Tell(lot=ballot.lot, decision=decision_of(transaction, ballot))
        for ballot in transaction.untold
        if alone is None or ballot.lot == alone
    )


def decision_of(transaction: Transaction, ballot: Ballot) -> Decision:
    """What a lot is told: the outcome, and the claim as it stands, so that a lot that lost everything can still keep it.

    Raises:
        LocalError: nothing is decided yet.
    """
    if transaction.outcome is None:
        raise LocalError(f"{transaction.id} is {transaction.state}: there is nothing to tell")
    claims = [claim for claim in _claims_of(transaction) if claim.id == ballot.claim]
    return Decision(
        epoch=ballot.epoch,
        session=0,
        reservation=transaction.id.reservation,
        revision=transaction.id.revision,
        outcome=str(transaction.outcome),
        reason=transaction.reason,
        claim=claim_row(claims[0]) if claims and transaction.outcome is Outcome.COMMITTED else None,
    )


def _claims_of(transaction: Transaction) -> tuple[Claim, ...]:
    return (*(_firm(claim) for claim in transaction.own_claims), *_voted_claims(transaction))


def _answered(transaction: Transaction, news: News) -> tuple[CoordinatorEffect, ...]:
    if not isinstance(news, Inquired | VoteArrived):
        return ()
    epoch = news.epoch if isinstance(news, Inquired) else news.vote.epoch
    answer = Answer(
        epoch=epoch,
        session=0,
        reservation=transaction.id.reservation,
        revision=transaction.id.revision,
        outcome=str(transaction.outcome or UNDECIDED),
        reason=transaction.reason,
    )
    return (SendAnswer(lot=news.lot, answer=answer),)
