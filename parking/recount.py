"""What a person's count of the cars changes: how many are inside, of each type that was counted, is afterwards what was counted.

Theory. The ledger says who is inside, a person who walks the lot says how many. Where fewer stand there than the ledger has, some left unseen, and
nobody can say which; where more do, some came in unseen. So the surplus is closed as `left`, with its claims, and the missing become anonymous
stays with a claim where one can be had, as a person lets a car in by hand. Who was only admitted is not inside yet and is not looked at; a type
that was not counted is left alone; a promise to somebody who has not come stands, though it may move to another spot as with any sale.

Who is closed first (the rule `_stays_last`): who keeps no place comes before who keeps one, and who gave no sign of life for longest before the
others; a booked car goes last, its driver was promised most. One that was closed and is there after all drives out as one that left before.

Everything here is a plan, made on a copy of the book: commit its `claims` and `stays` together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from parking.admission import Arrival, NewIds, admit_by_hand
from parking.book import Book
from parking.claims import Claim, ClaimKind
from parking.ids import ClaimId, StayId
from parking.lot import Lot, SpotType
from parking.stays import Credential, CredentialKind, Stay, StayEvent, StayState

MOST_PER_PLACE = 2
"""A lot holds at most as many cars over its count as it has places of the type; whoever types more in made a mistake."""


class Miscount(StrEnum):
    """Why a count is not taken."""

    NOTHING = "nothing_counted"
    TYPE_NOT_HERE = "type_not_here"
    NEGATIVE = "negative"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True, kw_only=True)
class MiscountFound:
    """The first thing that is wrong with a count. `most`: what the lot can hold of the type."""

    problem: Miscount
    type: SpotType | None = None
    most: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recounting:
    """The moment of a recount and what new stays begin with. `seen_at` is a stay's last sign of life."""

    now: datetime
    epoch: int
    tariff_version: str
    clock_known: bool
    new_id: Callable[[], str]
    seen_at: Callable[[Stay], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recount:
    """The plan: cars inside by counted type before it, the stays that end and begin, and every claim's last row."""

    before: Mapping[SpotType, int]
    counted: Mapping[SpotType, int]
    closed: tuple[Stay, ...] = ()
    opened: tuple[Stay, ...] = ()
    claims: tuple[Claim, ...] = ()

    @property
    def stays(self) -> tuple[Stay, ...]:
        """Every stay's row that changes."""
        return (*self.closed, *self.opened)


def plan_recount(
    book: Book, lot: Lot, counted: Mapping[SpotType, int], recounting: Recounting
) -> Recount | MiscountFound:
    """What makes the open stays inside as many as the cars that were `counted`, by type. Changes nothing."""
    wrong = _found_wrong(book, counted)
    if wrong is not None:
        return wrong
    plan = _Plan(book=_copy(book, lot), at=recounting)
    before = {kind: inside(book, kind) for kind in SpotType if kind in counted}
    for kind, stays in before.items():
        plan.close(stays, max(0, len(stays) - counted[kind]))
    for kind, stays in before.items():
        plan.open(kind, max(0, counted[kind] - len(stays)))
    return Recount(
        before={kind: len(stays) for kind, stays in before.items()},
        counted={kind: counted[kind] for kind in before},
        closed=tuple(plan.closed),
        opened=tuple(plan.opened),
        claims=tuple(plan.claims.values()),
    )


def inside(book: Book, kind: SpotType) -> list[Stay]:
    """The open stays of one type that drove in."""
    return [stay for stay in book.open_stays() if stay.type is kind and stay.state is StayState.INSIDE]


def most_of(book: Book, kind: SpotType) -> int:
    """How many cars of one type a count may name: twice the lot's places, and never fewer than are on record."""
    return max(MOST_PER_PLACE * book.total(kind), len(inside(book, kind)))


def _found_wrong(book: Book, counted: Mapping[SpotType, int]) -> MiscountFound | None:
    if not counted:
        return MiscountFound(problem=Miscount.NOTHING)
    for kind, cars in counted.items():
        most = most_of(book, kind)
        if not most:
            return MiscountFound(problem=Miscount.TYPE_NOT_HERE, type=kind)
        if cars < 0:
            return MiscountFound(problem=Miscount.NEGATIVE, type=kind, most=most)
        if cars > most:
            return MiscountFound(problem=Miscount.TOO_MANY, type=kind, most=most)
    return None


@dataclass(slots=True, kw_only=True)
class _Plan:
    """A recount under way, on a book of its own."""

    book: Book
    at: Recounting
    closed: list[Stay] = field(default_factory=list)
    opened: list[Stay] = field(default_factory=list)
    claims: dict[ClaimId, Claim] = field(default_factory=dict)

    def close(self, stays: list[Stay], surplus: int) -> None:
        """End as many of these stays."""
        for stay in sorted(stays, key=self._stays_last)[:surplus]:
            self._take_in(self.book.release_of(stay), stay.after(StayEvent.LEFT, self.at.now))
            self.closed.append(stay.after(StayEvent.LEFT, self.at.now))

    def open(self, kind: SpotType, missing: int) -> None:
        """Begin as many stays. Once no claim can be had the others are not tried: they would ask for the same."""
        full = False
        for _ in range(missing):
            stay, claims = self._unseen(kind, claimless=full)
            self._take_in(claims, stay)
            self.opened.append(stay)
            full = stay.over_count

    def _stays_last(self, stay: Stay) -> tuple[bool, bool, datetime, str]:
        """The order of closing; the first goes first."""
        return (self._is_booked(stay), stay.claim is not None, self.at.seen_at(stay), stay.id)

    def _is_booked(self, stay: Stay) -> bool:
        on_booking = any(claim.kind is ClaimKind.BOOKING for claim in self.book.release_of(stay))
        return on_booking or stay.credential.kind is CredentialKind.PASS

    def _unseen(self, kind: SpotType, *, claimless: bool) -> tuple[Stay, tuple[Claim, ...]]:
        """A car that nobody saw come in, with the claims that change for it."""
        at = self.at
        ids = NewIds(stay=StayId(at.new_id()), claim=ClaimId(at.new_id()), epoch=at.epoch)
        credential = Credential(kind=CredentialKind.TICKET, subject=ids.stay)
        stay = Stay(
            id=ids.stay,
            credential=credential,
            type=kind,
            state=StayState.INSIDE,
            lane="",
            admitted_at=at.now,
            entered_at=at.now,
            over_count=True,
            tariff_version=at.tariff_version,
        )
        if claimless:
            return stay, ()
        arrival = Arrival(credential=credential, type=kind)
        decision = admit_by_hand(arrival, self.book, now=at.now, ids=ids, clock_known=at.clock_known)
        if decision.claim is None:
            return stay, ()
        return replace(stay, claim=decision.claim, over_count=False), decision.claims

    def _take_in(self, claims: tuple[Claim, ...], stay: Stay) -> None:
        self.book.apply(claims)
        self.book.note_stay(stay)
        self.claims.update((claim.id, claim) for claim in claims)


def _copy(book: Book, lot: Lot) -> Book:
    return Book.rebuild(
        spots=lot.spots,
        owners={spot.id: book.owner(spot.id) for spot in lot.spots},
        policy=lot.policy,
        claims=book.claims(),
        stays=book.open_stays(),
        zones=lot.zones,
        tier=book.tier,
    )
