"""Which spot a lot votes on. The book decides, as for every sale; two things are its own: a painted spot that the driver asked for, and an
added window, which goes beside the window that the reservation has already, on the same spot if that is free.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from parking.book import Book, ClaimRequest
from parking.claims import Claim, ClaimKind, ClaimState
from parking.decision import Refusal
from parking.ids import ClaimId, SpotId
from parking.interval import Interval
from parking.lot import SpotType, Tier
from sync.instants import from_us
from sync.messages import Prepare
from sync.transaction import NoReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The claim to hold, and the claims that move for it."""

    claim: Claim
    moved: tuple[Claim, ...] = ()


def find_place(prepare: Prepare, book: Book, now: datetime) -> Place | NoReason:
    """The place that a prepare is given, or why it gets none."""
    if prepare.type not in set(SpotType) or not book.total(SpotType(prepare.type)):
        return NoReason.TYPE_NOT_HERE
    window = Interval(from_us(prepare.starts_us), from_us(prepare.ends_us))
    if window.ends_at is not None and window.ends_at <= now:
        return NoReason.WINDOW_OVER
    asked = request_of(prepare, window)
    beside = _beside(asked, book, now) if prepare.revision > 1 and prepare.spot is None else None
    if prepare.spot is not None or beside is not None:
        return _painted(asked, SpotId(prepare.spot or str(beside)), book, now, beside=beside is not None)
    sale = book.sell(asked, now=now, owner=Tier.EDGE)
    if isinstance(sale, Refusal):
        return NoReason(sale.reason.value)
    return Place(claim=_sold(asked, sale.claim.spot), moved=sale.moved)


def request_of(prepare: Prepare, window: Interval) -> ClaimRequest:
    """What the coordinator asks of the book."""
    return ClaimRequest(
        id=ClaimId(prepare.claim),
        type=SpotType(prepare.type),
        window=window,
        kind=ClaimKind.BOOKING,
        holder_kind="reservation",
        holder_id=prepare.reservation,
        epoch=prepare.epoch,
        state=ClaimState.HELD,
        revision=prepare.revision,
    )


def _sold(asked: ClaimRequest, spot: SpotId | None) -> Claim:
    return Claim(
        id=asked.id,
        spot=spot,
        type=asked.type,
        window=asked.window,
        kind=asked.kind,
        holder_kind=asked.holder_kind,
        holder_id=asked.holder_id,
        state=asked.state,
        sold_by=Tier.CLOUD,
        epoch=asked.epoch,
        revision=asked.revision,
    )


def _beside(asked: ClaimRequest, book: Book, now: datetime) -> SpotId | None:
    """The spot on which this reservation has the window just before or after the asked one, where it is free for that one too."""
    for claim in book.claims():
        if claim.spot is None or (claim.holder_kind, claim.holder_id) != (asked.holder_kind, asked.holder_id):
            continue
        touches = (
            claim.window.ends_at == asked.window.starts_at or claim.window.starts_at == asked.window.ends_at
        )
        if touches and _is_free(asked, claim.spot, book, now, but=asked.holder_id):
            return claim.spot
    return None


def _painted(
    asked: ClaimRequest, spot: SpotId, book: Book, now: datetime, *, beside: bool
) -> Place | NoReason:
    """That very spot, where it is ours, of the type, free with its turnover time, and the count allows one more."""
    if not _is_free(asked, spot, book, now, but=asked.holder_id if beside else None):
        return NoReason.SPOT_TAKEN
    counted = _past_the_turnover(asked, book) if beside else asked.window
    if book.sellable(asked.type, counted, now=now, owner=Tier.EDGE) < 1:
        return NoReason.FULL
    return Place(claim=_sold(asked, spot))


def _is_free(asked: ClaimRequest, spot: SpotId, book: Book, now: datetime, *, but: str | None) -> bool:
    shelf = book.shelf(asked.type, Tier.EDGE, now)
    if spot not in shelf.spots:
        return False
    near = book.claims_on(spot, shelf.guard(asked.window))
    return all(
        but is not None and claim.holder_id == but and not claim.window.overlaps(asked.window)
        for claim in near
    )


def _past_the_turnover(asked: ClaimRequest, book: Book) -> Interval:
    """The window without the turnover time that the booking's own other claim would be counted in, where it is long enough."""
    buffer = book.policy.turnover_buffer
    starts_at, ends_at = asked.window.starts_at + buffer, asked.window.ends_at
    if ends_at is not None:
        ends_at -= buffer
    return asked.window if ends_at is not None and ends_at <= starts_at else Interval(starts_at, ends_at)
