"""The begin of a booking: the lot is asked over its line, or a place of the cloud's own is sold at once. Next in its story: cloud/reservations/commit_step.

In this process they come one after the other (cloud/reservations/turns); between processes the lot's row decides, for which nobody waits long. Who
cannot get anything any more does not queue for that row: it is seen without holding anything, and the answer touches the reservation alone.

Several may begin the same draft: its driver at two processes, the provider's webhook, a process that stood still. Whoever comes second, under the lock,
answers what the first one wrote, whatever that was: a driver who has heard a no is not booked by an older question of his own, and one whose no was
followed by a place of the cloud's own hears of that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected, LockNotAvailable
from psycopg.rows import DictRow

from cloud.database import Database
from cloud.named_sql import named_sql
from cloud.reservations.booking_rows import (
    Booking,
    BookingStatus,
    before_it,
    held,
    hold_lot,
    latest,
    protocol_now,
    unheard_of,
)
from cloud.reservations.commit_step import CommitStep, Moved
from cloud.reservations.draft_holds import DraftHolds
from cloud.reservations.errands import Errands
from cloud.reservations.own_places import OwnPlaces
from cloud.reservations.ports import LotLink, LotStandingNow
from cloud.reservations.turns import Turns
from parking.ids import ClaimId, SpotId
from sync.booking import Ballot, CoordinatorState
from sync.coordinator import step
from sync.coordinator_news import Begin, GivenUp
from sync.failpoints import Failpoints
from sync.transaction import NoReason

QUERIES = named_sql("cloud.reservations")

LOCK_WITHIN_MS = 800
"""No driver waits a second for somebody else's sale."""

BEGIN_BEFORE_COMMIT = "cloud.coordinator.begin_before_commit"
BEGIN_AFTER_COMMIT = "cloud.coordinator.begin_after_commit"


class Beginning:
    """`worker` names this process; `new_id` makes claims' ids."""

    def __init__(
        self,
        *,
        database: Database,
        link: LotLink,
        commit: CommitStep,
        places: OwnPlaces,
        holds: DraftHolds,
        errands: Errands,
        failpoints: Failpoints,
        worker: str,
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._link = link
        self._commit = commit
        self._places = places
        self._holds = holds
        self._errands = errands
        self._failpoints = failpoints
        self._worker = worker
        self._new_id = new_id
        self._turns = Turns()

    async def begin(self, booking: Booking) -> Booking:
        """The money is held: ask the lot, or sell a place of our own at once where its line is down.

        Nothing begins that has no draft any more; the row is answered as it is then.
        """
        if booking.lot is None:
            return booking
        wanted = (booking.transaction.type, booking.spot, booking.transaction.window)
        has_hold = bool(booking.transaction.own_claims)
        async with self._turns.of(booking.lot, wanted) as turn:
            is_missed = turn.is_missed and not has_hold
            begun = None if is_missed else await self._begun(booking.lot, booking)
            if begun is None:
                turn.miss()
        return begun or await self._refuse_as_full(booking)

    async def _begun(self, lot: UUID, booking: Booking) -> Booking | None:
        """The row after its begin; None where we have places of our own here and they are taken."""
        if not booking.transaction.own_claims and await self._is_hopeless(lot, booking):
            return None
        try:
            moved = await self._in_one_commit(lot, booking)
        except DeadlockDetected:
            try:
                moved = await self._in_one_commit(lot, booking)
            except (DeadlockDetected, LockNotAvailable):
                return booking.because(NoReason.BUSY)
        except LockNotAvailable:
            # The lot is held by something long. Nothing was begun: the draft stands, and the driver may ask again.
            return booking.because(NoReason.BUSY)
        if moved is None:
            return None
        self._errands.carry_on(moved.errands)
        return moved.booking

    async def _in_one_commit(self, lot: UUID, known: Booking) -> Moved | None:
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(QUERIES["lock_within"], {"ms": f"{LOCK_WITHIN_MS}ms"})
            region = await hold_lot(connection, lot)
            booking = await held(connection, known.id, known.revision)
            if booking is None or booking.state is not CoordinatorState.DRAFT:
                return Moved(booking=await _as_it_is(connection, known, booking))
            if _is_written_since(known, booking):
                return Moved(booking=booking)  # answered since this was asked
            booking = replace(booking, transaction=replace(booking.transaction, reason=""))
            booking = await self._holds.kept(connection, region, booking)
            line = await self._link.standing(connection, lot)
            if not await self._may_begin(connection, booking):
                moved: Moved | None = await self._commit.hear(connection, region, booking, GivenUp())
            elif booking.transaction.window is None:
                moved = await self._cut(connection, region, booking, line)
            elif booking.transaction.own_claims:
                now = await protocol_now(connection)
                moved = await self._commit.begin_on_own(connection, region, booking, now)
            elif line is not None and line.connected:
                moved = await self._ask_lot(connection, booking, line)
            else:
                moved = await self._sell_own(connection, region, booking, line)
            self._failpoints.hit(BEGIN_BEFORE_COMMIT)
        self._failpoints.hit(BEGIN_AFTER_COMMIT)
        return moved

    async def _may_begin(self, connection: AsyncConnection[DictRow], booking: Booking) -> bool:
        """A change begins only while the booking stands that it changes."""
        before = await before_it(connection, booking)
        return before is None or before.status in {BookingStatus.ACTIVE, BookingStatus.IN_USE}

    async def _cut(
        self,
        connection: AsyncConnection[DictRow],
        region: str,
        booking: Booking,
        line: LotStandingNow | None,
    ) -> Moved:
        """Nothing is added: nobody is asked, the lot is told."""
        epoch = 0 if line is None else line.epoch
        told = Ballot(lot=str(booking.lot), epoch=epoch, claim=ClaimId(str(self._new_id())), asked=False)
        begin = Begin(worker=self._worker, authorised=True, ballots=(told,))
        return await self._commit.hear(connection, region, booking, begin)

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
        return await self._commit.hear(connection, line.region, asked, begin)

    async def _sell_own(
        self,
        connection: AsyncConnection[DictRow],
        region: str,
        booking: Booking,
        line: LotStandingNow | None,
    ) -> Moved | None:
        """The line is down: a place of our own, or an answer at once; None where we had some and they are taken."""
        epoch = 0 if line is None else line.epoch
        taken = await self._places.take(connection, region, booking, epoch)
        if taken is not None:
            return await self._commit.begin_on_own(connection, region, taken, await protocol_now(connection))
        total, _ = await self._places.left(connection, booking)
        if total:
            return None
        # It stays a draft, which says why it was not begun: the driver was answered, and nobody but the driver begins it again.
        answered = booking.because(NoReason.LINK_DOWN)
        await self._commit.write(connection, booking, answered)
        return Moved(booking=answered)

    async def _is_hopeless(self, lot: UUID, booking: Booking) -> bool:
        """Whether the line is down and our own places are taken, seen without holding anything."""
        if booking.transaction.window is None:
            return False
        async with self._database.connection() as connection:
            line = await self._link.standing(connection, lot)
            if line is not None and line.connected:
                return False
            total, free = await self._places.left(connection, booking)
        return total > 0 and free == 0

    async def _refuse_as_full(self, known: Booking) -> Booking:
        """We had places and they are taken: there is nothing to wait for, and the money goes free. Touches nothing of the lot."""
        try:
            moved = await self._ended_as_full(known)
        except LockNotAvailable:
            return known.because(NoReason.BUSY)
        self._errands.carry_on(moved.errands)
        return moved.booking

    async def _ended_as_full(self, known: Booking) -> Moved:
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(QUERIES["lock_within"], {"ms": f"{LOCK_WITHIN_MS}ms"})
            booking = await held(connection, known.id, known.revision)
            if booking is None or booking.state is not CoordinatorState.DRAFT:
                return Moved(booking=await _as_it_is(connection, known, booking))
            if _is_written_since(known, booking):
                return Moved(booking=booking)
            now = await protocol_now(connection)
            after, effects = step(booking.transaction, GivenUp(), now)
            ended = replace(booking, transaction=after).because(NoReason.FULL)
            return await self._commit.carry_out(
                connection, "", before=booking, after=ended, effects=effects, now=now
            )


async def _as_it_is(
    connection: AsyncConnection[DictRow], known: Booking, now_held: Booking | None
) -> Booking:
    """What became of a draft that is none any more: the revision after it where that has taken its payment on."""
    if now_held is None:
        return unheard_of(str(known.id), known.revision)
    return await latest(connection, known.id) or now_held if now_held.transaction.superseded else now_held


def _is_written_since(known: Booking, now_held: Booking) -> bool:
    return known.written_at is not None and known.written_at != now_held.written_at
