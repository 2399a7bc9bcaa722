"""One piece of news about one booking, inside one transaction: step, carry out, write. Next in its story: sync/coordinator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.named_sql import named_sql
from cloud.reservations.booking_rows import Booking, BookingStatus, add, before_it, protocol_now, write
from cloud.reservations.commit_effects import ClaimCannotStand, CommitEffects
from cloud.reservations.commit_words import Word, say
from cloud.reservations.own_places import OwnPlaces
from cloud.reservations.ports import Errand
from sync.booking import Ballot, CoordinatorState
from sync.coordinator import step, superseded_by_next
from sync.coordinator_news import (
    Begin,
    CoordinatorEffect,
    FallBack,
    News,
    NothingOwn,
    Tell,
    VoteArrived,
)
from sync.failpoints import Failpoints
from sync.transaction import NoReason, Outcome

QUERIES = named_sql("cloud.reservations")

DECISION_BEFORE_COMMIT = "cloud.coordinator.decision_before_commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A row as it was written, and what is to be done after the commit."""

    booking: Booking
    errands: tuple[Errand, ...] = ()


class CommitStep:
    """The caller's transaction holds the lot's row and the reservation's. `worker` names this process."""

    def __init__(
        self, *, effects: CommitEffects, places: OwnPlaces, failpoints: Failpoints, worker: str
    ) -> None:
        self._effects = effects
        self._places = places
        self._failpoints = failpoints
        self._worker = worker

    async def hear(
        self, connection: AsyncConnection[DictRow], region: str, booking: Booking, news: News
    ) -> Moved:
        """Step, carry out, write: all or nothing of it."""
        now = await protocol_now(connection)
        after, effects = step(booking.transaction, news, now)
        moved = replace(booking, transaction=after)
        try:
            async with connection.transaction():
                return await self.carry_out(
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
        return await self.carry_out(connection, region, before=booking, after=moved, effects=effects, now=now)

    async def carry_out(
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
        after = await self._in_place_of_earlier(connection, before, _with_status(before, after))
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
                        errands += await self._effects.do(connection, region, after, more)
                case Tell(decision=decision):
                    after = await self._effects.tell(connection, after, decision)
                case _:
                    errands += await self._effects.do(connection, region, after, (effect,))
        await self.write(connection, before, after)
        await self._effects.publish(connection, region, before, after)
        if following is not None:
            sold = await self.begin_on_own(connection, region, following, now)
            return Moved(booking=sold.booking, errands=(*errands, *sold.errands))
        return Moved(booking=after, errands=tuple(errands))

    async def write(self, connection: AsyncConnection[DictRow], before: Booking, after: Booking) -> None:
        """The row where it is still what it was, and a word to whoever waits for it.

        Raises:
            ClaimCannotStand: it is not, or the deadline has passed by now.
        """
        if before.state is CoordinatorState.NONE:
            written = await add(connection, after)
        else:
            if after.transaction.outcome is not None and before.transaction.outcome is None:
                self._failpoints.hit(DECISION_BEFORE_COMMIT)
            written = await write(connection, before.state, after)
        if not written:
            # Between the step and the write the deadline passed; a worker that looks again finds that out.
            raise ClaimCannotStand
        is_waited_for = (
            before.state is not CoordinatorState.DRAFT or after.transaction.outcome is not Outcome.ABORTED
        )
        if after.lot is not None and is_waited_for:
            await say(connection, Word(lot=after.lot, reservation=after.id))

    async def _in_place_of_earlier(
        self, connection: AsyncConnection[DictRow], before: Booking, after: Booking
    ) -> Booking:
        """A change that is committed speaks for the booking from now on, and for who is inside on it."""
        is_committed = after.state is CoordinatorState.COMMITTED is not before.state
        earlier = await before_it(connection, after) if is_committed and after.revision > 1 else None
        if earlier is None:
            return after
        await connection.execute(
            QUERIES["bookings_before_settle"], {"id": after.id, "revision": after.revision}
        )
        in_use = earlier.status is BookingStatus.IN_USE
        return replace(after, status=BookingStatus.IN_USE) if in_use else after

    async def _fall_back(
        self, connection: AsyncConnection[DictRow], region: str, booking: Booking
    ) -> Booking | None:
        """The next revision, with a place of our own held for it; None where there is none."""
        _, following = superseded_by_next(booking.transaction)
        draft = replace(
            booking, transaction=following, status=BookingStatus.DRAFT, told_n=None, link_session=None
        )
        epoch = max((ballot.epoch for ballot in booking.transaction.ballots), default=0)
        return await self._places.take(connection, region, draft, epoch)

    async def begin_on_own(
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
        return await self.carry_out(connection, region, before=booking, after=moved, effects=effects, now=now)


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
