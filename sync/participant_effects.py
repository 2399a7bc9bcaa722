"""What the participant's acts are for one transaction: claims to write, words to say, drivers to honour. The machine is sync/participant.py.

All acts of one step that write anything become one `Commit`; the votes and acknowledgements of that step are its `then`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from parking.book import Book, ClaimRequest, Sale
from parking.claims import Claim, ClaimKind, ClaimState
from parking.decision import Reason
from parking.errors import NoSuchClaim
from parking.ids import ClaimId
from parking.interval import Interval
from parking.lot import SpotType, Tier
from parking.stays import Stay
from sync.errors import LocalError
from sync.events import EventDraft, EventKind
from sync.instants import to_us
from sync.messages import DecisionAck, Inquiry, Vote
from sync.part import LotStanding, Moment, Part, ParticipantState
from sync.participant_news import (
    Clash,
    Commit,
    Decided,
    Honour,
    OperatorDecides,
    ParticipantEffect,
    ParticipantNews,
    PassShown,
    PrepareArrived,
    Say,
)
from sync.place import Place
from sync.transaction import NoReason


class ParticipantAct(StrEnum):
    """What a step does besides moving the state."""

    HOLD = "hold"
    WRITE = "write"
    KEEP = "keep"
    RELEASE = "release"
    TAKE = "take"
    TAKE_WHILE_FREE = "take_while_free"
    VOTE_YES = "vote_yes"
    VOTE_NO = "vote_no"
    ACKNOWLEDGE = "acknowledge"
    INQUIRE = "inquire"
    HONOUR = "honour"
    REFUSE = "refuse"
    ALARM = "alarm"


_A = ParticipantAct
_WRITING = frozenset({_A.HOLD, _A.WRITE, _A.KEEP, _A.RELEASE, _A.TAKE, _A.TAKE_WHILE_FREE, _A.ALARM})
_TOLD = {
    ParticipantState.PREP: EventKind.PREPARED,
    ParticipantState.COMM: EventKind.COMMITTED,
    ParticipantState.COMM_BY_HAND: EventKind.COMMITTED,
    ParticipantState.ABRT: EventKind.ABORTED,
    ParticipantState.ABRT_BY_HAND: EventKind.ABORTED,
}


@dataclass(slots=True, kw_only=True)
class Doing:
    """One step being carried out: what it is given, and what has come of it so far."""

    before: Part
    state: ParticipantState
    news: ParticipantNews | object
    place: Place | NoReason | None
    book: Book
    now: Moment
    lot: LotStanding
    new_claim: Callable[[], ClaimId]
    after: Part = field(init=False)
    claims: list[Claim] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    clashes: list[Clash] = field(default_factory=list)
    then: list[Vote | DecisionAck] = field(default_factory=list)
    said: list[ParticipantEffect] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.after = replace(self.before, state=self.state)
        if self.state is not self.before.state:
            by, reason = _ended_by(self.news, self.before)
            self.after = replace(self.after, by=by, reason=reason)

    @property
    def held(self) -> Claim | None:
        """What the lot holds for the transaction, as the book has it."""
        return None if self.before.claim is None else _known(self.book, self.before.claim)


def _known(book: Book, claim: ClaimId) -> Claim | None:
    try:
        return book.claim(claim)
    except NoSuchClaim:
        return None


def effects_of(acts: Sequence[ParticipantAct], doing: Doing) -> tuple[Part, tuple[ParticipantEffect, ...]]:
    """The row after these acts, and their effects: the commit first."""
    for act in acts:
        _DO[act](doing)
    writes = any(act in _WRITING for act in acts)
    if not writes:
        return doing.after, (*(Say(frame=frame) for frame in doing.then), *doing.said)
    commit = Commit(
        part=doing.after,
        claims=tuple(doing.claims),
        stays=tuple(doing.stays),
        events=_facts(doing),
        clashes=tuple(doing.clashes),
        then=tuple(doing.then),
    )
    return doing.after, (commit, *doing.said)


# Claims


def _hold(doing: Doing) -> None:
    if not isinstance(doing.place, Place) or not isinstance(doing.news, PrepareArrived):
        raise LocalError("there is no place to hold")
    claim = doing.place.claim
    doing.claims += [*doing.place.moved, claim]
    doing.after = replace(
        doing.after,
        claim=claim.id,
        type=claim.type,
        window=claim.window,
        epoch=doing.lot.epoch,
        prepared_at=doing.now.at,
        log_seq_before=doing.lot.last_seq,
    )


def _write(doing: Doing) -> None:
    """The row alone: a tombstone, or a doubt that ended as an operator said."""
    if isinstance(doing.news, PrepareArrived) and isinstance(doing.place, NoReason):
        doing.after = replace(doing.after, epoch=doing.lot.epoch, reason=str(doing.place))


def _keep(doing: Doing) -> None:
    """The promise stands: held becomes firm; what the lot has not heard of is put on record; what it gave away is taken again."""
    told = doing.news.claim if isinstance(doing.news, Decided) else None
    held = doing.held
    if held is not None and held.state is ClaimState.HELD:
        doing.claims.append(held.moved_to(ClaimState.FIRM))
    elif held is not None and held.state is ClaimState.RELEASED:
        _settle_released(doing, held, told)
    elif told is not None and _known(doing.book, told.id) is None:
        _put_on_record(doing, told, held)


def _settle_released(doing: Doing, held: Claim, told: Claim | None) -> None:
    """It was given away here (by hand, or its window ended) and stands in the centre: the centre's row goes, a new one is taken."""
    highest = max(held.version, told.version if told is not None and told.id == held.id else 0)
    doing.claims.append(replace(held, version=highest + 1))
    if not _is_over(held.window, doing.now):
        _take_anew(doing, held.type, held.window, beyond_count=True)


def _put_on_record(doing: Doing, told: Claim, stand_in: Claim | None) -> None:
    """The centre's claim, which this lot never had; a stay on a stand-in goes over to it, and the stand-in is released."""
    met = [claim for claim in _standing_on(doing.book, told) if stand_in is None or claim.id != stand_in.id]
    if met:
        told = replace(told, clashing=True)
        detail = f"{doing.before.id} was decided elsewhere"
        doing.clashes.append(Clash(kind="claims_overlap", claim=told.id, other=met[0].id, detail=detail))
    elif stand_in is not None:
        doing.claims.append(stand_in.moved_to(ClaimState.RELEASED))
        doing.stays += [
            stay.claimed(told.id) for stay in doing.book.open_stays() if stay.claim == stand_in.id
        ]
    doing.claims.append(told)
    doing.after = replace(doing.after, claim=told.id, type=told.type, window=told.window, epoch=told.epoch)


def _standing_on(book: Book, told: Claim) -> list[Claim]:
    if told.spot is None:
        return []
    return [claim for claim in book.claims_on(told.spot, told.window) if claim.id != told.id]


def _release(doing: Doing) -> None:
    """The promise ends, unless somebody is inside on it: a stay keeps its claim."""
    held = doing.held
    if held is None or held.state is ClaimState.RELEASED:
        return
    if any(stay.claim == held.id for stay in doing.book.open_stays()):
        return
    doing.claims.append(held.moved_to(ClaimState.RELEASED))


def _take(doing: Doing) -> None:
    """The pass commits: the held claim becomes firm, or one is had for it where none is known."""
    held = doing.held
    if held is not None and held.state is ClaimState.HELD:
        doing.claims.append(held.moved_to(ClaimState.FIRM))
    elif held is None or held.state is ClaimState.RELEASED:
        _take_for_pass(doing, beyond_count=True)


def _take_while_free(doing: Doing) -> None:
    """Against our own ABRT: only what the count still allows."""
    claim = _take_for_pass(doing, beyond_count=False)
    doing.said.append(Honour(claim=claim) if claim is not None else Honour(refusal=Reason.FULL))


def _take_for_pass(doing: Doing, *, beyond_count: bool) -> ClaimId | None:
    shown = doing.news
    if not isinstance(shown, PassShown):
        raise LocalError("no pass was shown")
    doing.after = replace(doing.after, type=shown.type, window=shown.window, epoch=doing.lot.epoch)
    known = _known_promise(doing, shown)
    if known is not None:
        doing.after = replace(doing.after, claim=known.id)
        return known.id
    return _take_anew(doing, shown.type, shown.window, beyond_count=beyond_count)


def _known_promise(doing: Doing, shown: PassShown) -> Claim | None:
    """A firm claim of the same reservation (an earlier revision's) that holds at the moment."""
    for claim in doing.book.claims():
        same = claim.holder_kind == "reservation" and claim.holder_id == shown.id.reservation
        if same and claim.state is ClaimState.FIRM and claim.window.overlaps(shown.window):
            return claim
    return None


def _take_anew(doing: Doing, kind: SpotType, window: Interval, *, beyond_count: bool) -> ClaimId | None:
    """A firm claim on a spot of ours for what is left of the window; None where none can be had."""
    if _is_over(window, doing.now):
        return None
    asked = ClaimRequest(
        id=doing.new_claim(),
        type=kind,
        window=Interval(max(doing.now.at, window.starts_at), window.ends_at),
        kind=ClaimKind.BOOKING,
        holder_kind="reservation",
        holder_id=doing.before.id.reservation,
        epoch=doing.lot.epoch,
        revision=doing.before.id.revision,
    )
    sale = doing.book.sell(asked, now=doing.now.at, owner=Tier.EDGE, beyond_count=beyond_count)
    if not isinstance(sale, Sale):
        doing.after = replace(doing.after, claim=None)
        return None
    doing.claims += sale.claims
    doing.after = replace(doing.after, claim=sale.claim.id)
    return sale.claim.id


def _is_over(window: Interval, now: Moment) -> bool:
    return window.ends_at is not None and window.ends_at <= now.at


# Words


def _vote_yes(doing: Doing) -> None:
    part = doing.after
    held = doing.claims[-1] if doing.claims else doing.held
    if (
        held is None
        or held.spot is None
        or part.window is None
        or part.window.ends_at is None
        or part.claim is None
    ):
        raise LocalError(f"{part.id} holds no place to vote with")
    doing.then.append(
        Vote(
            epoch=part.epoch,
            session=0,
            reservation=part.id.reservation,
            revision=part.id.revision,
            yes=True,
            claim=part.claim,
            spot=held.spot,
            starts_us=to_us(part.window.starts_at),
            ends_us=to_us(part.window.ends_at),
            log_seq_before=part.log_seq_before,
        )
    )


def _vote_no(doing: Doing) -> None:
    if not isinstance(doing.news, PrepareArrived):
        return
    prepare = doing.news.prepare
    reason = doing.place if isinstance(doing.place, NoReason) else NoReason.ABORTED_BEFORE
    doing.then.append(
        Vote(
            epoch=prepare.epoch,
            session=0,
            reservation=prepare.reservation,
            revision=prepare.revision,
            yes=False,
            claim=prepare.claim,
            reason=str(reason),
        )
    )


def _acknowledge(doing: Doing) -> None:
    if isinstance(doing.news, Decided) and not doing.news.acknowledge:
        return
    part = doing.before.id
    doing.then.append(
        DecisionAck(epoch=doing.lot.epoch, session=0, reservation=part.reservation, revision=part.revision)
    )


def _inquire(doing: Doing) -> None:
    part = doing.before
    doing.said.append(
        Say(
            frame=Inquiry(
                epoch=doing.lot.epoch,
                session=0,
                reservation=part.id.reservation,
                revision=part.id.revision,
                prepared_us=0 if part.prepared_at is None else to_us(part.prepared_at),
            )
        )
    )


def _honour(doing: Doing) -> None:
    """On the first claim of the reservation that is not over: a revision that only added to the window has a claim for what it added."""
    written = {claim.id: claim for claim in doing.claims}
    standing = [
        now
        for claim in doing.book.claims_of_reservation(doing.after.id.reservation)
        if (now := written.pop(claim.id, claim)).state is ClaimState.FIRM
    ]
    mine = [claim for claim in written.values() if claim.holder_id == doing.after.id.reservation]
    first = min(
        (claim for claim in (*standing, *mine) if not _is_over(claim.window, doing.now)),
        key=lambda claim: (claim.window.starts_at, claim.id),
        default=None,
    )
    doing.said.append(Honour(claim=doing.after.claim if first is None else first.id))


def _refuse(doing: Doing) -> None:
    doing.said.append(Honour(refusal=Reason.BOOKING_OVER))


def _alarm(doing: Doing) -> None:
    by = f" by {doing.before.by}" if doing.before.by else ""
    doing.clashes.append(
        Clash(
            kind="decision_contradicted",
            claim=doing.before.claim or "",
            other=str(doing.before.id),
            detail=f"{doing.before.state}{by} ({doing.before.reason}) met {_named(doing.news)}",
        )
    )


_DO: dict[ParticipantAct, Callable[[Doing], None]] = {
    _A.HOLD: _hold,
    _A.WRITE: _write,
    _A.KEEP: _keep,
    _A.RELEASE: _release,
    _A.TAKE: _take,
    _A.TAKE_WHILE_FREE: _take_while_free,
    _A.VOTE_YES: _vote_yes,
    _A.VOTE_NO: _vote_no,
    _A.ACKNOWLEDGE: _acknowledge,
    _A.INQUIRE: _inquire,
    _A.HONOUR: _honour,
    _A.REFUSE: _refuse,
    _A.ALARM: _alarm,
}


# Facts


def _facts(doing: Doing) -> tuple[EventDraft, ...]:
    """What the log tells of the step: the new state where it changed, and every clash."""
    at_us = to_us(doing.now.at)
    after, facts = doing.after, []
    kind = _TOLD.get(after.state)
    if kind is not None and after.state is not doing.before.state and _is_news(doing):
        body = {
            "at_us": at_us,
            "reservation": after.id.reservation,
            "revision": after.id.revision,
            "claim_id": after.claim,
            "by": after.by,
            "reason": after.reason,
        }
        facts.append(EventDraft(kind=kind, body=body))
    for clash in doing.clashes:
        body = {
            "at_us": at_us,
            "kind": clash.kind,
            "claim": clash.claim,
            "other": clash.other,
            "detail": clash.detail,
        }
        facts.append(EventDraft(kind=EventKind.CONFLICT_FOUND, body=body))
    return tuple(facts)


def _is_news(doing: Doing) -> bool:
    """A refusal that was never a doubt is told by the vote alone: a lot that is full would fill its log with them."""
    return doing.before.state is not ParticipantState.NONE or doing.after.state is not ParticipantState.ABRT


def _ended_by(news: object, before: Part) -> tuple[str, str]:
    match news:
        case Decided(reason=reason):
            return "decision", reason
        case PassShown():
            return "pass", ""
        case OperatorDecides(by=by, reason=reason):
            return f"operator {by}", reason
        case _:
            return before.by, before.reason


def _named(news: object) -> str:
    return f"the decision {news.outcome}" if isinstance(news, Decided) else "the pass"
