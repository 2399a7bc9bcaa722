"""The lot's ledger as a participant of the commit. Next in its story: edge/ledger.

Theory of operation
===================
The coordinator asks; the lot looks whether it may promise at all (epoch, fenced, disk, backlog, too many doubts), chooses the spot by its own
book, writes the held claim and PREP in one change, and votes when the disk has it. The vote says what is durable, so it may be
repeated. After a yes the lot never decides alone and has no time-out: the claim stays held, pinned to its spot, until the doubt ends

- by the coordinator's decision, however it comes (message, answer to an inquiry, document),
- by the pass, which is signed only after COMMITTED is durable, so it *is* the decision, also in a lot that is cut off, or
- by an operator with a reason: `…_by_hand`, compared with the coordinator's word when that comes; the coordinator's stands.

The window's end frees the spot, by the lower bound of the clock, and decides nothing. A no for want of a place writes ABRT, so that a late
copy of the prepare finds it; a lot that turns the question away (stale epoch, fenced, catching up …) has not looked and writes nothing.

A pass for a booking that the lot never heard of commits it and takes a place for it where one can be had. A pass against ABRT cannot be
(a witness missing, an old image): the driver is admitted while a place is free, and somebody is told. A booking that was cancelled
is refused by name.

A pair that the table lacks is late or repeated news and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from parking.book import Book
from parking.ids import ClaimId
from sync.errors import LocalError
from sync.messages import MAX_PAGE_ROWS, Prepare
from sync.part import LotStanding, Moment, Part, ParticipantState
from sync.participant_effects import Doing, ParticipantAct, effects_of
from sync.participant_news import (
    Cancelled,
    Decided,
    Fence,
    Honour,
    OperatorDecides,
    ParticipantEffect,
    ParticipantNews,
    PassShown,
    PrepareArrived,
)
from sync.place import Place, find_place
from sync.transaction import NoReason, Outcome

MOST_DOUBTS = 2
DOUBTS_SHARE = 50
"""Prepares older than their deadline that a type may have: 2, or one in fifty of its spots."""


class ParticipantSignal(StrEnum):
    """What news comes down to once the guards have looked at it."""

    PREPARE_FITS = "prepare_fits"
    PREPARE_REFUSED = "prepare_refused"
    PREPARE_TURNED_AWAY = "prepare_turned_away"
    PREPARE_AGAIN = "prepare_again"
    COMMITTED = "committed"
    ABORTED = "aborted"
    PASS_SHOWN = "pass_shown"  # noqa: S105 - news of a pass, not a secret
    OPERATOR_COMMITS = "operator_commits"
    OPERATOR_ABORTS = "operator_aborts"
    CANCELLED = "cancelled"
    CANCELLED_AFTER_USE = "cancelled_after_use"
    WINDOW_ENDED = "window_ended"
    INQUIRY_DUE = "inquiry_due"
    LINK_OPENED = "link_opened"


_S, _E, _A = ParticipantState, ParticipantSignal, ParticipantAct

PARTICIPANT_TABLE: Mapping[
    tuple[ParticipantState, ParticipantSignal], tuple[ParticipantState, tuple[ParticipantAct, ...]]
] = {
    (_S.NONE, _E.PREPARE_FITS): (_S.PREP, (_A.HOLD, _A.VOTE_YES)),
    (_S.NONE, _E.PREPARE_REFUSED): (_S.ABRT, (_A.WRITE, _A.VOTE_NO)),
    (_S.NONE, _E.PREPARE_TURNED_AWAY): (_S.NONE, (_A.VOTE_NO,)),
    (_S.NONE, _E.COMMITTED): (_S.COMM, (_A.KEEP, _A.ACKNOWLEDGE)),
    (_S.NONE, _E.ABORTED): (_S.ABRT, (_A.WRITE, _A.ACKNOWLEDGE)),
    (_S.NONE, _E.PASS_SHOWN): (_S.COMM, (_A.TAKE, _A.HONOUR)),
    (_S.NONE, _E.CANCELLED): (_S.CANC, (_A.WRITE,)),
    (_S.PREP, _E.PREPARE_AGAIN): (_S.PREP, (_A.VOTE_YES,)),
    (_S.PREP, _E.LINK_OPENED): (_S.PREP, (_A.VOTE_YES, _A.INQUIRE)),
    (_S.PREP, _E.INQUIRY_DUE): (_S.PREP, (_A.INQUIRE,)),
    (_S.PREP, _E.WINDOW_ENDED): (_S.PREP, (_A.RELEASE,)),
    (_S.PREP, _E.COMMITTED): (_S.COMM, (_A.KEEP, _A.ACKNOWLEDGE)),
    (_S.PREP, _E.ABORTED): (_S.ABRT, (_A.RELEASE, _A.ACKNOWLEDGE)),
    (_S.PREP, _E.PASS_SHOWN): (_S.COMM, (_A.TAKE, _A.HONOUR)),
    (_S.PREP, _E.OPERATOR_COMMITS): (_S.COMM_BY_HAND, (_A.KEEP,)),
    (_S.PREP, _E.OPERATOR_ABORTS): (_S.ABRT_BY_HAND, (_A.RELEASE,)),
    (_S.PREP, _E.CANCELLED): (_S.CANC, (_A.RELEASE,)),
    (_S.COMM, _E.PREPARE_AGAIN): (_S.COMM, (_A.ACKNOWLEDGE,)),
    (_S.COMM, _E.COMMITTED): (_S.COMM, (_A.KEEP, _A.ACKNOWLEDGE)),
    (_S.COMM, _E.ABORTED): (_S.COMM, (_A.WRITE, _A.ALARM)),
    (_S.COMM, _E.PASS_SHOWN): (_S.COMM, (_A.HONOUR,)),
    (_S.COMM, _E.CANCELLED): (_S.CANC, (_A.RELEASE,)),
    (_S.COMM, _E.CANCELLED_AFTER_USE): (_S.COMM, ()),
    (_S.ABRT, _E.PREPARE_AGAIN): (_S.ABRT, (_A.VOTE_NO,)),
    (_S.ABRT, _E.ABORTED): (_S.ABRT, (_A.ACKNOWLEDGE,)),
    (_S.ABRT, _E.COMMITTED): (_S.COMM, (_A.KEEP, _A.ALARM, _A.ACKNOWLEDGE)),
    (_S.ABRT, _E.PASS_SHOWN): (_S.ABRT, (_A.TAKE_WHILE_FREE, _A.ALARM)),
    (_S.COMM_BY_HAND, _E.LINK_OPENED): (_S.COMM_BY_HAND, (_A.INQUIRE,)),
    (_S.COMM_BY_HAND, _E.INQUIRY_DUE): (_S.COMM_BY_HAND, (_A.INQUIRE,)),
    (_S.COMM_BY_HAND, _E.COMMITTED): (_S.COMM, (_A.KEEP, _A.ACKNOWLEDGE)),
    (_S.COMM_BY_HAND, _E.ABORTED): (_S.ABRT, (_A.RELEASE, _A.ALARM, _A.ACKNOWLEDGE)),
    (_S.COMM_BY_HAND, _E.PASS_SHOWN): (_S.COMM, (_A.TAKE, _A.HONOUR)),
    (_S.COMM_BY_HAND, _E.CANCELLED): (_S.CANC, (_A.RELEASE,)),
    (_S.ABRT_BY_HAND, _E.LINK_OPENED): (_S.ABRT_BY_HAND, (_A.INQUIRE,)),
    (_S.ABRT_BY_HAND, _E.INQUIRY_DUE): (_S.ABRT_BY_HAND, (_A.INQUIRE,)),
    (_S.ABRT_BY_HAND, _E.ABORTED): (_S.ABRT, (_A.WRITE, _A.ACKNOWLEDGE)),
    (_S.ABRT_BY_HAND, _E.COMMITTED): (_S.COMM, (_A.KEEP, _A.ALARM, _A.ACKNOWLEDGE)),
    (_S.ABRT_BY_HAND, _E.PASS_SHOWN): (_S.COMM, (_A.TAKE, _A.HONOUR, _A.ALARM)),
    (_S.ABRT_BY_HAND, _E.CANCELLED): (_S.CANC, (_A.WRITE,)),
    (_S.CANC, _E.PREPARE_AGAIN): (_S.CANC, (_A.VOTE_NO,)),
    (_S.CANC, _E.COMMITTED): (_S.CANC, (_A.ACKNOWLEDGE,)),
    (_S.CANC, _E.ABORTED): (_S.CANC, (_A.ACKNOWLEDGE,)),
    (_S.CANC, _E.PASS_SHOWN): (_S.CANC, (_A.REFUSE,)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a step looks at beside the row: the book, the moment, the ledger's standing, how many doubts are over their deadline.

    `overdue` counts them for the type that is asked for. `new_claim` gives an id should one be needed.
    """

    book: Book
    now: Moment
    lot: LotStanding
    overdue: int
    new_claim: Callable[[], ClaimId]


def step(
    part: Part, news: ParticipantNews | ParticipantSignal, context: Context
) -> tuple[Part, tuple[ParticipantEffect, ...]]:
    """The row as it is to be written, and what is to be done. A signal is given itself where time or the link brought it."""
    place: Place | NoReason | None = None
    if isinstance(news, ParticipantSignal):
        signal = news
    elif isinstance(news, PrepareArrived):
        signal, place = _prepare_signal(part, news.prepare, context)
    else:
        signal = _signal(news)
    entry = PARTICIPANT_TABLE.get((part.state, signal))
    if entry is None:
        return part, _honoured_anyway(part, news)
    state, acts = entry
    doing = Doing(
        before=part,
        state=state,
        news=news,
        place=place,
        book=context.book,
        now=context.now,
        lot=context.lot,
        new_claim=context.new_claim,
    )
    after, effects = effects_of(acts, doing)
    return after, (*effects, *_fences(news, context))


def may_have_doubts(total: int) -> int:
    """How many prepares over their deadline a type of `total` spots may have before the lot votes no."""
    return max(MOST_DOUBTS, total // DOUBTS_SHARE)


def _signal(news: ParticipantNews) -> ParticipantSignal:
    match news:
        case Decided(outcome=outcome):
            return _E.COMMITTED if outcome is Outcome.COMMITTED else _E.ABORTED
        case PassShown():
            return _E.PASS_SHOWN
        case OperatorDecides(outcome=outcome):
            return _E.OPERATOR_COMMITS if outcome is Outcome.COMMITTED else _E.OPERATOR_ABORTS
        case Cancelled(used=used):
            return _E.CANCELLED_AFTER_USE if used else _E.CANCELLED
        case PrepareArrived():
            raise LocalError("a prepare is looked at with its place")


def _prepare_signal(
    part: Part, prepare: Prepare, context: Context
) -> tuple[ParticipantSignal, Place | NoReason | None]:
    if part.state is not _S.NONE:
        return _E.PREPARE_AGAIN, NoReason.ABORTED_BEFORE
    turned_away = _turned_away(prepare, context)
    if turned_away is not None:
        return _E.PREPARE_TURNED_AWAY, turned_away
    place = find_place(prepare, context.book, context.now.at)
    return (_E.PREPARE_FITS if isinstance(place, Place) else _E.PREPARE_REFUSED), place


def _turned_away(prepare: Prepare, context: Context) -> NoReason | None:
    """Why the lot does not even look for a place."""
    lot = context.lot
    if prepare.epoch != lot.epoch:
        return NoReason.STALE_EPOCH if prepare.epoch < lot.epoch else NoReason.FENCED
    if lot.fenced:
        return NoReason.FENCED
    if not lot.storing:
        return NoReason.NOT_STORING
    if lot.backlog > MAX_PAGE_ROWS:
        return NoReason.CATCHING_UP
    total = sum(context.book.total(kind) for kind in context.book.types() if kind == prepare.type)
    return NoReason.TOO_MANY_DOUBTS if context.overdue >= may_have_doubts(total) else None


def _fences(news: ParticipantNews | ParticipantSignal, context: Context) -> tuple[ParticipantEffect, ...]:
    """A higher epoch than ours, in a prepare or a pass, says that we are the old life of this lot."""
    epoch = news.prepare.epoch if isinstance(news, PrepareArrived) else 0
    epoch = news.epoch if isinstance(news, PassShown) else epoch
    if epoch <= context.lot.epoch or context.lot.fenced:
        return ()
    return (Fence(reason=f"epoch {epoch} exists; this ledger is of epoch {context.lot.epoch}"),)


def _honoured_anyway(part: Part, news: ParticipantNews | ParticipantSignal) -> tuple[ParticipantEffect, ...]:
    return (Honour(claim=part.claim),) if isinstance(news, PassShown) else ()
