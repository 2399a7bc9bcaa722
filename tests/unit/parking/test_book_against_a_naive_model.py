"""The book against a list of claims and a grid of minutes: whatever happens, both tell the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from parking.book import Book, ClaimRequest, Sale
from parking.claims import Claim, ClaimKind, ClaimState
from parking.decision import Reason, Refusal
from parking.extension import due, extend, rehome
from parking.ids import ClaimId, SpotId, StayId, ZoneId
from parking.interval import Interval
from parking.lot import Enforcement, LotPolicy, Spot, SpotType, Tier, Zone, ZoneKind
from parking.stays import Credential, CredentialKind, Stay, StayEvent, StayState

MORNING = datetime(2026, 11, 24, 6, tzinfo=UTC)
TICK = timedelta(minutes=15)
LAST = 4 * 48
"""Ticks looked at: two days."""
POLICY = LotPolicy(
    assumed_stay=timedelta(hours=2),
    extension_step=timedelta(minutes=30),
    turnover_buffer=timedelta(minutes=15),
)
FREE_CHOICE, ASSIGNED = ZoneId("free"), ZoneId("assigned")
ZONES = (
    Zone(id=FREE_CHOICE, level="0"),
    Zone(id=ASSIGNED, level="0", kind=ZoneKind.ASSIGNED, enforced_by=Enforcement.SIGN),
)


def spot(number: str, spot_type: SpotType, zone: ZoneId = FREE_CHOICE) -> Spot:
    return Spot(id=SpotId(number), zone=zone, number=number, type=spot_type)


def at(tick: int) -> datetime:
    return MORNING + tick * TICK


class NaiveModel(RuleBasedStateMachine):
    """Rules are what happens in a lot; the model is `claims` (every row as it should be) and `stays`."""

    @initialize(
        regular=st.integers(1, 4),
        assigned=st.integers(0, 1),
        cloud=st.integers(0, 1),
        spare=st.integers(0, 1),
    )
    def a_lot(self, regular: int, assigned: int, cloud: int, spare: int) -> None:
        self.spots = [spot(f"r{n}", SpotType.REGULAR) for n in range(regular)]
        self.spots += [spot(f"a{n}", SpotType.REGULAR, ASSIGNED) for n in range(assigned)]
        self.spots += [spot("c0", SpotType.COMPACT), spot("c1", SpotType.COMPACT)]
        self.owners: dict[SpotId, Tier] = {s.id: Tier.EDGE for s in self.spots}
        if cloud:
            self.owners[SpotId("r0")] = Tier.CLOUD
        self.policy = replace(POLICY, spare_spots={SpotType.REGULAR: spare})
        self.book = Book(spots=self.spots, owners=self.owners, policy=self.policy, zones=ZONES)
        self.now, self.count = MORNING, 0
        self.claims: dict[ClaimId, Claim] = {}
        self.stays: dict[StayId, Stay] = {}

    # The naive model

    def live(self, spot_type: SpotType, owner: Tier) -> list[Claim]:
        return [
            claim
            for claim in self.claims.values()
            if claim.state is not ClaimState.RELEASED
            and claim.spot is not None
            and self.type_of(claim.spot) is spot_type
            and self.owners[claim.spot] is owner
        ]

    def type_of(self, number: SpotId) -> SpotType:
        return next(s.type for s in self.spots if s.id == number)

    def shelf(self, spot_type: SpotType, owner: Tier) -> list[SpotId]:
        return [s.id for s in self.spots if s.type is spot_type and self.owners[s.id] is owner]

    def count_left(self, spot_type: SpotType, window: Interval, owner: Tier) -> int:
        spots = len(self.shelf(spot_type, owner))
        taken = 0
        if owner is Tier.EDGE:
            taken = self.policy.spare_spots.get(spot_type, 0)
            taken += sum(s.claim is None and s.type is spot_type for s in self.stays.values() if s.is_open)
        claims = self.live(spot_type, owner)
        deepest = max(
            sum(claim.window.contains(at(tick)) for claim in claims)
            for tick in range(LAST)
            if window.contains(at(tick))
        )
        return min(spots, max(0, spots - taken - deepest))

    def guarded(self, window: Interval) -> Interval:
        buffer = self.policy.turnover_buffer
        starts_at = (
            max(window.starts_at - buffer, self.now) if window.starts_at > self.now else window.starts_at
        )
        return Interval(starts_at, None if window.ends_at is None else window.ends_at + buffer)

    def is_free(self, number: SpotId, window: Interval) -> bool:
        return not any(
            claim.window.overlaps(window)
            for claim in self.claims.values()
            if claim.spot == number and claim.binds
        )

    def pinned(self, claim: Claim) -> bool:
        return (
            claim.state is ClaimState.HELD
            or claim.kind is ClaimKind.BLOCK
            or claim.id in {stay.claim for stay in self.stays.values() if stay.is_open}
            or (claim.spot or "").startswith("a")
        )

    def take(self, changed: tuple[Claim, ...], *, moving: frozenset[ClaimId] = frozenset()) -> None:
        """Apply a plan to both; but for the named claims, only spots change, and only of what may move."""
        for claim in changed:
            known = self.claims.get(claim.id)
            if known is not None and claim.id not in moving:
                assert claim == replace(known, spot=claim.spot, version=known.version + 1)
                assert not self.pinned(known)
        self.book.apply(changed)
        self.claims.update((claim.id, claim) for claim in changed)

    # What happens

    def ask(self, spot_type: SpotType, window: Interval, kind: ClaimKind, state: ClaimState) -> ClaimRequest:
        self.count += 1
        return ClaimRequest(
            id=ClaimId(f"claim{self.count}"),
            type=spot_type,
            window=window,
            kind=kind,
            holder_kind="somebody",
            holder_id=str(self.count),
            epoch=1,
            state=state,
        )

    def sell(self, asked: ClaimRequest, owner: Tier = Tier.EDGE) -> Sale | Refusal:
        left = self.count_left(asked.type, self.guarded(asked.window), owner)
        assert self.book.sellable(asked.type, asked.window, now=self.now, owner=owner) == left
        answer = self.book.sell(asked, now=self.now, owner=owner)
        if isinstance(answer, Refusal):
            if left < 1:
                assert answer.reason is Reason.FULL
                return answer
            assert answer.reason is Reason.WOULD_NOT_PACK
            assert not any(self.is_free(s, self.guarded(asked.window)) for s in self.shelf(asked.type, owner))
            ahead = [c for c in self.live(asked.type, owner) if c.window.starts_at > self.now]
            assert any(self.pinned(claim) for claim in ahead), "only a pin that lies ahead stops packing"
            return answer
        assert left >= 1
        assert answer.claim.spot in self.shelf(asked.type, owner)
        self.take(answer.claims)
        return answer

    @rule(
        starts=st.integers(0, 60),
        length=st.integers(1, 20),
        kind=st.sampled_from([ClaimKind.BOOKING] * 4 + [ClaimKind.BLOCK]),
        state=st.sampled_from([ClaimState.FIRM] * 4 + [ClaimState.HELD]),
        spot_type=st.sampled_from([SpotType.REGULAR] * 3 + [SpotType.COMPACT]),
        owner=st.sampled_from([Tier.EDGE] * 3 + [Tier.CLOUD]),
    )
    def somebody_books(
        self,
        *,
        starts: int,
        length: int,
        kind: ClaimKind,
        state: ClaimState,
        spot_type: SpotType,
        owner: Tier,
    ) -> None:
        window = Interval(self.now + starts * TICK, self.now + (starts + length) * TICK)
        self.sell(self.ask(spot_type, window, kind, state), owner)

    @rule(by_hand=st.booleans(), endless=st.sampled_from([False] * 5 + [True]))
    def somebody_drives_in(self, by_hand: bool, endless: bool) -> None:
        window = Interval(self.now, None if endless else self.now + self.policy.assumed_stay)
        answer = self.sell(self.ask(SpotType.REGULAR, window, ClaimKind.WALK_IN, ClaimState.FIRM))
        if isinstance(answer, Sale):
            self.admit(answer.claim.id)
        elif by_hand:
            self.admit(None)

    def admit(self, claim: ClaimId | None) -> None:
        self.count += 1
        stay = Stay(
            id=StayId(f"stay{self.count}"),
            credential=Credential(kind=CredentialKind.TICKET, subject=str(self.count)),
            type=SpotType.REGULAR,
            state=StayState.INSIDE,
            lane="in",
            admitted_at=self.now,
            claim=claim,
            over_count=claim is None,
            tariff_version="1",
        )
        self.note(stay)

    def note(self, stay: Stay) -> None:
        self.stays[stay.id] = stay
        self.book.note_stay(stay)

    def inside(self) -> list[Stay]:
        return [stay for stay in self.stays.values() if stay.is_open]

    @precondition(lambda self: self.inside())
    @rule(data=st.data())
    def somebody_leaves(self, data: st.DataObject) -> None:
        stay = data.draw(st.sampled_from(self.inside()))
        self.note(stay.after(StayEvent.LEFT, self.now))
        if stay.claim is not None and self.claims[stay.claim].state is not ClaimState.RELEASED:
            self.take((self.book.release(stay.claim),), moving=frozenset({stay.claim}))

    @precondition(lambda self: any(c.state is ClaimState.HELD for c in self.claims.values()))
    @rule(data=st.data(), commit=st.booleans())
    def a_decision_comes(self, data: st.DataObject, commit: bool) -> None:
        held = [claim.id for claim in self.claims.values() if claim.state is ClaimState.HELD]
        claim = data.draw(st.sampled_from(held))
        row = self.book.confirm(claim) if commit else self.book.release(claim)
        self.take((row,), moving=frozenset({claim}))

    @precondition(lambda self: any(c.spot is not None and c.binds for c in self.claims.values()))
    @rule(data=st.data())
    def a_claim_is_rehomed(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from([c for c in self.claims.values() if c.binds]))
        plan = rehome(self.book, claim, now=self.now)
        if plan is not None:
            assert {row.id: row.spot for row in plan}[claim.id] != claim.spot
            self.take(plan)

    @rule(ticks=st.integers(1, 8))
    def time_passes(self, ticks: int) -> None:
        for _ in range(ticks):
            self.now += TICK
            self.stays_go_on()

    def stays_go_on(self) -> None:
        for stay in due(self.book, self.now):
            self.count += 1
            longer = extend(self.book, stay, now=self.now, new_claim=ClaimId(f"claim{self.count}"), epoch=1)
            if longer is None:
                continue
            own = frozenset({claim for claim in (stay.claim, longer.stay.claim) if claim is not None})
            self.take(longer.claims, moving=own)
            self.note(longer.stay)
            soon = Interval(self.now, self.now + 2 * self.policy.extension_step)
            for claim in longer.at_risk:
                assert claim.spot is not None
                assert self.claims[claim.id] == claim, "what is at risk stays where it is"
            if longer.stay.over_count:
                edge = self.shelf(SpotType.REGULAR, Tier.EDGE)
                assert not any(self.is_free(s, self.guarded(soon)) for s in edge)

    # What must hold

    @invariant()
    def no_two_claims_of_a_spot_overlap(self) -> None:
        for s in self.spots:
            claims = [c for c in self.claims.values() if c.spot == s.id and c.binds]
            for n, one in enumerate(claims):
                assert not any(one.window.overlaps(other.window) for other in claims[n + 1 :])
            assert sorted(c.id for c in self.book.claims_on(s.id)) == sorted(c.id for c in claims)

    @invariant()
    def every_claim_of_a_stay_ends_at_least_a_step_away(self) -> None:
        for stay in self.inside():
            if (
                stay.claim is not None
                and self.owners[self.claims[stay.claim].spot or SpotId("")] is Tier.EDGE
            ):
                ends_at = self.claims[stay.claim].window.ends_at
                assert ends_at is None or ends_at - self.now >= self.policy.extension_step

    @invariant()
    def the_sign_shows_what_brute_force_counts_and_says_how_long(self) -> None:
        ahead = self.policy.assumed_stay + self.policy.turnover_buffer
        for spot_type in (SpotType.REGULAR, SpotType.COMPACT):
            shown = self.book.sellable_now(spot_type, self.now)
            assert 0 <= shown.count <= shown.total
            tick = self.now
            while tick < (shown.holds_until or self.now + 8 * TICK):
                window = Interval(tick, tick + ahead)
                assert shown.count == self.count_left(spot_type, window, Tier.EDGE)
                tick += TICK

    @invariant()
    def a_book_rebuilt_from_its_rows_is_the_same_book(self) -> None:
        rebuilt = Book.rebuild(
            spots=self.spots,
            owners=self.owners,
            policy=self.policy,
            zones=ZONES,
            claims=self.claims.values(),
            stays=self.stays.values(),
        )
        for spot_type in (SpotType.REGULAR, SpotType.COMPACT):
            shown = self.book.sellable_now(spot_type, self.now)
            assert rebuilt.sellable_now(spot_type, self.now) == shown


NaiveModel.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestTheBookAgainstANaiveModel = NaiveModel.TestCase
