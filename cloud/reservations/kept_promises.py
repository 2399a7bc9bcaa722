"""A booking after its commit: cancelled, used, over. Next in its story: sync/cancellation.

A cancellation is pending until the lot's own log says which was first, the release or the use of the pass; the money goes back in the transaction
that applies that row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.events import NewEvent, publish
from cloud.facts import Origin
from cloud.named_sql import named_sql
from cloud.reservations.booking_rows import Booking, BookingStatus, told_bookings
from cloud.reservations.commit_words import Word, say
from cloud.reservations.ports import Errand, LotLink, PaymentHold
from parking.claims import Claim, ClaimState
from parking.stays import Stay, StayState
from sync.cancellation import BookingAct, BookingNews, BookingState, step
from sync.commit_documents import CANCELLATION, cancellation_body

QUERIES = named_sql("cloud.reservations")
LOG = structlog.get_logger(__name__)

_OF_STAY: Mapping[StayState, BookingNews] = {
    StayState.ADMITTED: BookingNews.PASS_USED,
    StayState.INSIDE: BookingNews.PASS_USED,
    StayState.LEFT: BookingNews.STAY_ENDED,
}


class KeptPromises:
    """Everything works inside the caller's transaction, which holds the lot's row."""

    def __init__(self, *, link: LotLink, money: PaymentHold) -> None:
        self._link = link
        self._money = money

    async def cancel(self, connection: AsyncConnection[DictRow], booking: Booking) -> Sequence[Errand]:
        """The driver does not want it any more."""
        return await self._hear(connection, booking, BookingNews.CANCEL_ASKED)

    async def told(
        self,
        connection: AsyncConnection[DictRow],
        origin: Origin,
        *,
        claims: Sequence[Claim],
        stays: Sequence[Stay],
        until: datetime | None,
    ) -> None:
        """The lot's log tells of claims and stays, up to the civil instant `until`. What is to be paid back is due, and found by itself."""
        news = await self._news(connection, origin, claims, stays)
        if news:
            scope = {"lot": origin.lot, "ids": list(news)}
            for booking in await told_bookings(connection, "bookings_told", scope):
                for one in news[booking.transaction.id.reservation]:
                    await self._hear(connection, booking, one)
        if until is not None:
            scope = {"lot": origin.lot, "until": until}
            for booking in await told_bookings(connection, "bookings_ended", scope):
                # A promise that was at risk and whose place was never used was not kept.
                at_risk = booking.at_risk is not None and booking.status is BookingStatus.ACTIVE
                await self._hear(
                    connection, booking, BookingNews.DISPLACED if at_risk else BookingNews.WINDOW_PASSED
                )

    async def _news(
        self,
        connection: AsyncConnection[DictRow],
        origin: Origin,
        claims: Sequence[Claim],
        stays: Sequence[Stay],
    ) -> dict[str, list[BookingNews]]:
        """By reservation. A use comes before a release of the same page: the log would not release what is in use."""
        news: dict[str, list[BookingNews]] = {}
        of_stays = {str(stay.claim): stay for stay in stays if stay.claim is not None}
        if of_stays:
            scope = {"region": origin.region, "ids": list(of_stays)}
            rows = await (await connection.execute(QUERIES["holders_of_claims"], scope)).fetchall()
            for row in rows:
                told = _OF_STAY.get(of_stays[str(row["id"])].state)
                if told is not None:
                    news.setdefault(row["holder_id"], []).append(told)
        released = {
            claim.holder_id
            for claim in claims
            if claim.holder_kind == "reservation" and claim.state is ClaimState.RELEASED
        }
        if released:
            # A booking that was changed may have several claims: it is let go with the last of them.
            among: dict[str, object] = {
                "region": origin.region,
                "lot": origin.lot,
                "holders": list(released),
            }
            rows = await (await connection.execute(QUERIES["holders_that_hold"], among)).fetchall()
            for holder in released - {row["holder_id"] for row in rows}:
                news.setdefault(holder, []).append(BookingNews.CLAIM_RELEASED)
        return {holder: told for holder, told in news.items() if _is_uuid(holder)}

    async def _hear(
        self, connection: AsyncConnection[DictRow], booking: Booking, news: BookingNews
    ) -> Sequence[Errand]:
        if booking.status is None or booking.lot is None or str(booking.status) not in set(BookingState):
            return ()
        state, acts = step(BookingState(booking.status), news)
        errands: list[Errand] = []
        for act in acts:
            match act:
                case BookingAct.TELL_LOT:
                    await self._tell(connection, booking)
                case BookingAct.REFUND:
                    errands += await self._give_all_back(connection, booking)
                case BookingAct.CANCELLATION_FAILED | BookingAct.ALARM:
                    LOG.warning("booking", act=str(act), reservation=str(booking.id), state=str(state))
        if str(state) != str(booking.status):
            columns = {"id": booking.id, "revision": booking.revision, "status": str(state)}
            await connection.execute(QUERIES["booking_status"], columns)
            if state is BookingState.CANCELLED:
                body: dict[str, object] = {"reservation": str(booking.id)}
                await publish(connection, [NewEvent(lot=booking.lot, kind="ReservationCancelled", body=body)])
        return errands

    async def _give_all_back(
        self, connection: AsyncConnection[DictRow], booking: Booking
    ) -> Sequence[Errand]:
        """All that was paid, for each revision that added something."""
        paid = await (await connection.execute(QUERIES["payments_of_booking"], {"id": booking.id})).fetchall()
        errands = [await self._money.give_back(connection, row["payment_id"]) for row in paid]
        return [errand for errand in errands if errand is not None]

    async def _tell(self, connection: AsyncConnection[DictRow], booking: Booking) -> None:
        """The cancellation goes into the list of the lot's gateway, and whoever holds its link looks at the list."""
        line = None if booking.lot is None else await self._link.standing(connection, booking.lot)
        if line is not None and booking.lot is not None:
            body = cancellation_body(booking.transaction.id)
            await self._link.add_document(connection, line.gateway, CANCELLATION, body)
            await say(connection, Word(lot=booking.lot, reservation=booking.id))


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
