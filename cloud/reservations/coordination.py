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
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg.errors import LockNotAvailable, UndefinedTable
from psycopg.rows import DictRow
from psycopg_pool import PoolTimeout

from cloud.database import Database
from cloud.facts import Origin, require_uuid
from cloud.named_sql import named_sql
from cloud.parking_lots.service import ParkingLots
from cloud.reservations.beginning import LOCK_WITHIN_MS, Beginning
from cloud.reservations.booking_rows import (
    Booking,
    held,
    hold_lot,
    latest,
    preparing_of,
    protocol_now,
    unheard_of,
    untold_of,
)
from cloud.reservations.commit_effects import CommitEffects
from cloud.reservations.commit_facts import EndedAtTheLot
from cloud.reservations.commit_step import CommitStep
from cloud.reservations.commit_words import CommitWords
from cloud.reservations.draft_holds import DraftHolds
from cloud.reservations.errands import Errands
from cloud.reservations.own_places import OwnPlaces
from cloud.reservations.ports import Errand, LotLink, PaymentHold
from parking.clock import Clock
from sync.booking import CoordinatorState, LogHead
from sync.coordinator_news import (
    AcknowledgedBy,
    GivenUp,
    Inquired,
    LogApplied,
    MetByFact,
    News,
    PassReported,
    PaymentLost,
    TakeOver,
    Tick,
    VoteArrived,
)
from sync.errors import MalformedFrame
from sync.failpoints import Failpoints
from sync.messages import DecisionAck, FromParticipant, Inquiry, Vote
from sync.transaction import Outcome

QUERIES = named_sql("cloud.reservations")
LOG = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
DUE_AT_ONCE = 100
WAITS_PAST_DEADLINE = timedelta(seconds=2)
"""A driver who waits for a decision goes no longer without an answer."""


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
        self._words = words
        self._worker = worker
        self._effects = CommitEffects(lots=lots, link=link, money=money, clock=clock)
        self._errands = Errands(failpoints)
        places = OwnPlaces(clock=clock, new_id=new_id)
        self._holds = DraftHolds(database=database, lots=lots, link=link, places=places, clock=clock)
        self._commit = CommitStep(effects=self._effects, places=places, failpoints=failpoints, worker=worker)
        self._beginning = Beginning(
            database=database,
            link=link,
            commit=self._commit,
            places=places,
            holds=self._holds,
            errands=self._errands,
            failpoints=failpoints,
            worker=worker,
            new_id=new_id,
        )

    # What the service asks

    async def hold(self, draft: Booking) -> Booking:
        """The draft with a place of the cloud's own for ten minutes, where one is free."""
        return await self._holds.take(draft)

    async def begin(self, booking: Booking) -> Booking:
        """The money is held: ask the lot, or sell a place of our own at once where its line is down.

        Nothing begins that has no draft any more; the row is answered as it is then.
        """
        return await self._beginning.begin(booking)

    async def decision(self, booking: Booking) -> Booking:
        """Wait until the transaction is decided, at most until its deadline; past it, whoever waits decides that. Where that cannot be, since
        somebody holds the lot or the row, it is answered undecided before long.
        """
        with self._words.waiting_for(booking.id) as said:
            while True:
                said.clear()
                now, known = await self._looked(booking)
                if known.state is not CoordinatorState.PREPARING:
                    return known
                deadline_at = known.transaction.deadline_at or now
                if now >= deadline_at:
                    await self.take_over(known.id, known.revision)
                if now >= deadline_at + WAITS_PAST_DEADLINE:
                    return (await self._looked(booking))[1]
                await _first(said, min(max(0.05, (deadline_at - now).total_seconds()), LOOK_EVERY_S))

    async def _looked(self, booking: Booking) -> tuple[datetime, Booking]:
        async with self._database.connection() as connection:
            now = await protocol_now(connection)
            return now, await latest(connection, booking.id) or booking

    async def give_up(self, booking: Booking) -> Booking:
        """The driver walks away before the decision."""
        return await self._hear_alone(booking, GivenUp())

    async def payment_lost(self, reservation: UUID, payment: UUID) -> None:
        """The held money is gone; nothing where a later revision has another payment."""
        async with self._database.connection() as connection:
            booking = await latest(connection, reservation)
        if booking is not None and booking.payment == payment:
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
                return (await self._commit.hear(connection, origin.region, known, news)).errands
            case Inquiry():
                known = await self._known(connection, origin, frame.reservation, frame.revision)
                news = Inquired(lot=str(origin.lot), epoch=frame.epoch, current_epoch=origin.epoch)
                return (await self._commit.hear(connection, origin.region, known, news)).errands
            case DecisionAck():
                known = await self._known(connection, origin, frame.reservation, frame.revision)
                news = AcknowledgedBy(lot=str(origin.lot))
                return (await self._commit.hear(connection, origin.region, known, news)).errands
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
            moved = await self._commit.hear(connection, origin.region, booking, LogApplied(heads=heads))
            errands += moved.errands
        return errands

    async def documents_acknowledged(
        self, connection: AsyncConnection[DictRow], origin: Origin, n: int
    ) -> None:
        """The lot's gateway has everything up to document `n`: the decisions among it too."""
        for booking in await untold_of(connection, origin.lot, n):
            await self._commit.hear(connection, origin.region, booking, AcknowledgedBy(lot=str(origin.lot)))

    async def met_by_facts(
        self, connection: AsyncConnection[DictRow], origin: Origin, reservations: Sequence[str]
    ) -> Sequence[Errand]:
        """Facts took places that these reservations hold undecided: they are aborted in this transaction, which applies the facts; a draft loses its hold."""
        await self._holds.give_way(connection, reservations)
        errands: list[Errand] = []
        wanted = set(reservations)
        for booking in await preparing_of(connection, origin.lot):
            if booking.transaction.id.reservation in wanted:
                errands += (await self._commit.hear(connection, origin.region, booking, MetByFact())).errands
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
            await self._commit.hear(connection, origin.region, known, PassReported(lot=str(origin.lot)))
        elif decided is ended.outcome:
            await self._commit.hear(connection, origin.region, known, AcknowledgedBy(lot=str(origin.lot)))
        elif decided is not None and ended.by.startswith("operator"):
            detail = f"the lot {ended.outcome} by hand what is {decided} here"
            await self._effects.record(connection, origin.region, known, "decided_otherwise_by_hand", detail)

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
            self._errands.cancel()

    async def look_at_due(self) -> int:
        """One round of `run`; how many transactions it looked at. Holds of drafts end first."""
        await self._holds.expire()
        async with self._database.connection() as connection:
            rows = await (
                await connection.execute(QUERIES["bookings_due"], {"limit": DUE_AT_ONCE})
            ).fetchall()
        for row in rows:
            await self.take_over(row["id"], row["revision"])
        return len(rows)

    async def take_over(self, reservation: UUID, revision: int) -> None:
        """Go on with a transaction whose worker is silent, or whose deadline has passed; nothing where another process does, or holds the lot."""
        async with self._database.connection() as connection:
            booking = await latest(connection, reservation)
        if booking is None or booking.lot is None or booking.revision != revision:
            return
        try:
            errands = await self._taken_over(booking.lot, booking)
        except LockNotAvailable:
            LOG.info("taken over later: somebody holds it", reservation=str(reservation))
            return
        self._errands.carry_on(errands)

    async def _taken_over(self, lot: UUID, booking: Booking) -> Sequence[Errand]:
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(QUERIES["lock_within"], {"ms": f"{LOCK_WITHIN_MS}ms"})
            region = await hold_lot(connection, lot)
            known = await held(connection, booking.id, booking.revision)
            if known is None:
                return ()
            lease = known.transaction.lease
            mine = lease.holder == self._worker and not lease.is_over(await protocol_now(connection))
            news: News = Tick(token=lease.token) if mine else TakeOver(worker=self._worker)
            return (await self._commit.hear(connection, region, known, news)).errands

    def carry_on(self, errands: Sequence[Errand]) -> None:
        """What moves money goes on by itself; whoever waits for the booking need not wait for it."""
        self._errands.carry_on(errands)

    # One step

    async def _hear_alone(self, booking: Booking, news: News) -> Booking:
        if booking.lot is None:
            return booking
        async with self._database.connection() as connection, connection.transaction():
            region = await hold_lot(connection, booking.lot)
            known = await held(connection, booking.id, booking.revision)
            if known is None:
                return booking
            moved = await self._commit.hear(connection, region, known, news)
        self._errands.carry_on(moved.errands)
        return moved.booking

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


async def _first(event: asyncio.Event, within_s: float) -> None:
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return
