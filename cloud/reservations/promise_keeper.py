"""Promises between their commit and their start: money of cheaper changes, bookings in trouble, and drivers who are told. Any process does it.

Theory. Nothing here decides: what is due stands in rows, and each piece of work is one transaction that looks again. Half an hour before its start
a booking is looked at: where its claim clashes with a fact, or is gone, the promise is at risk. That, or the lot's own word
(cloud/reservations/risk_facts), gets it another place where we have one (cloud/reservations/rehoming), or is told to the driver once, with what else there is in that window and what he gets back: all of it,
when he cancels, or when the window ends and the place was never used.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid5

import structlog
from psycopg import OperationalError
from psycopg.errors import UndefinedTable
from psycopg_pool import PoolTimeout

from cloud.database import Database
from cloud.events import NewEvent, publish
from cloud.named_sql import named_sql
from cloud.reservations.booking import BookingService
from cloud.reservations.booking_rows import Booking, held, hold_lot, told_bookings
from cloud.reservations.coordination import Coordination
from cloud.reservations.ports import Errand, LotLink, PaymentHold
from cloud.reservations.rehoming import Rehoming
from cloud.reservations.risks import NO_PLACE, REFUND_RULE
from parking.clock import Clock

QUERIES = named_sql("cloud.reservations")
LOG = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
AT_ONCE = 100
CHECKED_BEFORE = timedelta(minutes=30)
"""Civil."""


class PromiseKeeper:
    """Several may run: each takes rows for itself."""

    def __init__(
        self,
        *,
        database: Database,
        link: LotLink,
        money: PaymentHold,
        bookings: BookingService,
        rehoming: Rehoming,
        coordination: Coordination,
        clock: Clock,
    ) -> None:
        self._database = database
        self._link = link
        self._money = money
        self._bookings = bookings
        self._rehoming = rehoming
        self._coordination = coordination
        self._clock = clock

    async def run(self) -> None:
        """Look each second, until cancelled."""
        while True:
            try:
                await self.look()
            except (OperationalError, PoolTimeout, UndefinedTable) as error:
                LOG.warning("promises wait for the database", error=str(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """One round."""
        async with self._database.connection() as connection:
            giving_back = await told_bookings(connection, "bookings_giving_back", {"limit": AT_ONCE})
        for booking in giving_back:
            await self._give_back(booking)
        await self._check_soon()
        async with self._database.connection() as connection:
            untold = await told_bookings(connection, "bookings_risk_untold", {"limit": AT_ONCE})
        for booking in untold:
            if booking.at_risk != NO_PLACE or not await self._rehome(booking):
                await self._tell(booking)

    async def _give_back(self, known: Booking) -> None:
        """The difference of a cheaper change, as soon as the lot has let go what it gave up."""
        if known.lot is None:
            return
        errands: list[Errand] = []
        async with self._database.connection() as connection, connection.transaction():
            await hold_lot(connection, known.lot)
            booking = await held(connection, known.id, known.revision)
            if booking is None or not booking.give_back_minor:
                return
            line = await self._link.standing(connection, known.lot)
            has = 0 if line is None else await self._link.acknowledged_n(connection, line.gateway)
            if booking.cuts and (booking.cut_n is None or has < booking.cut_n):
                return
            left_minor = booking.give_back_minor
            paid = await (
                await connection.execute(QUERIES["payments_of_booking"], {"id": booking.id})
            ).fetchall()
            for row in paid:
                if not left_minor:
                    break
                given_minor, errand = await self._money.give_part_back(
                    connection,
                    row["payment_id"],
                    refund=uuid5(row["payment_id"], f"revision {booking.revision}"),
                    at_most_minor=left_minor,
                )
                left_minor -= given_minor
                errands += [] if errand is None else [errand]
            # What is not captured yet cannot go back yet: the next round looks again.
            gave = {
                "id": booking.id,
                "revision": booking.revision,
                "amount_minor": booking.give_back_minor - left_minor,
            }
            await connection.execute(QUERIES["booking_gave_back"], gave)
        self._coordination.carry_on(errands)

    async def _check_soon(self) -> None:
        """Mark the bookings that begin soon and have no place of their own, and unmark those that have one again."""
        now = self._clock.now()
        scope = {"now": now, "until": now + CHECKED_BEFORE, "reason": NO_PLACE}
        async with self._database.connection() as connection:
            cursor = await connection.execute(QUERIES["bookings_in_trouble"], scope)
            for row in await cursor.fetchall():
                LOG.warning("booking in trouble", reservation=str(row["id"]), at_risk=row["at_risk"])

    async def _rehome(self, known: Booking) -> bool:
        """Whether it has a place again, one of our own."""
        if known.lot is None:
            return False
        async with self._database.connection() as connection, connection.transaction():
            region = await hold_lot(connection, known.lot)
            booking = await held(connection, known.id, known.revision)
            if booking is None or booking.at_risk != NO_PLACE:
                return True
            return await self._rehoming.to_an_own_place(connection, region, booking)

    async def _tell(self, known: Booking) -> None:
        if known.lot is None:
            return
        alternatives = await self._bookings.alternatives(known)
        async with self._database.connection() as connection, connection.transaction():
            await hold_lot(connection, known.lot)
            scope = {"id": known.id, "revision": known.revision}
            if await (await connection.execute(QUERIES["booking_risk_tell"], scope)).fetchone() is None:
                return
            body: dict[str, object] = {
                "reservation": str(known.id),
                "revision": known.revision,
                "reason": known.at_risk,
                "refund": REFUND_RULE,
                "alternatives": [dict(one) for one in alternatives],
            }
            await publish(connection, [NewEvent(lot=known.lot, kind="ReservationAtRisk", body=body)])
