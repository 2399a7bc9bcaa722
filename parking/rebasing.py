"""What was written down while nobody knew the time, put right once it is known.

Theory. In the dark instants were written by a straight line, the estimate. When the time becomes known the line is off by a constant, and all that
was written since the dark began moves by it. Time that passed while the machine was off is not in it, so a stay that began before another
boot in the dark seems to have begun later than it did: in the driver's favour. Claims began where promises stood still, and had no end: each
now begins with its stay and gets an end, at least one step ahead. It only becomes shorter, so it meets no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from parking.book import Book
from parking.claims import Claim, ClaimKind
from parking.interval import Interval
from parking.stays import CredentialKind, Stay
from parking.trusted_time import TrustedTime

SOLD_AT_THE_LANE = frozenset({ClaimKind.WALK_IN, ClaimKind.PERMIT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebased:
    """The rows that change: commit them together."""

    claims: tuple[Claim, ...] = ()
    stays: tuple[Stay, ...] = ()


def rebased(book: Book, before: TrustedTime, after: TrustedTime, *, voided: Sequence[Stay] = ()) -> Rebased:
    """What moves when the time, unknown as in `before`, is known as in `after`, both of the same instant.

    `voided`: those whose car nobody saw drive in. It may have, and pays when it leaves.
    """
    if before.unknown_since_at is None or not after.known:
        return Rebased()
    stays = _stays([*book.open_stays(), *voided], before.unknown_since_at, before, after)
    return Rebased(claims=tuple(_claims(book, stays, after)), stays=tuple(stays))


def _claims(book: Book, stays: Sequence[Stay], after: TrustedTime) -> Sequence[Claim]:
    begun = {stay.claim: min(stay.admitted_at, after.lower_at) for stay in stays}
    found = []
    for claim in book.claims():
        if claim.window.ends_at is not None or claim.kind not in SOLD_AT_THE_LANE:
            continue
        starts_at = max(claim.window.starts_at, begun.get(claim.id, after.lower_at))
        ends_at = max(starts_at + book.policy.assumed_stay, after.lower_at + 2 * book.policy.extension_step)
        found.append(claim.with_window(Interval(starts_at, ends_at)))
    return found


def _stays(
    stays: Sequence[Stay], since_at: datetime, before: TrustedTime, after: TrustedTime
) -> Sequence[Stay]:
    moves = after.estimate_at - before.estimate_at

    def put_right(at: datetime | None) -> datetime | None:
        return at if at is None or at <= since_at else at + moves

    found = []
    for stay in stays:
        # What a booking covers ends when the booking does, whatever the lot's clock said.
        booked = stay.credential.kind is CredentialKind.PASS
        moved = replace(
            stay,
            admitted_at=put_right(stay.admitted_at) or stay.admitted_at,
            entered_at=put_right(stay.entered_at),
            paid_until=stay.paid_until if booked else put_right(stay.paid_until),
        )
        if moved != stay:
            found.append(replace(moved, version=stay.version + 1))
    return found
