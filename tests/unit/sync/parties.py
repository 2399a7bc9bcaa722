"""A centre, a lot and a payment provider in one process, with everything between them that can go wrong.

The centre's database and the lot's card are dictionaries that survive a crash; what is on its way to the card, what was to be sent
after a commit, and the network are not. A world is driven step by step by numbers that the test draws: each number chooses what happens next.
After every step the invariants of sync.md are looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, count
from random import Random

from parking.book import Book, ClaimRequest, Sale
from parking.claims import Claim, ClaimKind, ClaimState
from parking.ids import ClaimId, LaneId, SpotId, StayId, ZoneId
from parking.interval import Interval
from parking.lot import LotPolicy, Owner, Spot, SpotType, Tier, Zone
from parking.stays import Credential, CredentialKind, Stay, StayState
from sync import payment
from sync.booking import Ballot, CoordinatorState, LogHead, Transaction
from sync.codec import decode, encode
from sync.coordinator import step, superseded_by_next
from sync.coordinator_news import (
    AcknowledgedBy,
    Alarm,
    Begin,
    CancelPayment,
    Capture,
    CoordinatorEffect,
    Draft,
    FallBack,
    FirmClaims,
    HoldClaims,
    Inquired,
    LinkOpened,
    LogApplied,
    MetByFact,
    News,
    NothingOwn,
    PassReported,
    PaymentLost,
    RecordReceivable,
    ReleaseClaims,
    SendAnswer,
    SendPrepare,
    TakeOver,
    Tell,
    Tick,
    VoteArrived,
)
from sync.messages import Answer, Decision, DecisionAck, Frame, Inquiry, Prepare, Vote
from sync.part import LotStanding, Moment, Part, ParticipantState
from sync.participant_news import (
    Cancelled,
    Commit,
    Decided,
    Honour,
    LinkIsOpen,
    OperatorDecides,
    ParticipantEffect,
    ParticipantNews,
    PassShown,
    PrepareArrived,
    Say,
    TimePassed,
)
from sync.participants import Participants
from sync.payment import PaymentAct, PaymentNews, PaymentStanding
from sync.rows import claim_from_row
from sync.transaction import Outcome, TransactionId

START_AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
LOT = "lot"
EDGE_SPOTS = tuple(SpotId(f"e{n}") for n in range(3))
CLOUD_SPOTS = (SpotId("c0"),)
REGULAR = SpotType.REGULAR
ALL_SPOTS = tuple(Spot(id=s, zone=ZoneId("z"), number=s, type=REGULAR) for s in (*EDGE_SPOTS, *CLOUD_SPOTS))
OWNERS: dict[SpotId, Owner] = {
    **dict.fromkeys(EDGE_SPOTS, Tier.EDGE),
    **dict.fromkeys(CLOUD_SPOTS, Tier.CLOUD),
}
POLICY = LotPolicy(turnover_buffer=timedelta(0))


def new_book(claims: Sequence[Claim] = (), stays: Sequence[Stay] = (), tier: Tier = Tier.EDGE) -> Book:
    return Book.rebuild(
        spots=ALL_SPOTS,
        owners=OWNERS,
        policy=POLICY,
        claims=claims,
        stays=stays,
        zones=(Zone(id=ZoneId("z"), level="0"),),
        tier=tier,
    )


@dataclass
class Card:
    """What a power cut leaves of the lot."""

    claims: dict[ClaimId, Claim] = field(default_factory=dict)
    stays: dict[StayId, Stay] = field(default_factory=dict)
    parts: dict[TransactionId, Part] = field(default_factory=dict)
    log: list[Commit] = field(default_factory=list)


class LotHost:
    """The lot: memory first, then the card in order, then the words."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.card = Card()
        self.start()

    def start(self) -> None:
        card = self.card
        self.waiting: list[Commit | Say] = []
        self.book = new_book(list(card.claims.values()), list(card.stays.values()))
        self.participants = Participants(
            self.book,
            new_claim=lambda: ClaimId(f"lot-{next(self.world.numbers)}"),
            random=self.world.random,
            parts=card.parts.values(),
            now_s=self.world.real_s,
        )

    @property
    def standing(self) -> LotStanding:
        waiting = sum(isinstance(each, Commit) for each in self.waiting)
        return LotStanding(epoch=1, last_seq=len(self.card.log) + waiting)

    def hear(self, news: ParticipantNews | LinkIsOpen | TimePassed) -> list[ParticipantEffect]:
        transaction = of(news.prepare) if isinstance(news, PrepareArrived) else getattr(news, "id", None)
        state = None if transaction is None else self.participants.part(transaction).state
        self.world.seen[state, type(news).__name__] += 1
        effects = list(self.participants.step(news, self.world.moment, self.standing))
        for effect in effects:
            self.take(effect)
        return effects

    def take(self, effect: ParticipantEffect) -> None:
        if isinstance(effect, Commit):
            self.book.apply(effect.claims)
            for stay in effect.stays:
                self.book.note_stay(stay)
            self.waiting.append(effect)
        elif isinstance(effect, Say):
            self.waiting.append(effect)

    def fsync(self) -> None:
        """The oldest change reaches the card, and its words the line."""
        if not self.waiting:
            return
        effect = self.waiting.pop(0)
        if isinstance(effect, Say):
            self.world.send("up", effect.frame)
            return
        card = self.card
        card.claims.update({claim.id: claim for claim in effect.claims})
        card.stays.update({stay.id: stay for stay in effect.stays})
        if effect.part.state is not ParticipantState.NONE:
            card.parts[effect.part.id] = effect.part
        card.log.append(effect)
        for frame in effect.then:
            self.world.send("up", frame)

    def sell_at_the_gate(self, window: Interval) -> bool:
        number = next(self.world.numbers)
        asked = ClaimRequest(
            id=ClaimId(f"walk-{number}"),
            type=REGULAR,
            window=window,
            kind=ClaimKind.WALK_IN,
            holder_kind="stay",
            holder_id=f"s-{number}",
            epoch=1,
        )
        sale = self.book.sell(asked, now=self.world.at)
        if isinstance(sale, Sale):
            nobody = TransactionId(reservation=f"gate-{number}", revision=1)
            self.take(Commit(part=Part(id=nobody), claims=sale.claims))
        return isinstance(sale, Sale)

    def show_pass(self, row: Transaction) -> None:
        """A driver drives in on the pass."""
        if row.window is None:
            return
        effects = self.hear(PassShown(id=row.id, type=REGULAR, window=row.window, epoch=1))
        honour = next((effect for effect in effects if isinstance(effect, Honour)), None)
        assert honour is not None
        if row.id in self.world.cancelled and honour.refusal is not None:
            return
        assert honour.refusal is None, "a pass that the coordinator committed was refused"
        inside = {stay.credential.subject for stay in self.book.open_stays()}
        if row.id.reservation in inside:
            return
        stay = Stay(
            id=StayId(f"stay-{next(self.world.numbers)}"),
            credential=Credential(kind=CredentialKind.PASS, subject=row.id.reservation),
            type=REGULAR,
            state=StayState.ADMITTED,
            lane=LaneId("in"),
            admitted_at=self.world.at,
            claim=honour.claim,
            over_count=honour.claim is None,
            tariff_version="1",
        )
        self.take(Commit(part=Part(id=replace(row.id, revision=99)), stays=(stay,)))


class Centre:
    """The cloud's database, any process of it, and the provider's answers as they come."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows: dict[TransactionId, Transaction] = {}
        self.money: dict[str, PaymentStanding] = {}
        self.asked_of_provider: list[tuple[str, PaymentAct]] = []
        self.claims: dict[ClaimId, Claim] = {}
        self.applied = 0
        self.documents: dict[TransactionId, Decision] = {}
        self.alarms: list[Alarm] = []
        self.receivables: set[str] = set()
        self.prepares_sent = 0

    @property
    def heads(self) -> dict[str, LogHead]:
        return {LOT: LogHead(epoch=1, seq=self.applied)}

    def hear(self, transaction: TransactionId, news: News, *, dies: bool = False) -> Transaction:
        """One database transaction; where the process `dies` after it, what was to be done then is not done."""
        before = self.rows.get(transaction, Transaction(id=transaction))
        row, effects = step(before, news, self.world.at)
        if any(self._clashes(effect) for effect in effects):
            row, effects = step(before, MetByFact(), self.world.at)
        if row.state is not CoordinatorState.NONE:
            self.rows[transaction] = row
        self.world.seen[before.state, type(news).__name__] += 1
        for effect in effects:
            self._within(row, effect)
        if not dies:
            for effect in effects:
                self._after(row, effect)
        return self.rows.get(transaction, row)

    def _clashes(self, effect: CoordinatorEffect) -> bool:
        if not isinstance(effect, FirmClaims | HoldClaims):
            return False
        return any(self.in_the_way(claim) for claim in effect.claims)

    def in_the_way(self, claim: Claim) -> list[Claim]:
        return [
            other
            for other in self.claims.values()
            if other.binds
            and claim.binds
            and other.id != claim.id
            and other.spot == claim.spot
            and other.window.overlaps(claim.window)
        ]

    def _within(self, row: Transaction, effect: CoordinatorEffect) -> None:
        match effect:
            case HoldClaims(claims=claims) | FirmClaims(claims=claims) | ReleaseClaims(claims=claims):
                for claim in claims:
                    self.put(claim)
            case Tell(decision=decision):
                self.documents[row.id] = decision
            case Alarm():
                self.alarms.append(effect)
            case RecordReceivable():
                self.receivables.add(row.id.reservation)
            case FallBack():
                self._fall_back(row)
            case _:
                pass

    def _after(self, row: Transaction, effect: CoordinatorEffect) -> None:
        match effect:
            case SendPrepare(prepare=prepare):
                self.world.send("down", prepare)
            case Tell(decision=decision):
                self.world.send("down", decision)
            case SendAnswer(answer=answer):
                self.world.send("down", answer)
            case Capture():
                self.pay(row.id.reservation, PaymentNews.DECIDED_COMMITTED)
            case CancelPayment():
                self.pay(row.id.reservation, PaymentNews.DECIDED_ABORTED)
            case _:
                pass

    def _fall_back(self, row: Transaction) -> None:
        window = row.window
        assert window is not None
        claim = self.own_claim(row.id.reservation, window, row.id.revision + 1)
        if claim is None:
            self.hear(row.id, NothingOwn())
            return
        self.rows[row.id], following = superseded_by_next(row)
        self.rows[following.id] = following
        self.begin_on_own_spot(following.id, claim)

    def own_claim(self, reservation: str, window: Interval, revision: int) -> Claim | None:
        for spot in CLOUD_SPOTS:
            claim = Claim(
                id=ClaimId(f"own-{reservation}-{revision}"),
                spot=spot,
                type=REGULAR,
                window=window,
                kind=ClaimKind.BOOKING,
                holder_kind="reservation",
                holder_id=reservation,
                state=ClaimState.HELD,
                sold_by=Tier.CLOUD,
                epoch=1,
                revision=revision,
            )
            if not self.in_the_way(claim):
                return claim
        return None

    def begin_on_own_spot(self, transaction: TransactionId, claim: Claim) -> None:
        begin = Begin(
            worker="w",
            authorised=self.money[transaction.reservation] is PaymentStanding.AUTHORISED,
            ballots=(Ballot(lot=LOT, epoch=1, claim=claim.id, asked=False),),
            own_claims=(claim,),
        )
        self.hear(transaction, begin)

    def put(self, claim: Claim) -> None:
        known = self.claims.get(claim.id)
        if known is None or known.version < claim.version:
            self.claims[claim.id] = claim

    def apply_next(self) -> None:
        """The next row of the lot's log, in one transaction; what waited for it is looked at again."""
        log = self.world.lot.card.log
        if self.applied >= len(log):
            return
        change = log[self.applied]
        self.applied += 1
        for claim in change.claims:
            known = self.claims.get(claim.id)
            if known is None or known.version < claim.version:
                for other in self.in_the_way(claim):
                    self._meet(other)
                self.put(replace(claim, clashing=bool(self.in_the_way(claim))))
        by_hand = change.part.by.startswith("operator") and change.part.state is ParticipantState.ABRT_BY_HAND
        row = self.rows.get(change.part.id)
        if by_hand and row is not None and row.state is CoordinatorState.PREPARING:
            self.hear(row.id, MetByFact())
        if change.part.by == "pass":
            self.hear(change.part.id, PassReported(lot=LOT))
        for each in list(self.rows):
            self.hear(each, LogApplied(heads=self.heads))

    def _meet(self, other: Claim) -> None:
        """A fact met this claim: a hold that is only being prepared is aborted."""
        for row in list(self.rows.values()):
            mine = {claim.id for claim in row.own_claims} | {ballot.claim for ballot in row.ballots}
            if other.id in mine and row.state is CoordinatorState.PREPARING:
                self.hear(row.id, MetByFact(claim=other.id))

    def pay(self, reservation: str, news: PaymentNews) -> None:
        standing, acts = payment.step(self.money[reservation], news)
        self.money[reservation] = standing
        for act in acts:
            if act in {PaymentAct.CAPTURE, PaymentAct.CANCEL, PaymentAct.LOOK_UP, PaymentAct.REFUND}:
                self.asked_of_provider.append((reservation, act))
            elif act is PaymentAct.RECORD_RECEIVABLE:
                self.receivables.add(reservation)
            elif act is PaymentAct.TELL_LOST:
                for row in [row for row in self.rows.values() if row.id.reservation == reservation]:
                    self.hear(row.id, PaymentLost())


class Provider:
    """Where the money really is; it does what it is asked, answers or does not."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.money: dict[str, PaymentNews] = {}

    def serve(self, *, answers: bool, does: bool) -> None:
        """The oldest call: carried out or not, answered or not."""
        calls = self.world.centre.asked_of_provider
        if not calls:
            return
        reservation, act = calls.pop(0)
        held = self.money.get(reservation)
        if does and act is PaymentAct.CAPTURE and held is PaymentNews.AUTHORISED:
            self.money[reservation] = PaymentNews.CAPTURED
        if does and act is PaymentAct.CANCEL and held is PaymentNews.AUTHORISED:
            self.money[reservation] = PaymentNews.CANCELLED
        told = self.money[reservation] if answers else PaymentNews.NO_ANSWER
        self.world.centre.pay(reservation, told)


@dataclass
class World:
    """All three, the line between centre and lot, and time."""

    random: Random = field(default_factory=lambda: Random(1))
    at: datetime = START_AT
    real_s: float = 0.0
    up: bool = True
    network: list[tuple[str, Frame]] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(1))
    seen: Counter[tuple[object, str]] = field(default_factory=Counter)
    by_hand: set[TransactionId] = field(default_factory=set)
    cancelled: set[TransactionId] = field(default_factory=set)
    lapsed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.lot = LotHost(self)
        self.centre = Centre(self)
        self.provider = Provider(self)

    @property
    def moment(self) -> Moment:
        return Moment(at=self.at, lower_at=self.at, real_s=self.real_s)

    # What can happen

    def book(self, window: Interval, *, own: bool = False) -> TransactionId:
        """A driver pays and confirms."""
        reservation = f"r{next(self.numbers)}"
        transaction = TransactionId(reservation=reservation, revision=1)
        self.centre.money[reservation] = PaymentStanding.AUTHORISED
        self.provider.money[reservation] = PaymentNews.AUTHORISED
        self.centre.hear(transaction, Draft(type=REGULAR, window=window))
        claim = self.centre.own_claim(reservation, window, 1) if own else None
        if claim is not None:
            self.centre.begin_on_own_spot(transaction, claim)
            return transaction
        begin = Begin(
            worker="w",
            authorised=True,
            ballots=(Ballot(lot=LOT, epoch=1, claim=ClaimId(f"claim-{reservation}")),),
            connected=frozenset({LOT} if self.up else ()),
        )
        row = self.centre.hear(transaction, begin)
        if row.state is CoordinatorState.DRAFT:
            own_claim = self.centre.own_claim(reservation, window, 1)
            if own_claim is not None:
                self.centre.begin_on_own_spot(transaction, own_claim)
        return transaction

    def send(self, direction: str, frame: Frame) -> None:
        """Put a frame on the line, where there is one."""
        if isinstance(frame, Prepare):
            self.centre.prepares_sent += 1
            row = self.centre.rows[TransactionId(reservation=frame.reservation, revision=frame.revision)]
            assert row.state is CoordinatorState.PREPARING, "a prepare is sent only while PREPARING"
        if self.up:
            self.network.append((direction, decode(encode(frame))))

    def deliver(self, index: int, *, keep: bool = False, dies: bool = False) -> None:
        """Any frame that is on its way arrives, once or once more."""
        if not self.network:
            return
        at = index % len(self.network)
        _, frame = self.network[at] if keep else self.network.pop(at)
        self.arrive(frame, dies=dies)

    def arrive(self, frame: Frame, *, dies: bool = False) -> None:
        match frame:
            case Prepare():
                self.lot.hear(PrepareArrived(prepare=frame))
            case Decision() | Answer():
                if frame.outcome != "undecided":
                    self.lot.hear(decided(frame))
            case Vote():
                self.centre.hear(
                    of(frame), VoteArrived(lot=LOT, vote=frame, heads=self.centre.heads), dies=dies
                )
            case Inquiry():
                self.centre.hear(of(frame), Inquired(lot=LOT, epoch=frame.epoch, current_epoch=1), dies=dies)
            case DecisionAck():
                self.centre.hear(of(frame), AcknowledgedBy(lot=LOT), dies=dies)
            case _:
                raise AssertionError(frame)

    def cut(self) -> None:
        self.up = False
        self.network.clear()

    def reconnect(self) -> None:
        self.network.clear()
        self.up = True
        for each in list(self.centre.rows):
            self.centre.hear(each, LinkOpened(lot=LOT))
        self.lot.hear(LinkIsOpen())

    def pass_time(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.real_s += seconds
        for row in list(self.centre.rows.values()):
            self.centre.hear(row.id, Tick(token=row.lease.token))
            self.centre.hear(row.id, TakeOver(worker="w2"))
        self.lot.hear(TimePassed(linked=self.up))

    def decide_by_hand(self, index: int, outcome: Outcome) -> None:
        doubts = self.lot.participants.doubts(self.real_s)
        if doubts:
            transaction = doubts[index % len(doubts)].part.id
            self.by_hand.add(transaction)
            self.lot.hear(OperatorDecides(id=transaction, outcome=outcome, by="ada", reason="phoned"))

    def cancel(self, index: int) -> None:
        """A driver cancels; the lot hears of it as a document."""
        rows = [row for row in self.centre.rows.values() if row.state is CoordinatorState.COMMITTED]
        if rows and self.up:
            transaction = rows[index % len(rows)].id
            inside = {stay.credential.subject for stay in self.lot.book.open_stays()}
            used = transaction.reservation in inside
            if not used:
                self.cancelled.add(transaction)
            self.lot.hear(Cancelled(id=transaction, used=used))

    def lose_authorisation(self, index: int) -> None:
        """The provider lets an authorisation go by itself."""
        authorised = [each for each, money in self.provider.money.items() if money is PaymentNews.AUTHORISED]
        if authorised:
            reservation = authorised[index % len(authorised)]
            self.provider.money[reservation] = PaymentNews.CANCELLED
            self.lapsed.add(reservation)
            self.centre.pay(reservation, PaymentNews.CANCELLED)

    def calm(self) -> None:
        """Faults stop: the line is up, everything arrives, everybody answers; until nothing is left to do."""
        if not self.up:
            self.reconnect()
        for _ in range(60):
            while self.lot.waiting or self.network or self.centre.asked_of_provider:
                self.lot.fsync()
                self.deliver(0)
                self.provider.serve(answers=True, does=True)
            while self.centre.applied < len(self.lot.card.log):
                self.centre.apply_next()
            self.pass_time(5)

    # What must hold

    def check(self) -> None:
        self._nothing_is_sold_twice()
        self._money_goes_with_the_booking()
        self._one_decision()
        self._what_was_prepared_survives()

    def promises(self) -> list[tuple[str, SpotId, Interval]]:
        """What people were promised: the claims of committed rows, and what the gate sold and the card has."""
        promised: dict[str, tuple[str, SpotId, Interval]] = {}
        for row in self.centre.rows.values():
            if row.state is not CoordinatorState.COMMITTED or row.id in self.cancelled:
                continue
            for own in row.own_claims:
                if own.spot is not None:
                    promised[own.id] = (own.id, own.spot, own.window)
            for ballot in row.ballots:
                if ballot.yes is not None and row.id not in self.by_hand:
                    promised[ballot.claim] = (ballot.claim, ballot.yes.spot, ballot.yes.window)
        for claim in self.lot.card.claims.values():
            if claim.binds and claim.spot is not None and claim.state is ClaimState.FIRM:
                promised[claim.id] = (claim.id, claim.spot, claim.window)
        return list(promised.values())

    def _nothing_is_sold_twice(self) -> None:
        for (one, spot, window), (other, other_spot, other_window) in combinations(self.promises(), 2):
            assert spot != other_spot or not window.overlaps(other_window), f"{one} and {other} on {spot}"

    def _money_goes_with_the_booking(self) -> None:
        committed = {
            row.id.reservation for row in self.centre.rows.values() if row.state is CoordinatorState.COMMITTED
        }
        for reservation, money in self.provider.money.items():
            if money is PaymentNews.CAPTURED:
                assert reservation in committed, f"{reservation} was captured without a booking"
            if money is PaymentNews.CANCELLED and reservation not in self.lapsed:
                assert reservation not in committed, f"{reservation} stands and its money was let go"

    def _one_decision(self) -> None:
        for part in self.lot.card.parts.values():
            row = self.centre.rows.get(part.id, Transaction(id=part.id))
            if part.state is ParticipantState.COMM:
                assert row.state is CoordinatorState.COMMITTED, f"{part} against {row.state}"
                held = self.lot.card.claims.get(part.claim) if part.claim else None
                assert held is None or held.state is not ClaimState.HELD, f"{part} is only held"
            if part.state is ParticipantState.ABRT:
                assert row.state is not CoordinatorState.COMMITTED, f"{part} against {row.state}"

    def _what_was_prepared_survives(self) -> None:
        for part in self.lot.card.parts.values():
            over = (
                part.window is not None and part.window.ends_at is not None and part.window.ends_at <= self.at
            )
            if part.state is ParticipantState.PREP and not over:
                assert part.claim is not None
                assert self.lot.card.claims[part.claim].state is ClaimState.HELD


def of(frame: Prepare | Vote | Inquiry | DecisionAck | Decision | Answer) -> TransactionId:
    return TransactionId(reservation=frame.reservation, revision=frame.revision)


def decided(frame: Decision | Answer) -> Decided:
    claim = frame.claim if isinstance(frame, Decision) else None
    return Decided(
        id=of(frame),
        outcome=Outcome(frame.outcome),
        reason=frame.reason,
        claim=None if claim is None else claim_from_row(claim),
    )


def windows(hours: int, now: datetime = START_AT) -> Interval:
    """One of a few windows, several of which overlap; nobody sells what is over."""
    starts_at = START_AT + timedelta(hours=hours % 4)
    while starts_at + timedelta(hours=2) <= now:
        starts_at += timedelta(hours=4)
    return Interval(max(now, starts_at), starts_at + timedelta(hours=2))


def drive_in(world: World, n: int) -> None:
    """A driver with a pass comes: passes exist of committed rows only."""
    rows = [row for row in world.centre.rows.values() if row.state is CoordinatorState.COMMITTED]
    if rows:
        world.lot.show_pass(rows[n % len(rows)])


def wait(world: World, n: int) -> None:
    """Mostly seconds; now and then so long that windows end."""
    world.pass_time(2 * 3_600 if n == 60 else 1 + n % 12)


BOOKING: tuple[Callable[[World, int], object], ...] = (
    lambda world, n: world.book(windows(n, world.at)),
    lambda world, n: world.book(windows(n, world.at)),
    lambda world, n: world.book(windows(n, world.at), own=True),
    lambda world, n: world.lot.sell_at_the_gate(windows(n, world.at)),
)
CARRYING: tuple[Callable[[World, int], object], ...] = (
    *(lambda world, _: world.lot.fsync(),) * 3,
    *(lambda world, n: world.deliver(n),) * 4,
    *(lambda world, _: world.centre.apply_next(),) * 3,
    lambda world, _: world.provider.serve(answers=True, does=True),
    wait,
)
FAULTS: tuple[Callable[[World, int], object], ...] = (
    lambda world, n: world.deliver(n, keep=True),
    lambda world, n: world.deliver(n, dies=True),
    lambda world, _: world.lot.start(),
    lambda world, _: world.cut() if world.up else world.reconnect(),
    lambda world, n: world.provider.serve(answers=n % 3 == 0, does=n % 2 == 0),
    lambda world, n: world.lose_authorisation(n),
    lambda world, n: world.cancel(n),
    lambda world, n: world.decide_by_hand(n, Outcome.COMMITTED if n % 2 else Outcome.ABORTED),
    drive_in,
)
ACTIONS = (*BOOKING, *CARRYING, *FAULTS)
"""What a schedule chooses from."""
