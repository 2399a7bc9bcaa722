"""The book of one lot: its spots, who owns them, what is promised of them and who is inside without a promise.

Theory. The book *plans* and *applies*, apart. `sell`, `extend`, `rehome`, `release` … read only: they answer with the claims that would
change. `apply` takes such claims in, all or none, at once in memory; the writer then commits the same rows in the same order. So memory
reserves first, and what two lanes are told in the same instant never contradicts.

What may not move is *pinned*: a claim held between its vote and its decision, the claim of an open stay, a block or a burn of a spot,
and everything in a zone whose spots are assigned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from parking.claims import Claim, ClaimKind, ClaimState
from parking.conflicts import SpotTimeline, end_of
from parking.decision import Reason, Refusal
from parking.errors import ClaimsOverlap, NoSuchClaim, NoSuchSpot, SpotIsPromised
from parking.ids import ClaimId, SpotId, StayId, ZoneId
from parking.interval import Interval, guarded
from parking.lot import InFlight, LotPolicy, Owner, Spot, SpotType, Tier, Zone, ZoneKind
from parking.packing import Packing, Shelf
from parking.sellable import SellableNow, Tally, sellable, sellable_now
from parking.stays import Stay


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """What somebody would like to be promised. The id is handed in; the book chooses the spot."""

    id: ClaimId
    type: SpotType
    window: Interval
    kind: ClaimKind
    holder_kind: str
    holder_id: str
    epoch: int
    state: ClaimState = ClaimState.FIRM
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """The promise made and the promises that move for it: to be applied and committed together."""

    claim: Claim
    moved: tuple[Claim, ...] = ()

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Every row that changes."""
        return (*self.moved, self.claim)


class Book:
    """One lot's claims in memory, as one tier sells from it."""

    def __init__(
        self,
        *,
        spots: Iterable[Spot],
        owners: Mapping[SpotId, Owner],
        policy: LotPolicy,
        zones: Iterable[Zone] = (),
        tier: Tier = Tier.EDGE,
    ) -> None:
        """An empty book. A spot without an entry in `owners` belongs to the edge."""
        self.policy = policy
        self.tier = tier
        self._assigned: frozenset[ZoneId] = frozenset(z.id for z in zones if z.kind is ZoneKind.ASSIGNED)
        self._spots: dict[SpotId, Spot] = {spot.id: spot for spot in spots}
        self._owners: dict[SpotId, Owner] = {spot: owners.get(spot, Tier.EDGE) for spot in self._spots}
        self._lines: dict[SpotId, SpotTimeline] = {spot: SpotTimeline() for spot in self._spots}
        self._shelves: dict[tuple[SpotType, Owner], list[SpotId]] = {}
        self._tallies: dict[tuple[SpotType, Owner], Tally] = {}
        self._totals: dict[SpotType, int] = {}
        for spot in self._spots.values():
            self._totals[spot.type] = self._totals.get(spot.type, 0) + 1
            self._shelve(spot)
        self._claims: dict[ClaimId, Claim] = {}
        self._beside: dict[SpotId, set[ClaimId]] = {}
        self._stays: dict[StayId, Stay] = {}
        self._claimless: dict[SpotType, set[StayId]] = {}
        self._stay_of: dict[ClaimId, StayId] = {}
        self._of_reservation: dict[str, dict[ClaimId, None]] = {}
        self.freed = 0
        """Counts the times at which something gave way: whoever found no place tries again only then, or as time passes."""

    @classmethod
    def rebuild(
        cls,
        *,
        spots: Iterable[Spot],
        owners: Mapping[SpotId, Owner],
        policy: LotPolicy,
        claims: Iterable[Claim],
        stays: Iterable[Stay],
        zones: Iterable[Zone] = (),
        tier: Tier = Tier.EDGE,
    ) -> Book:
        """The book as the store's rows have it.

        Raises:
            ClaimsOverlap: two binding claims of the store overlap, which its constraint forbids.
        """
        book = cls(spots=spots, owners=owners, policy=policy, zones=zones, tier=tier)
        book.apply(claims)
        for stay in stays:
            book.note_stay(stay)
        return book

    # What is so

    def claim(self, claim: ClaimId) -> Claim:
        """The claim as last applied, a released one too until it is forgotten.

        Raises:
            NoSuchClaim: never seen, or forgotten.
        """
        found = self._claims.get(claim)
        if found is None:
            raise NoSuchClaim(claim)
        return found

    def claims(self) -> Sequence[Claim]:
        """All claims that are not released."""
        return [claim for claim in self._claims.values() if claim.state is not ClaimState.RELEASED]

    def claims_of_reservation(self, reservation: str) -> Sequence[Claim]:
        """What stands of a reservation in the order of time: each revision that added to its window has a claim of its own."""
        known = (self._claims[claim] for claim in self._of_reservation.get(reservation, ()))
        standing = [claim for claim in known if claim.state is not ClaimState.RELEASED]
        return sorted(standing, key=lambda claim: (claim.window.starts_at, claim.id))

    def goes_on_with(self, claim: Claim) -> Sequence[Claim]:
        """The firm claims with which the booking of `claim` goes on where it ends, in the order of time; empty for what is no booking."""
        if claim.kind is not ClaimKind.BOOKING or claim.holder_kind != "reservation":
            return ()
        following: list[Claim] = []
        for other in self.claims_of_reservation(claim.holder_id):
            ends_at = (following or [claim])[-1].window.ends_at
            if other.state is not ClaimState.FIRM or ends_at is None or other.window.starts_at > ends_at:
                continue
            if other.id != claim.id and end_of(other.window) > ends_at:
                following.append(other)
        return following

    def claims_on(self, spot: SpotId, window: Interval | None = None) -> Sequence[Claim]:
        """The binding claims of one spot in the order of time, those that overlap `window` where one is given.

        Raises:
            NoSuchSpot: not of this lot.
        """
        line = self._line(spot)
        return list(line) if window is None else line.overlapping(window)

    def types(self) -> Sequence[SpotType]:
        """The types of spot this lot has."""
        return list(self._totals)

    def total(self, spot_type: SpotType) -> int:
        """How many spots of `spot_type` there are, whoever owns them."""
        return self._totals.get(spot_type, 0)

    def owner(self, spot: SpotId) -> Owner:
        """Who may sell `spot`.

        Raises:
            NoSuchSpot: not of this lot.
        """
        self._line(spot)
        return self._owners[spot]

    def open_stays(self) -> Sequence[Stay]:
        """Everybody who is inside or about to be."""
        return list(self._stays.values())

    def owned(self, spot_type: SpotType) -> int:
        """How many spots of `spot_type` are this tier's."""
        return self._tallies.get((spot_type, self.tier), Tally()).spots

    def spot_of(self, claim: ClaimId) -> SpotId | None:
        """Where a claim stands; None where it stands nowhere or is unknown."""
        known = self._claims.get(claim)
        return None if known is None else known.spot

    def type_of(self, spot: SpotId) -> SpotType:
        """What `spot` is made for."""
        return self._spots[spot].type

    def claimless(self, spot_type: SpotType) -> int:
        """How many open stays have no claim."""
        return len(self._claimless.get(spot_type, ()))

    def running(self, spot_type: SpotType, at: datetime) -> int:
        """How many claims on this tier's spots of `spot_type` run at one instant."""
        return self._tallies.get((spot_type, self.tier), Tally()).running(at)

    def has_stay(self, claim: ClaimId) -> bool:
        """Whether somebody is inside, or about to be, on this claim."""
        return claim in self._stay_of

    def is_pinned(self, claim: Claim) -> bool:
        """Whether `claim` may not be moved to another spot."""
        return (
            claim.state is ClaimState.HELD
            or claim.kind in {ClaimKind.BLOCK, ClaimKind.BURN}
            or claim.id in self._stay_of
            or (claim.spot is not None and self._spots[claim.spot].zone in self._assigned)
        )

    # What may be sold

    def sellable(
        self, spot_type: SpotType, window: Interval, *, now: datetime, owner: Tier | None = None
    ) -> int:
        """How many places of `spot_type` the owner (this tier, unless told) may still sell for `window`."""
        return self._left(spot_type, owner or self.tier, guarded(window, self.policy.turnover_buffer, now))

    def left(self, spot_type: SpotType, window: Interval) -> int:
        """The same for a window without turnover time around it."""
        return self._left(spot_type, self.tier, window)

    def sellable_now(self, spot_type: SpotType, now: datetime, *, owner: Tier | None = None) -> SellableNow:
        """What a sign shows: places for a car that comes at `now`, and until when that holds."""
        seller = owner or self.tier
        tally = self._tallies.get((spot_type, seller), Tally())
        return sellable_now(tally, now, taken=self._taken(spot_type, seller), policy=self.policy)

    def sellable_for_ever(
        self, spot_type: SpotType, now: datetime, *, owner: Tier | None = None
    ) -> SellableNow:
        """The same for a car whose claim has no end, since nobody knows the time."""
        count = self.sellable(spot_type, Interval(now, None), now=now, owner=owner)
        total = self._tallies.get((spot_type, owner or self.tier), Tally()).spots
        return SellableNow(count=count, total=total, holds_until=None)

    def sell(
        self, asked: ClaimRequest, *, now: datetime, owner: Tier | None = None, beyond_count: bool = False
    ) -> Sale | Refusal:
        """Plan a promise on a spot of the owner (this tier, unless told). Changes nothing: apply the sale's `claims`.

        `beyond_count` is for a car that is inside already: `spare_spots`, claimless stays and, in the end, turnover time do not count.
        Refused with TYPE_NOT_HERE, FULL or WOULD_NOT_PACK.
        """
        seller = owner or self.tier
        if not self.total(asked.type):
            return Refusal(reason=Reason.TYPE_NOT_HERE)
        if not beyond_count and self.sellable(asked.type, asked.window, now=now, owner=seller) < 1:
            return Refusal(reason=Reason.FULL)
        packing = self._pack(asked, seller, now, close=beyond_count)
        if packing is None:
            return Refusal(reason=Reason.WOULD_NOT_PACK)
        claim = Claim(
            id=asked.id,
            spot=packing.spot,
            type=asked.type,
            window=asked.window,
            kind=asked.kind,
            holder_kind=asked.holder_kind,
            holder_id=asked.holder_id,
            state=asked.state,
            sold_by=self.tier,
            epoch=asked.epoch,
            revision=asked.revision,
        )
        return Sale(claim=claim, moved=tuple(moving.on_spot(spot) for moving, spot in packing.moves))

    def release(self, claim: ClaimId) -> Claim:
        """Plan the end of a promise: the released row. Apply it.

        Raises:
            NoSuchClaim: unknown.
            ValueError: released already.
        """
        return self.claim(claim).moved_to(ClaimState.RELEASED)

    def release_of(self, stay: Stay) -> tuple[Claim, ...]:
        """Plan the end of the promise of a stay that is over: its claim's released row and those of what its booking had added, none where
        it has no claim to end.
        """
        claim = None if stay.claim is None else self._claims.get(stay.claim)
        if claim is None or claim.state is ClaimState.RELEASED:
            return ()
        return tuple(each.moved_to(ClaimState.RELEASED) for each in (claim, *self.goes_on_with(claim)))

    def release_of_void(self, stay: Stay) -> tuple[Claim, ...]:
        """Plan the same for a stay that never came: a booking stands, its driver may come yet."""
        return tuple(claim for claim in self.release_of(stay) if claim.kind is not ClaimKind.BOOKING)

    def confirm(self, claim: ClaimId) -> Claim:
        """Plan held → firm, by a decision or a pass: the firm row. Apply it.

        Raises:
            NoSuchClaim: unknown.
            ValueError: it is not held.
        """
        return self.claim(claim).moved_to(ClaimState.FIRM)

    # What changes the book

    def apply(self, claims: Iterable[Claim]) -> Sequence[Claim]:
        """Take changed claims in, all or none: first all are taken off their spots, then all put on.

        A row whose version is not higher than the known one is skipped. Answers with the rows that took effect.

        Raises:
            NoSuchSpot: a claim names a spot that the lot does not have; nothing changed.
            ClaimsOverlap: two claims of one spot would overlap; nothing changed.
        """
        newer = self._newer(claims)
        before = [known for claim in newer if (known := self._claims.get(claim.id)) is not None]
        for claim in before:
            self._take_off(claim)
        done: list[Claim] = []
        try:
            for claim in newer:
                self._put_on(claim)
                done.append(claim)
        except ClaimsOverlap:
            for claim in done:
                self._take_off(claim)
            for claim in before:
                self._put_on(claim)
            raise
        if any(_gives_way(known, claim) for claim in newer if (known := self._claims.get(claim.id))):
            self.freed += 1
        for claim in newer:
            self._claims[claim.id] = claim
            if claim.holder_kind == "reservation":
                self._of_reservation.setdefault(claim.holder_id, {})[claim.id] = None
        return newer

    def note_stay(self, stay: Stay) -> None:
        """Take a stay in as it is now: an open one pins its claim, or counts without one; a closed one does neither.

        The claim of a stay that closed is another row: release it.
        """
        known = self._stays.pop(stay.id, None)
        if known is not None:
            self._claimless.get(known.type, set()).discard(stay.id)
            if known.claim is not None:
                self._stay_of.pop(known.claim, None)
        if not stay.is_open:
            return
        self._stays[stay.id] = stay
        if stay.claim is None:
            self._claimless.setdefault(stay.type, set()).add(stay.id)
        else:
            self._stay_of[stay.claim] = stay.id

    def is_bare(self, spot: SpotId, *, over_at: datetime | None = None) -> bool:
        """Whether nothing is promised of `spot`. What ended by `over_at`, with nobody inside on it, is no promise any more.

        Raises:
            NoSuchSpot: not of this lot.
        """
        self._line(spot)
        return not any(self._binds_beyond(claim, over_at) for claim in self._standing_on(spot))

    def set_owner(self, spot: SpotId, owner: Owner, *, over_at: datetime | None = None) -> None:
        """A spot changes hands (a transfer). Only a bare one leaves ours; whatever else stands on a spot goes with it.

        Raises:
            NoSuchSpot: not of this lot.
            SpotIsPromised: it is ours and carries a claim, see `is_bare`.
        """
        self._line(spot)
        standing = self._standing_on(spot)
        if self._owners[spot] is self.tier and owner is not self.tier:
            for claim in standing:
                if self._binds_beyond(claim, over_at):
                    raise SpotIsPromised(spot, claim.id)
        for claim in standing:
            self._take_off(claim)
        painted = self._spots[spot]
        key = (painted.type, self._owners[spot])
        self._shelves[key].remove(spot)
        self._tallies[key].spots -= 1
        if isinstance(key[1], InFlight) and not self._shelves[key]:
            del self._shelves[key], self._tallies[key]
        self._owners[spot] = owner
        self._shelve(painted)
        for claim in standing:
            self._put_on(claim)
        self.freed += 1

    def forget_before(self, instant: datetime) -> int:
        """Drop released claims, and claims of nobody inside, whose window ended before `instant`. Answers how many."""
        old = [
            claim
            for claim in self._claims.values()
            if claim.window.ends_at is not None
            and claim.window.ends_at < instant
            and claim.id not in self._stay_of
        ]
        for claim in old:
            self._take_off(claim)
            del self._claims[claim.id]
            if claim.holder_kind == "reservation":
                self._forget_of_reservation(claim)
        return len(old)

    # How it is kept

    def _forget_of_reservation(self, claim: Claim) -> None:
        mine = self._of_reservation.get(claim.holder_id, {})
        mine.pop(claim.id, None)
        if not mine:
            self._of_reservation.pop(claim.holder_id, None)

    def _pack(self, asked: ClaimRequest, owner: Owner, now: datetime, *, close: bool) -> Packing | None:
        shelf = self.shelf(asked.type, owner, now)
        spot = shelf.best_fit(shelf.guard(asked.window))
        return shelf.re_pack(asked.window, close=close) if spot is None else Packing(spot=spot)

    def shelf(self, spot_type: SpotType, owner: Owner, now: datetime) -> Shelf:
        """The owner's spots of one type as the packer sees them."""
        return Shelf(
            spots=self._shelves.get((spot_type, owner), []),
            lines=self._lines,
            may_move=lambda claim: not self.is_pinned(claim),
            buffer=self.policy.turnover_buffer,
            now=now,
        )

    def _shelve(self, spot: Spot) -> None:
        key = (spot.type, self._owners[spot.id])
        self._shelves.setdefault(key, []).append(spot.id)
        self._tallies.setdefault(key, Tally()).spots += 1

    def _left(self, spot_type: SpotType, owner: Tier, window: Interval) -> int:
        tally = self._tallies.get((spot_type, owner), Tally())
        return sellable(tally, window, taken=self._taken(spot_type, owner))

    def _taken(self, spot_type: SpotType, owner: Owner) -> int:
        """Spare spots and claimless stays: the edge's affair."""
        if owner is not Tier.EDGE:
            return 0
        return self.policy.spare_spots.get(spot_type, 0) + len(self._claimless.get(spot_type, ()))

    def _standing_on(self, spot: SpotId) -> list[Claim]:
        """Every claim of a spot that is not released, a clashing one too."""
        return [*self._lines[spot], *(self._claims[claim] for claim in self._beside.get(spot, ()))]

    def _binds_beyond(self, claim: Claim, over_at: datetime | None) -> bool:
        ends_at = claim.window.ends_at
        return over_at is None or ends_at is None or ends_at > over_at or self.has_stay(claim.id)

    def _line(self, spot: SpotId) -> SpotTimeline:
        line = self._lines.get(spot)
        if line is None:
            raise NoSuchSpot(spot)
        return line

    def _newer(self, claims: Iterable[Claim]) -> list[Claim]:
        """The last of each claim's rows whose version is higher than the known one."""
        newest: dict[ClaimId, Claim] = {}
        for claim in claims:
            known = newest.get(claim.id) or self._claims.get(claim.id)
            if known is None or claim.version > known.version:
                newest[claim.id] = claim
                if claim.spot is not None:
                    self._line(claim.spot)
        return list(newest.values())

    def _tally_of(self, claim: Claim) -> Tally:
        """Where a claim counts: with its spot; one without a place, with the edge's spots of its type."""
        if claim.spot is None:
            return self._tallies.setdefault((claim.type, Tier.EDGE), Tally())
        return self._tallies[(self._spots[claim.spot].type, self._owners[claim.spot])]

    def _put_on(self, claim: Claim) -> None:
        if claim.state is ClaimState.RELEASED:
            return
        if claim.binds and claim.spot is not None:
            self._lines[claim.spot].insert(claim)
        elif claim.spot is not None:
            self._beside.setdefault(claim.spot, set()).add(claim.id)
        self._tally_of(claim).add(claim.window)

    def _take_off(self, claim: Claim) -> None:
        if claim.state is ClaimState.RELEASED:
            return
        if claim.binds and claim.spot is not None:
            self._lines[claim.spot].remove(claim)
        elif claim.spot is not None:
            self._beside[claim.spot].discard(claim.id)
        self._tally_of(claim).discard(claim.window)


def _gives_way(known: Claim, claim: Claim) -> bool:
    """Whether a claim leaves something free, or may be moved now, that was not so before."""
    if known.state is ClaimState.RELEASED:
        return False
    goes_on = claim.spot == known.spot and claim.state is known.state and claim.kind is known.kind
    return not (goes_on and claim.window.covers(known.window))
