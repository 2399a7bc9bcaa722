"""The shell of the coordinator: rows, claims and words around `sync.coordinator`. Next in its story: sync/coordinator, then cloud/gateways/link.

Theory of operation
===================
Every piece of news becomes one database transaction: hold the lot's row, hold the reservation's row, `step` it by the database's clock, carry
out the effects that belong into the commit, write the row where it is still what it was. The decision is that commit. What is to be said after
it (a PREPARE, a decision, an answer) is a NOTIFY of the same transaction (`commit_words`): the process that holds the lot's link says it, in
the session of the moment or never. Money moves after the commit, by the errand that the payment service gave inside it.

Locks are taken in one order: lot, gateway, reservation, payment. So a page of the lot's log, a vote and a sale never wait for each other in
a ring; two sales of one lot follow one another, a few milliseconds each, and the second sees what the first left.

A place of the cloud's own is taken by one statement, under the constraint. A voted claim that cannot stand yet, since rows of the lot's log that moved
another promise out of its way have not been applied, waits for them: its vote is on record, and the next page counts it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg.errors import ExclusionViolation, UndefinedTable
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from cloud.database import Database
from cloud.events import NewEvent, publish
from cloud.facts import Origin, require_uuid
from cloud.named_sql import named_sql
from cloud.parking_lots.service import ParkingLots
from cloud.reservations.booking_rows import (
    Booking,
    BookingStatus,
    add,
    held,
    latest,
    preparing_of,
    protocol_now,
    unheard_of,
    untold_of,
    write,
)
from cloud.reservations.commit_facts import EndedAtTheLot
from cloud.reservations.commit_words import CommitWords, Word, say
from cloud.reservations.ports import Errand, LotLink, LotStandingNow, PaymentHold
from parking.claims import Claim, ClaimKind, ClaimState
from parking.clock import Clock
from parking.ids import ClaimId, SpotId
from parking.lot import Tier
from sync.booking import Ballot, CoordinatorState, LogHead
from sync.commit_documents import DECISION, decision_body
from sync.coordinator import step, superseded_by_next
from sync.coordinator_news import (
    AcknowledgedBy,
    Alarm,
    Begin,
    CancelPayment,
    Capture,
    CoordinatorEffect,
    FallBack,
    FirmClaims,
    GivenUp,
    HoldClaims,
    Inquired,
    LogApplied,
    MetByFact,
    News,
    NothingOwn,
    PassReported,
    PaymentLost,
    RecordConflict,
    RecordReceivable,
    ReleaseClaims,
    SendAnswer,
    SendPrepare,
    TakeOver,
    Tell,
    Tick,
    VoteArrived,
)
from sync.errors import MalformedFrame
from sync.failpoints import Failpoints
from sync.messages import Decision, DecisionAck, FromParticipant, Inquiry, TransferRequest, Vote
from sync.ownership import none_to_give
from sync.rows import claim_from_row
from sync.transaction import NoReason, Outcome

QUERIES = named_sql("cloud.reservations")
LOG = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
DUE_AT_ONCE = 100

BEGIN_BEFORE_COMMIT = "cloud.coordinator.begin_before_commit"
BEGIN_AFTER_COMMIT = "cloud.coordinator.begin_after_commit"
DECISION_BEFORE_COMMIT = "cloud.coordinator.decision_before_commit"
DECISION_AFTER_COMMIT = "cloud.coordinator.decision_after_commit"
AFTER_COMMIT = "cloud.coordinator.after_commit"


class ClaimCannotStand(Exception):
    """A claim of a decision overlaps another one here: rows of the lot's log are missing, or a fact was first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A row as it was written, and what is to be done after the commit."""

    booking: Booking
    errands: tuple[Errand, ...] = ()


class Coordination:
    """Any process of the centre may coordinate. `worker` names this one; `new_id` makes claims' ids."""

    def __init__(
        self,
        *,
        database: Database,
        lots: ParkingLots,
        link: LotLink,
        money: PaymentHold,
        words: CommitWords,
        clock: Clock,
        failpoints: Failpoints,
        worker: str,
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._lots = lots
        self._link = link
        self._money = money
        self._words = words
        self._clock = clock
        self._failpoints = failpoints
        self._worker = worker
        self._new_id = new_id
        self._running: set[asyncio.Task[None]] = set()

    # What the service asks

    async def begin(self, lot: UUID, reservation: UUID, revision: int) -> Booking:
        """The money is held: ask the lot, or sell a place of our own at once where its line is down.

        Nothing begins that has no draft any more; the row is answered as it is then.
        """
        if await self._is_hopeless(lot, reservation):
            return await self._refuse_as_full(reservation, revision)
        async with self._database.connection() as connection, connection.transaction():
            region = await self._hold_lot(connection, lot)
            booking = await held(connection, reservation, revision)
            if booking is None or booking.state is not CoordinatorState.DRAFT:
                return booking or unheard_of(str(reservation), revision)
            booking = replace(booking, transaction=replace(booking.transaction, reason=""))
            line = await self._link.standing(connection, lot)
            if line is not None and line.connected:
                moved = await self._ask_lot(connection, booking, line)
            else:
                sold = await self._sell_own(connection, region, booking, line)
                moved = sold or Moved(booking=booking)
            self._failpoints.hit(BEGIN_BEFORE_COMMIT)
        self._failpoints.hit(BEGIN_AFTER_COMMIT)
        self.carry_on(moved.errands)
        if moved.booking.state is CoordinatorState.DRAFT and not moved.booking.transaction.reason:
            return await self._refuse_as_full(reservation, revision)
        return moved.booking

    async def decision(self, booking: Booking) -> Booking:
        """Wait until the transaction is decided, at most until its deadline; past it, whoever waits decides that."""
        with self._words.waiting_for(booking.id) as said:
            while True:
                said.clear()
                async with self._database.connection() as connection:
                    now = await protocol_now(connection)
                    known = await latest(connection, booking.id) or booking
                if known.state is not CoordinatorState.PREPARING:
                    return known
                deadline_at = known.transaction.deadline_at or now
                if now >= deadline_at:
                    await self.take_over(known.id, known.revision)
                await _first(said, min(max(0.05, (deadline_at - now).total_seconds()), LOOK_EVERY_S))

    async def give_up(self, booking: Booking) -> Booking:
        """The driver walks away before the decision."""
        return await self._hear_alone(booking, GivenUp())

    async def payment_lost(self, reservation: UUID) -> None:
        """The held money is gone."""
        async with self._database.connection() as connection:
            booking = await latest(connection, reservation)
        if booking is not None:
            await self._hear_alone(booking, PaymentLost())

    # What the lot's link brings; the caller holds the lot's row and the gateway's, with its session checked

    async def heard(
        self, connection: AsyncConnection[DictRow], origin: Origin, applied_seq: int, frame: FromParticipant
    ) -> Sequence[Errand]:
        """A frame of the commit.

        Raises:
            MalformedFrame: it names what cannot be.
        """
        heads = {str(origin.lot): LogHead(epoch=origin.epoch, seq=applied_seq)}
        match frame:
            case Vote():
                await self._require_own_spot(connection, origin, frame)
                known = await self._known(connection, origin, frame.reservation, frame.revision)
                news: News = VoteArrived(lot=str(origin.lot), vote=frame, heads=heads)
                return (await self._hear(connection, origin.region, known, news)).errands
            case Inquiry():
                known = await self._known(connection, origin, frame.reservation, frame.revision)
                news = Inquired(lot=str(origin.lot), epoch=frame.epoch, current_epoch=origin.epoch)
                return (await self._hear(connection, origin.region, known, news)).errands
            case DecisionAck():
                known = await self._known(connection, origin, frame.reservation, frame.revision)
                news = AcknowledgedBy(lot=str(origin.lot))
                return (await self._hear(connection, origin.region, known, news)).errands
            case TransferRequest():
                answer = none_to_give(frame, transfer=str(self._new_id()), reason=str(NoReason.FULL))
                await say(connection, Word(lot=origin.lot, reservation=self._new_id(), frame=answer))
            case _:
                LOG.info("not for the coordinator", lot=str(origin.lot), kind=type(frame).__name__)
        return ()

    async def log_applied(
        self, connection: AsyncConnection[DictRow], origin: Origin, applied_seq: int
    ) -> Sequence[Errand]:
        """More of the lot's log is applied, in this transaction: votes that waited for it may count."""
        heads = {str(origin.lot): LogHead(epoch=origin.epoch, seq=applied_seq)}
        errands: list[Errand] = []
        for booking in await preparing_of(connection, origin.lot):
            moved = await self._hear(connection, origin.region, booking, LogApplied(heads=heads))
            errands += moved.errands
        return errands

    async def documents_acknowledged(
        self, connection: AsyncConnection[DictRow], origin: Origin, n: int
    ) -> None:
        """The lot's gateway has everything up to document `n`: the decisions among it too."""
        for booking in await untold_of(connection, origin.lot, n):
            await self._hear(connection, origin.region, booking, AcknowledgedBy(lot=str(origin.lot)))

    async def met_by_facts(
        self, connection: AsyncConnection[DictRow], origin: Origin, reservations: Sequence[str]
    ) -> Sequence[Errand]:
        """Facts took places that these reservations hold undecided: they are aborted in this transaction, which applies the facts."""
        errands: list[Errand] = []
        wanted = set(reservations)
        for booking in await preparing_of(connection, origin.lot):
            if booking.transaction.id.reservation in wanted:
                errands += (await self._hear(connection, origin.region, booking, MetByFact())).errands
        return errands

    async def ended_at_the_lot(
        self, connection: AsyncConnection[DictRow], origin: Origin, ended: EndedAtTheLot
    ) -> None:
        """The lot's log says how a doubt ended there. By our own decision: it has it. By the pass: it is the decision, or something is wrong.

        By hand, and otherwise than here: somebody is told; what was decided here stands, and the lot hears it.
        """
        known = await self._known(connection, origin, ended.id.reservation, ended.id.revision)
        decided = known.transaction.outcome
        if ended.by == "pass" and ended.outcome is Outcome.COMMITTED:
            await self._hear(connection, origin.region, known, PassReported(lot=str(origin.lot)))
        elif decided is ended.outcome:
            await self._hear(connection, origin.region, known, AcknowledgedBy(lot=str(origin.lot)))
        elif decided is not None and ended.by.startswith("operator"):
            detail = f"the lot {ended.outcome} by hand what is {decided} here"
            await self._record(connection, origin.region, known, "decided_otherwise_by_hand", detail)

    # Work that nobody does any more

    async def run(self) -> None:
        """Take over what is due, until cancelled; errands that are under way then are found again by whoever gave them."""
        try:
            while True:
                try:
                    await self.look_at_due()
                except (OperationalError, PoolTimeout, UndefinedTable) as error:
                    LOG.warning("reservations wait for the database", error=str(error))
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            for errand in tuple(self._running):
                errand.cancel()

    async def look_at_due(self) -> int:
        """One round of `run`; how many transactions it looked at."""
        async with self._database.connection() as connection:
            rows = await (
                await connection.execute(QUERIES["bookings_due"], {"limit": DUE_AT_ONCE})
            ).fetchall()
        for row in rows:
            await self.take_over(row["id"], row["revision"])
        return len(rows)

    async def take_over(self, reservation: UUID, revision: int) -> None:
        """Go on with a transaction whose worker is silent, or whose deadline has passed; nothing where another process does."""
        async with self._database.connection() as connection:
            booking = await latest(connection, reservation)
        if booking is None or booking.lot is None or booking.revision != revision:
            return
        async with self._database.connection() as connection, connection.transaction():
            region = await self._hold_lot(connection, booking.lot)
            known = await held(connection, reservation, revision)
            if known is None:
                return
            lease = known.transaction.lease
            mine = lease.holder == self._worker and not lease.is_over(await protocol_now(connection))
            news: News = Tick(token=lease.token) if mine else TakeOver(worker=self._worker)
            moved = await self._hear(connection, region, known, news)
        self.carry_on(moved.errands)

    # One step

    async def _hear_alone(self, booking: Booking, news: News) -> Booking:
        if booking.lot is None:
            return booking
        async with self._database.connection() as connection, connection.transaction():
            region = await self._hold_lot(connection, booking.lot)
            known = await held(connection, booking.id, booking.revision)
            if known is None:
                return booking
            moved = await self._hear(connection, region, known, news)
        self.carry_on(moved.errands)
        return moved.booking

    async def _hear(
        self, connection: AsyncConnection[DictRow], region: str, booking: Booking, news: News
    ) -> Moved:
        """Step, carry out, write: all or nothing of it."""
        now = await protocol_now(connection)
        after, effects = step(booking.transaction, news, now)
        moved = replace(booking, transaction=after)
        try:
            async with connection.transaction():
                return await self._carry_out(
                    connection, region, before=booking, after=moved, effects=effects, now=now
                )
        except ClaimCannotStand:
            return await self._not_yet(connection, region, booking, news, now)

    async def _not_yet(
        self,
        connection: AsyncConnection[DictRow],
        region: str,
        booking: Booking,
        news: News,
        now: datetime,
    ) -> Moved:
        """The vote is on record, and counts when the log has brought what its claim needs; else the deadline decides."""
        if not isinstance(news, VoteArrived):
            return Moved(booking=booking)
        heads = {lot: replace(head, seq=-1) for lot, head in news.heads.items()}
        after, effects = step(booking.transaction, replace(news, heads=heads), now)
        moved = replace(booking, transaction=after)
        return await self._carry_out(
            connection, region, before=booking, after=moved, effects=effects, now=now
        )

    async def _carry_out(
        self,
        connection: AsyncConnection[DictRow],
        region: str,
        *,
        before: Booking,
        after: Booking,
        effects: Sequence[CoordinatorEffect],
        now: datetime,
    ) -> Moved:
        """The effects, in this transaction, and the row.

        Raises:
            ClaimCannotStand: nothing of it may be kept.
        """
        if before.transaction == after.transaction and not effects:
            return Moved(booking=before)
        after = _with_status(before, after)
        errands: list[Errand] = []
        following: Booking | None = None
        for effect in effects:
            match effect:
                case FallBack():
                    following = await self._fall_back(connection, region, after)
                    if following is not None:
                        ended, _ = superseded_by_next(after.transaction)
                        after = replace(after, transaction=ended)
                    else:
                        _, more = step(after.transaction, NothingOwn(), now)
                        errands += await self._effects(connection, region, after, more)
                case Tell(decision=decision):
                    after = await self._tell(connection, after, decision)
                case _:
                    errands += await self._effects(connection, region, after, (effect,))
        await self._write(connection, before, after)
        await self._publish(connection, region, before, after)
        if following is not None:
            sold = await self._begin_on_own(connection, region, following, now)
            return Moved(booking=sold.booking, errands=(*errands, *sold.errands))
        return Moved(booking=after, errands=tuple(errands))

    async def _effects(
        self,
        connection: AsyncConnection[DictRow],
        region: str,
        booking: Booking,
        effects: Sequence[CoordinatorEffect],
    ) -> list[Errand]:
        errands: list[Errand | None] = []
        for effect in effects:
            match effect:
                case FirmClaims(claims=claims):
                    await self._make_firm(connection, region, booking, claims)
                case ReleaseClaims(claims=claims):
                    for claim in claims:
                        await connection.execute(
                            QUERIES["claim_release"],
                            {"region": region, "id": claim.id, "version": claim.version},
                        )
                case SendPrepare(prepare=prepare):
                    await self._say(connection, booking, prepare)
                case SendAnswer(answer=answer):
                    await self._say(connection, replace(booking, link_session=0), answer)
                case Capture():
                    errands.append(await self._money_decided(connection, booking, Outcome.COMMITTED))
                case CancelPayment() | RecordReceivable():
                    # What is owed is the payment's own to see: the same news leads it there.
                    outcome = Outcome.COMMITTED if isinstance(effect, RecordReceivable) else Outcome.ABORTED
                    errands.append(await self._money_decided(connection, booking, outcome))
                case RecordConflict():
                    await self._record(connection, region, booking, "booking_met_by_fact", "")
                case Alarm(kind=kind, detail=detail):
                    await self._record(connection, region, booking, kind, detail)
                case HoldClaims():
                    # Places of our own are taken before the step, by the one statement that can.
                    pass
                case _:
                    LOG.info("nothing to do", effect=type(effect).__name__, reservation=str(booking.id))
        return [errand for errand in errands if errand is not None]

    async def _write(self, connection: AsyncConnection[DictRow], before: Booking, after: Booking) -> None:
        if before.state is CoordinatorState.NONE:
            written = await add(connection, after)
        else:
            if after.transaction.outcome is not None and before.transaction.outcome is None:
                self._failpoints.hit(DECISION_BEFORE_COMMIT)
            written = await write(connection, before.state, after)
        if not written:
            # Between the step and the write the deadline passed; a worker that looks again finds that out.
            raise ClaimCannotStand
        if after.lot is not None:
            await say(connection, Word(lot=after.lot, reservation=after.id))

    # Ways to begin

    async def _ask_lot(
        self, connection: AsyncConnection[DictRow], booking: Booking, line: LotStandingNow
    ) -> Moved:
        ballot = Ballot(
            lot=str(booking.lot),
            epoch=line.epoch,
            claim=ClaimId(str(self._new_id())),
            spot=None if booking.spot is None else SpotId(str(booking.spot)),
        )
        begin = Begin(
            worker=self._worker, authorised=True, ballots=(ballot,), connected=frozenset({ballot.lot})
        )
        asked = replace(booking, link_session=line.session)
        return await self._hear(connection, line.region, asked, begin)

    async def _sell_own(
        self,
        connection: AsyncConnection[DictRow],
        region: str,
        booking: Booking,
        line: LotStandingNow | None,
    ) -> Moved | None:
        """The line is down: a place of our own, or an answer at once; None where we had some and they are taken."""
        epoch = 0 if line is None else line.epoch
        taken = await self._take_own(connection, region, booking, epoch)
        if taken is not None:
            return await self._begin_on_own(connection, region, taken, await protocol_now(connection))
        total, _ = await self._own_left(connection, booking)
        if total:
            return None
        # It stays a draft, which says why it was not begun: the driver was answered, and nobody but the driver begins it again.
        answered = _because(booking, NoReason.LINK_DOWN)
        await self._write(connection, booking, answered)
        return Moved(booking=answered)

    async def _own_left(self, connection: AsyncConnection[DictRow], booking: Booking) -> tuple[int, int]:
        """How many places of the type are our own here, and how many of them are free for the window."""
        window = booking.transaction.window
        scope = {
            "lot": booking.lot,
            "type": _type(booking),
            "spot": booking.spot,
            "starts_at": None if window is None else window.starts_at,
            "ends_at": None if window is None else window.ends_at,
            "now": self._clock.now(),
        }
        (row,) = await (await connection.execute(QUERIES["own_spots_left"], scope)).fetchall()
        return row["total"], row["free"]

    async def _is_hopeless(self, lot: UUID, reservation: UUID) -> bool:
        """Whether the line is down and our own places are taken, seen without holding anything: losers of a race do not queue for the lot."""
        async with self._database.connection() as connection:
            booking = await latest(connection, reservation)
            line = await self._link.standing(connection, lot)
            if booking is None or (line is not None and line.connected):
                return False
            total, free = await self._own_left(connection, booking)
        return total > 0 and free == 0

    async def _refuse_as_full(self, reservation: UUID, revision: int) -> Booking:
        """We had places and they are taken: there is nothing to wait for, and the money goes free. Touches nothing of the lot."""
        async with self._database.connection() as connection, connection.transaction():
            booking = await held(connection, reservation, revision)
            if booking is None or booking.state is not CoordinatorState.DRAFT:
                return booking or unheard_of(str(reservation), revision)
            now = await protocol_now(connection)
            after, effects = step(booking.transaction, GivenUp(), now)
            ended = _because(replace(booking, transaction=after), NoReason.FULL)
            moved = await self._carry_out(
                connection, "", before=booking, after=ended, effects=effects, now=now
            )
        self.carry_on(moved.errands)
        return moved.booking

    async def _fall_back(
        self, connection: AsyncConnection[DictRow], region: str, booking: Booking
    ) -> Booking | None:
        """The next revision, with a place of our own held for it; None where there is none."""
        _, following = superseded_by_next(booking.transaction)
        draft = replace(
            booking, transaction=following, status=BookingStatus.DRAFT, told_n=None, link_session=None
        )
        epoch = max((ballot.epoch for ballot in booking.transaction.ballots), default=0)
        return await self._take_own(connection, region, draft, epoch)

    async def _take_own(
        self, connection: AsyncConnection[DictRow], region: str, booking: Booking, epoch: int
    ) -> Booking | None:
        """Hold a place of our own: the booking with its claim and the lot that is to be told; None where there is none."""
        window, kind = booking.transaction.window, booking.transaction.type
        if window is None or kind is None:
            return None
        claim_id = ClaimId(str(self._new_id()))
        columns = {
            "region": region,
            "lot": booking.lot,
            "claim": claim_id,
            "type": str(kind),
            "spot": booking.spot,
            "starts_at": window.starts_at,
            "ends_at": window.ends_at,
            "holder": booking.transaction.id.reservation,
            "epoch": epoch,
            "revision": booking.revision,
            "now": self._clock.now(),
        }
        row = await (await connection.execute(QUERIES["own_spot_take"], columns)).fetchone()
        if row is None:
            return None
        claim = Claim(
            id=claim_id,
            spot=SpotId(str(row["spot_id"])),
            type=kind,
            window=window,
            kind=ClaimKind.BOOKING,
            holder_kind="reservation",
            holder_id=booking.transaction.id.reservation,
            state=ClaimState.HELD,
            sold_by=Tier.CLOUD,
            epoch=epoch,
            revision=booking.revision,
        )
        return replace(booking, transaction=replace(booking.transaction, own_claims=(claim,)))

    async def _begin_on_own(
        self, connection: AsyncConnection[DictRow], region: str, booking: Booking, now: datetime
    ) -> Moved:
        """Begin and decision in one, on the place that is held for it."""
        (claim,) = booking.transaction.own_claims
        told = Ballot(lot=str(booking.lot), epoch=claim.epoch, claim=claim.id, spot=claim.spot, asked=False)
        begin = Begin(worker=self._worker, authorised=True, ballots=(told,), own_claims=(claim,))
        if booking.revision > 1:
            await add(connection, booking)
        after, effects = step(booking.transaction, begin, now)
        moved = replace(booking, transaction=after)
        return await self._carry_out(
            connection, region, before=booking, after=moved, effects=effects, now=now
        )

    # Pieces

    async def _hold_lot(self, connection: AsyncConnection[DictRow], lot: UUID) -> str:
        row = await (await connection.execute(QUERIES["lot_hold"], {"lot": lot})).fetchone()
        return "" if row is None else str(row["region"])

    async def _known(
        self, connection: AsyncConnection[DictRow], origin: Origin, reservation: str, revision: int
    ) -> Booking:
        """The row, held, or its absence. One of another lot is not this gateway's to speak of."""
        require_uuid(reservation, "reservation")
        absent = unheard_of(reservation, revision)
        known = await held(connection, absent.id, revision)
        if known is not None and known.lot is not None and known.lot != origin.lot:
            LOG.error("a lot speaks of another's booking", lot=str(origin.lot), reservation=reservation)
            return replace(absent, lot=origin.lot)
        return known or replace(absent, lot=origin.lot)

    async def _require_own_spot(
        self, connection: AsyncConnection[DictRow], origin: Origin, vote: Vote
    ) -> None:
        """A lot promises its own spots."""
        if vote.spot is None:
            return
        require_uuid(vote.spot, "spot")
        scope = {"lot": origin.lot, "spot": vote.spot}
        if await (await connection.execute(QUERIES["spot_asked_for"], scope)).fetchone() is None:
            raise MalformedFrame("spot", "is not of this lot")

    async def _make_firm(
        self, connection: AsyncConnection[DictRow], region: str, booking: Booking, claims: Sequence[Claim]
    ) -> None:
        for claim in claims:
            columns = {
                "region": region,
                "lot": booking.lot,
                "id": claim.id,
                "spot_id": claim.spot,
                "type": str(claim.type),
                "starts_at": claim.window.starts_at,
                "ends_at": claim.window.ends_at,
                "kind": str(claim.kind),
                "holder_kind": claim.holder_kind,
                "holder_id": claim.holder_id,
                "sold_by": str(claim.sold_by),
                "epoch": claim.epoch,
                "revision": claim.revision,
                "version": claim.version,
            }
            try:
                await connection.execute(QUERIES["claim_make_firm"], columns)
            except ExclusionViolation as error:
                raise ClaimCannotStand from error

    async def _tell(
        self, connection: AsyncConnection[DictRow], booking: Booking, decision: Decision
    ) -> Booking:
        """Into the list of the lot's gateway, so that it cannot be missed, and to its link now."""
        line = None if booking.lot is None else await self._link.standing(connection, booking.lot)
        if line is None:
            return booking
        n = booking.told_n
        if n is None:
            claim = None if decision.claim is None else claim_from_row(decision.claim)
            body = decision_body(
                booking.transaction.id, Outcome(decision.outcome), reason=decision.reason, claim=claim
            )
            n = await self._link.add_document(connection, line.gateway, DECISION, body)
        await self._say(connection, replace(booking, link_session=0), decision)
        return replace(booking, told_n=n)

    async def _say(self, connection: AsyncConnection[DictRow], booking: Booking, frame: object) -> None:
        if booking.lot is None:
            return
        word = Word(
            lot=booking.lot,
            reservation=booking.id,
            session=booking.link_session or 0,
            frame=frame,  # type: ignore[arg-type]  # every frame that an effect carries is the coordinator's
        )
        await say(connection, word)

    async def _money_decided(
        self, connection: AsyncConnection[DictRow], booking: Booking, outcome: Outcome
    ) -> Errand | None:
        if booking.payment is None:
            return None
        return await self._money.decided(connection, booking.payment, outcome)

    async def _record(
        self, connection: AsyncConnection[DictRow], region: str, booking: Booking, kind: str, detail: str
    ) -> None:
        told = Jsonb({"reservation": str(booking.id), "revision": booking.revision, "detail": detail})
        LOG.error("booking needs a person", kind=kind, reservation=str(booking.id), detail=detail)
        columns = {"region": region, "lot": booking.lot, "kind": kind, "detail": told}
        await connection.execute(QUERIES["conflict_of_booking"], columns)

    async def _publish(
        self, connection: AsyncConnection[DictRow], region: str, before: Booking, after: Booking
    ) -> None:
        """Events of a decision, and the lot's counts where places changed hands."""
        if after.transaction.outcome is before.transaction.outcome or after.lot is None:
            return
        booked = after.transaction.outcome is Outcome.COMMITTED
        if booked:
            body: dict[str, object] = {
                "reservation": str(after.id),
                "revision": after.revision,
                "type": _type(after),
            }
            await publish(connection, [NewEvent(lot=after.lot, kind="ParkingSpotBooked", body=body)])
        if booked or before.transaction.own_claims:
            line = await self._link.standing(connection, after.lot)
            as_of_seq = 0 if line is None else line.applied_seq
            await self._lots.recount(
                connection, region, after.lot, as_of_seq=as_of_seq, now=self._clock.now()
            )

    def carry_on(self, errands: Sequence[Errand]) -> None:
        """What moves money goes on by itself; whoever waits for the booking need not wait for it."""
        self._failpoints.hit(AFTER_COMMIT)
        if errands:  # only a decision moves money
            self._failpoints.hit(DECISION_AFTER_COMMIT)
        for errand in errands:
            task = asyncio.create_task(_carried(errand), name="errand")
            self._running.add(task)
            task.add_done_callback(self._running.discard)


async def _carried(errand: Errand) -> None:
    try:
        await errand()
    except (OperationalError, PoolTimeout) as error:
        LOG.warning("an errand waits until it is due again", error=str(error))


async def _first(event: asyncio.Event, within_s: float) -> None:
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return


def _type(booking: Booking) -> str | None:
    return None if booking.transaction.type is None else str(booking.transaction.type)


def _because(booking: Booking, reason: NoReason) -> Booking:
    """Why it was not booked."""
    return replace(booking, transaction=replace(booking.transaction, reason=str(reason)))


def _with_status(before: Booking, after: Booking) -> Booking:
    """The customer's word where the protocol's has changed."""
    if after.state is before.state:
        return after
    status = after.status
    if after.state is CoordinatorState.COMMITTED:
        status = BookingStatus.ACTIVE
    elif after.state is CoordinatorState.ABORTED:
        given_up = after.transaction.reason == NoReason.GIVEN_UP
        status = BookingStatus.CANCELLED if given_up else BookingStatus.REFUSED
    return replace(after, status=None if after.user is None else status)
