"""Who may sell which spot: owners, transfers, the cloud's share, and the sum that must always come out.

Theory of operation
===================
Each spot has one owner, edge or cloud, or is in flight. A tier sells its own spots with one local transaction, line up or down. Spots change hands
by transfers, **debit first**: the sender gives them up and records the transfer in one transaction; from then on neither sells them. The receiver
credits a transfer once, by its id, and only in the epoch in which it was sent. Only spots without an unreleased claim (so without
a stay) move. The two directions travel differently:

- cloud → edge: a `Transfer` message, repeated on each session of the epoch until the lot's log tells `transfer_in`;
- edge → cloud: the log's own row `transfer_out`, which is applied exactly once; the edge knows it credited when it is acknowledged, or when one of
  its spots comes back before that (`implied`).

Time never hands a spot back: a sender that has not heard of the credit cannot tell a lost message from a lost answer, and a spot given back
then could be sold twice. What a new epoch leaves in flight is stranded until a recount.

The lot never decides for both: out of its own spots it asks, and the cloud answers with a transfer or with none.

Conservation: |edge| + |cloud| + |in flight| = |spots|, spot by spot. Each tier's record has each of its spots once, and an auditor, who sees both,
adds: no spot is sold by both (`doubly owned`), none by nobody who is not in flight (`lost`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from parking.book import Book
from parking.ids import SpotId
from parking.interval import Interval
from parking.lot import InFlight, Owner, SpotType, Tier
from sync.errors import LocalError
from sync.messages import Transfer, TransferRequest
from sync.part import Moment

REQUEST_ANSWER_S = 1.5
"""Real seconds that a driver at a full lot waits for the cloud's answer before the screen says "full"."""
DEFAULT_SHARE_1E4 = 1_000
FEWEST_FOR_A_SHARE = 10
KEPT_FREE = 1
MOST_AT_ONCE = 100
"""Of spots in one transfer: it travels between the cloud's processes as one notice of at most 8,000 bytes."""


class TransferState(StrEnum):
    """How far a transfer is, on the side that looks."""

    NONE = "none"
    IN_FLIGHT = "in_flight"
    CREDITED = "credited"
    STRANDED = "stranded"


class TransferEvent(StrEnum):
    """What happens to it: at the sender, at the receiver, or to both by a new epoch."""

    GIVEN = "given"
    ARRIVED = "arrived"
    ARRIVED_STALE = "arrived_stale"
    CREDIT_SEEN = "credit_seen"
    SESSION_OPENED = "session_opened"
    EPOCH_ENDED = "epoch_ended"
    RECOUNTED = "recounted"


class TransferAct(StrEnum):
    """What goes with it, in the same commit; a send comes after it."""

    DEBIT = "debit"
    SEND = "send"
    CREDIT = "credit"
    CLOSE = "close"
    REFUSE = "refuse"


_S, _E, _A = TransferState, TransferEvent, TransferAct

SENDER_TABLE: Mapping[tuple[TransferState, TransferEvent], tuple[TransferState, tuple[TransferAct, ...]]] = {
    (_S.NONE, _E.GIVEN): (_S.IN_FLIGHT, (_A.DEBIT, _A.SEND)),
    (_S.IN_FLIGHT, _E.SESSION_OPENED): (_S.IN_FLIGHT, (_A.SEND,)),
    (_S.IN_FLIGHT, _E.CREDIT_SEEN): (_S.CREDITED, (_A.CLOSE,)),
    (_S.IN_FLIGHT, _E.EPOCH_ENDED): (_S.STRANDED, ()),
    (_S.STRANDED, _E.CREDIT_SEEN): (_S.CREDITED, (_A.CLOSE,)),
    (_S.STRANDED, _E.RECOUNTED): (_S.CREDITED, (_A.CLOSE,)),
}

RECEIVER_TABLE: Mapping[
    tuple[TransferState, TransferEvent], tuple[TransferState, tuple[TransferAct, ...]]
] = {
    (_S.NONE, _E.ARRIVED): (_S.CREDITED, (_A.CREDIT,)),
    (_S.NONE, _E.ARRIVED_STALE): (_S.NONE, (_A.REFUSE,)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRow:
    """A transfer as one side has it on record. `to` is the receiver's tier."""

    id: str
    epoch: int
    to: Tier
    type: SpotType
    spots: tuple[SpotId, ...]
    state: TransferState = TransferState.NONE

    @property
    def sender(self) -> Tier:
        """Who gives."""
        return Tier.CLOUD if self.to is Tier.EDGE else Tier.EDGE


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerChange:
    """In the same commit as the row: these spots belong to `owner` from now on (`Book.set_owner`, and the owner column)."""

    spots: tuple[SpotId, ...]
    owner: Owner


def step(
    row: TransferRow, event: TransferEvent, *, side: Tier
) -> tuple[TransferRow, tuple[OwnerChange, ...], bool]:
    """The row as `side` is to write it, the owners that change with it, and whether the transfer is to be sent after the commit.

    A pair that the table lacks is late or repeated news and changes nothing.

    Raises:
        LocalError: a transfer without spots.
    """
    if not row.spots:
        raise LocalError(f"transfer {row.id} moves no spot")
    table = RECEIVER_TABLE if side is row.to else SENDER_TABLE
    state, acts = table.get((row.state, event), (row.state, ()))
    owners: dict[TransferAct, Owner] = {
        _A.DEBIT: InFlight(transfer=row.id),
        _A.CREDIT: row.to,
        _A.CLOSE: row.to,
    }
    changes = tuple(OwnerChange(spots=row.spots, owner=owners[act]) for act in acts if act in owners)
    moved = TransferRow(id=row.id, epoch=row.epoch, to=row.to, type=row.type, spots=row.spots, state=state)
    return moved, changes, _A.SEND in acts


def arrival(
    frame: Transfer, *, epoch: int, known: Mapping[str, TransferRow]
) -> tuple[TransferRow, TransferEvent]:
    """A transfer that arrived at the lot, as a row and as an event: known ones stay what they are, those of another epoch are stale."""
    row = known.get(frame.transfer) or TransferRow(
        id=frame.transfer,
        epoch=frame.epoch,
        to=Tier.EDGE,
        type=SpotType(frame.type),
        spots=tuple(SpotId(spot) for spot in frame.spots),
    )
    return row, TransferEvent.ARRIVED if frame.epoch == epoch else TransferEvent.ARRIVED_STALE


def implied(row: TransferRow, event: TransferEvent, known: Iterable[TransferRow]) -> Sequence[TransferRow]:
    """Transfers of the lot's that the cloud has credited, though it has not said so yet: it gives their spots away in one that just came.

    `CREDIT_SEEN` of each goes before the credit. News of the log and transfers travel beside each other, so this is no rare corner.
    """
    if row.state is not TransferState.NONE or event is not TransferEvent.ARRIVED:
        return []
    given = set(row.spots)
    return [
        sent
        for sent in known
        if sent.to is Tier.CLOUD and sent.state is TransferState.IN_FLIGHT and given & set(sent.spots)
    ]


def message(row: TransferRow, *, request: str = "") -> Transfer:
    """A transfer to the lot as it travels, sent and sent again."""
    return Transfer(
        epoch=row.epoch,
        session=0,
        transfer=row.id,
        request=request,
        type=str(row.type),
        spots=tuple(row.spots),
    )


def none_to_give(request: TransferRequest, *, transfer: str, reason: str) -> Transfer:
    """The answer that gives nothing."""
    return Transfer(
        epoch=request.epoch,
        session=0,
        transfer=transfer,
        request=request.request,
        type=request.type,
        spots=(),
        reason=reason,
    )


# Which spots, and how many


def transferable(book: Book, kind: SpotType, tier: Tier, now: Moment) -> Sequence[SpotId]:
    """The spots of `tier` that may change hands: without a claim that is not over, and as many as its count has left for good.

    The emptiest come last in the book's own order of preference, so that what is sold first stays.
    """
    left = book.sellable(kind, Interval(now.lower_at, None), now=now.lower_at, owner=tier)
    if left < 1:
        return []
    free = [
        spot
        for spot in reversed(book.shelf(kind, tier, now.at).spots)
        if book.is_bare(spot, over_at=now.lower_at)
    ]
    return free[:left]


def to_give(
    book: Book, kind: SpotType, tier: Tier, count: int, now: Moment, *, keep: int = 0
) -> tuple[SpotId, ...]:
    """At most `count` spots of `tier` to put into one transfer; `keep` of those that could go stay."""
    free = transferable(book, kind, tier, now)
    return tuple(free[: max(0, min(count, MOST_AT_ONCE, len(free) - keep))])


def to_share(
    book: Book, kind: SpotType, now: Moment, *, wanted: int, to_cloud: int = 0
) -> tuple[SpotId, ...]:
    """The lot's spots of `kind` to give up now, so that the cloud comes to own `wanted`; `to_cloud` are on their way there.

    The lot keeps `KEPT_FREE` spots that it could give: what it borrowed for its last driver does not go back while it may be asked for again.
    """
    total, cloud_owned = book.total(kind), len(book.shelf(kind, Tier.CLOUD, now.at).spots)
    missing = owed(total, cloud_owned=cloud_owned, to_cloud=to_cloud, to_edge=0, wanted=min(wanted, total))
    if missing < 1:
        return ()
    return to_give(book, kind, Tier.EDGE, missing, now, keep=KEPT_FREE)


def cloud_share(total: int, *, share_1e4: int = DEFAULT_SHARE_1E4, booked_1e4: int | None = None) -> int:
    """How many of `total` spots of a type the cloud is to own, so that a cut line leaves something to sell on the web.

    `share_1e4` in 1/10,000 of the spots; `booked_1e4`, the share that bookings had so far, replaces it once there is a history. At least 1 where the
    type has 10, never more than all.
    """
    share = share_1e4 if booked_1e4 is None else booked_1e4
    least = 1 if total >= FEWEST_FOR_A_SHARE and share_1e4 > 0 else 0
    return min(total, max(least, total * share // 10_000))


def owed(total: int, *, cloud_owned: int, to_cloud: int, to_edge: int, wanted: int) -> int:
    """How many spots should start to move now: positive to the cloud, negative to the lot, what is in flight already counted.

    Raises:
        LocalError: the parts are more than the whole.
    """
    if cloud_owned + to_cloud + to_edge > total:
        raise LocalError(f"{cloud_owned} + {to_cloud} + {to_edge} spots are more than {total}")
    return wanted - cloud_owned - to_cloud


# The sum


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What one tier's record says of each spot. `tier` is whose record it is."""

    tier: Tier
    owners: Mapping[SpotId, Owner]


def half_holds(holdings: Holdings, spots: Iterable[SpotId], transfers: Iterable[TransferRow]) -> list[str]:
    """What is wrong with one tier's own record, in words; checked at every commit that changes owners. Empty: it holds.

    Every spot has an owner; what is in flight is named by an open transfer that this tier sent, or by one that an earlier epoch left
    stranded, and everything in such a one is in flight.
    """
    wrong: list[str] = []
    known = set(spots)
    wrong += [f"spot {spot} has no owner" for spot in sorted(known - set(holdings.owners))]
    wrong += [f"spot {spot} is not of this lot" for spot in sorted(set(holdings.owners) - known)]
    named = {
        spot: row.id
        for row in transfers
        if row.state is TransferState.STRANDED
        or (row.state is TransferState.IN_FLIGHT and row.to is not holdings.tier)
        for spot in row.spots
    }
    for spot, owner in holdings.owners.items():
        in_flight = owner.transfer if isinstance(owner, InFlight) else None
        if in_flight != named.get(spot):
            wrong.append(f"spot {spot} is {owner}, its transfer is {named.get(spot)}")
    return wrong


def audit(edge: Holdings, cloud: Holdings) -> list[str]:
    """What is wrong with the sum of both records, in words; empty: it is conserved.

    Each tier is believed on what it owns itself and what it sent. The receiver of a transfer may have credited it before the sender
    has heard; then the spot is the receiver's.
    """
    wrong: list[str] = []
    for spot in sorted(set(edge.owners) | set(cloud.owners)):
        at_edge, at_cloud = edge.owners.get(spot), cloud.owners.get(spot)
        owns_edge, owns_cloud = at_edge is Tier.EDGE, at_cloud is Tier.CLOUD
        in_flight = isinstance(at_edge, InFlight) or isinstance(at_cloud, InFlight)
        if owns_edge and owns_cloud:
            wrong.append(f"spot {spot} is doubly owned")
        elif not owns_edge and not owns_cloud and not in_flight:
            wrong.append(f"spot {spot} is lost: the edge says {at_edge}, the cloud {at_cloud}")
    return wrong


def rights_stranded(transfers: Iterable[TransferRow], *, epoch: int) -> int:
    """How many spots nobody may sell until a recount: sent in an epoch that is over, and not known to be credited."""
    return sum(
        len(row.spots)
        for row in transfers
        if row.state is TransferState.STRANDED or (row.state is TransferState.IN_FLIGHT and row.epoch < epoch)
    )
