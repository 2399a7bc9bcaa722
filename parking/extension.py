"""A stay that goes on keeps its claim; a promise that it meets gives way.

Theory. Every open stay keeps a claim whose end is at least one step (30 min) away, a booked one past its window too. When the end comes
nearer the claim is extended in steps. A later claim met on the spot is *re-homed*: another spot of its type, a better type, a
spot cleared by moving a third. Where it finds no home the stay itself goes on elsewhere in the accounts, if for a step only; where not
even that can be had the stay is *over the count* (no claim, counted) and the promise met is *at risk*, which is told.
A stay over the count gets a claim again as soon as one can be had.

A booking that was changed has a claim for each window that was added. They follow one another, and the stay goes from one to the next; the last
one is what is extended.

Everything here is a plan: apply its `claims`, note its `stay`, and commit both together.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from parking.book import Book, ClaimRequest, Sale
from parking.claims import Claim, ClaimKind, ClaimState
from parking.conflicts import end_of
from parking.ids import ClaimId, StayId
from parking.interval import Interval
from parking.stays import Stay


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """The stay as it goes on, the claims that change for it, and the promises that now have no place."""

    stay: Stay
    claims: tuple[Claim, ...] = ()
    at_risk: tuple[Claim, ...] = ()


def due(book: Book, now: datetime) -> Sequence[Stay]:
    """The open stays that need `extend` at `now`: a claim about to end, or none at all."""
    return [stay for stay in book.open_stays() if _is_due(book, stay, now)]


def next_due_at(book: Book, *, but: Collection[StayId] = ()) -> datetime | None:
    """When the next claim of an open stay (but for those of `but`) comes within one step of its end; None where none will."""
    dues = [_due_at(book, stay) for stay in book.open_stays() if stay.id not in but]
    return min((due_at for due_at in dues if due_at is not None), default=None)


def extend(book: Book, stay: Stay, *, now: datetime, new_claim: ClaimId, epoch: int) -> Extension | None:
    """Plan how `stay` keeps a claim; None where nothing is to be done or can be.

    `new_claim` is the id to use should the stay need another claim than the one it has.
    """
    if not _is_due(book, stay, now):
        return None
    claim = None if stay.claim is None else book.claim(stay.claim)
    if claim is None:
        return _elsewhere(book, stay, since=now, now=now, new_claim=new_claim, epoch=epoch)
    following = book.goes_on_with(claim)
    if following and end_of(claim.window) <= now:
        over = () if claim.state is ClaimState.RELEASED else (claim.moved_to(ClaimState.RELEASED),)
        return Extension(stay=stay.claimed(following[0].id), claims=over)
    claim = following[-1] if following else claim
    longer, met, moved = _on_its_spot(book, claim, now)
    if moved is not None:
        return Extension(stay=stay, claims=(*moved, longer))
    since = max(now, end_of(claim.window)) if claim.state is not ClaimState.RELEASED else now
    elsewhere = _elsewhere(book, stay, since=since, now=now, new_claim=new_claim, epoch=epoch)
    if elsewhere is not None:
        return elsewhere
    if not _is_ours(book, claim):
        # The other tier's promise stands until its window ends; only then is the stay without one.
        return None if since > now else Extension(stay=stay.claimed(None))
    return Extension(
        stay=stay.claimed(None), claims=(claim.moved_to(ClaimState.RELEASED),), at_risk=tuple(met)
    )


def rehome(book: Book, claim: Claim, *, now: datetime) -> tuple[Claim, ...] | None:
    """Plan another spot for `claim`: of its type, of a better type, or one cleared by moving others. None: nowhere.

    A pinned claim has no other home. Only spots of this tier are looked at: what the other tier owns is asked for, not taken.
    """
    if claim.spot is None or book.is_pinned(claim):
        return None
    for spot_type in (claim.type, *book.policy.better_types.get(claim.type, ())):
        shelf = book.shelf(spot_type, book.tier, now)
        for window in (shelf.guard(claim.window), claim.window):
            spot = shelf.best_fit(window, but=[claim.spot])
            if spot is not None:
                return (claim.on_spot(spot),)
    cleared = book.shelf(claim.type, book.tier, now).swap(claim.window, but=claim.spot)
    if cleared is None:
        return None
    return (*(other.on_spot(spot) for other, spot in cleared.moves), claim.on_spot(cleared.spot))


def _is_due(book: Book, stay: Stay, now: datetime) -> bool:
    due_at = _due_at(book, stay)
    return stay.claim is None or (due_at is not None and now > due_at)


def _due_at(book: Book, stay: Stay) -> datetime | None:
    """After which instant something is to be done for a stay with a claim: its end is a step away, or its booking goes on with another."""
    if stay.claim is None:
        return None
    claim = book.claim(stay.claim)
    ends_at = claim.window.ends_at
    following = book.goes_on_with(claim)
    last = following[-1].window.ends_at if following else ends_at
    dues = [] if last is None else [last - book.policy.extension_step]
    if following and ends_at is not None:
        dues.append(ends_at - timedelta(microseconds=1))
    return min(dues, default=None)


def _longer(book: Book, claim: Claim, now: datetime) -> Claim:
    """`claim` with as many steps added as bring its end one step away from `now`."""
    step = book.policy.extension_step
    ends_at = claim.window.ends_at
    while ends_at is not None and ends_at - now < step:
        ends_at += step
    return claim.with_window(claim.window.ending(ends_at))


def _is_ours(book: Book, claim: Claim) -> bool:
    """Whether this tier may change the window: the promise stands, on a spot of its own."""
    return claim.binds and claim.spot is not None and book.owner(claim.spot) is book.tier


def _on_its_spot(
    book: Book, claim: Claim, now: datetime
) -> tuple[Claim, Sequence[Claim], tuple[Claim, ...] | None]:
    """`claim` made longer, the promises it then meets, and the moves that give those another home (None: not possible)."""
    longer = _longer(book, claim, now)
    if not _is_ours(book, claim) or claim.spot is None:
        return longer, (), None
    met = [other for other in book.claims_on(claim.spot, longer.window) if other.id != claim.id]
    return longer, met, _rehomed(book, met, now)


def _rehomed(book: Book, met: Sequence[Claim], now: datetime) -> tuple[Claim, ...] | None:
    """A new home for all of `met`; None where one finds none, or where two plans would get in each other's way."""
    moved: list[Claim] = []
    for claim in met:
        plan = rehome(book, claim, now=now)
        if plan is None or (len(met) > 1 and len(plan) > 1):
            return None
        moved.extend(plan)
    return tuple(moved)


def _elsewhere(
    book: Book, stay: Stay, *, since: datetime, now: datetime, new_claim: ClaimId, epoch: int
) -> Extension | None:
    """Another claim for the stay, from `since` until two steps from `now`; None where none can be had."""
    asked = ClaimRequest(
        id=new_claim,
        type=stay.type,
        window=Interval(since, now + 2 * book.policy.extension_step),
        kind=ClaimKind.WALK_IN,
        holder_kind="stay",
        holder_id=stay.id,
        epoch=epoch,
    )
    sale = book.sell(asked, now=now, beyond_count=True)
    if isinstance(sale, Sale):
        return Extension(stay=stay.claimed(new_claim), claims=sale.claims)
    return None
