"""A promise that lost its place gets one of the cloud's own. Next in its story: sync/participant_effects.

The new claim is taken first, by the one statement that can. The lot hears the decision of the same revision once more, now with this claim: it puts it
on record, whoever is inside goes over to it, and the old one is released by the lot's own log. A painted spot is never swapped.
"""

from __future__ import annotations

from dataclasses import replace

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.events import NewEvent, publish
from cloud.named_sql import named_sql
from cloud.reservations.booking_rows import Booking, Guarantee
from cloud.reservations.commit_effects import CommitEffects
from cloud.reservations.commit_words import Word, say
from cloud.reservations.own_places import OwnPlaces
from cloud.reservations.ports import LotLink
from parking.claims import ClaimState
from sync.commit_documents import DECISION, decision_body
from sync.transaction import Outcome

QUERIES = named_sql("cloud.reservations")


class Rehoming:
    """Works inside the caller's transaction, which holds the lot's row and the reservation's."""

    def __init__(self, *, link: LotLink, places: OwnPlaces, effects: CommitEffects) -> None:
        self._link = link
        self._places = places
        self._effects = effects

    async def to_an_own_place(
        self, connection: AsyncConnection[DictRow], region: str, booking: Booking
    ) -> bool:
        """Whether there was one for all of its window."""
        line = None if booking.lot is None else await self._link.standing(connection, booking.lot)
        if line is None or booking.lot is None or booking.guarantee is Guarantee.SPOT:
            return False
        whole = replace(booking, transaction=replace(booking.transaction, window=booking.booked))
        taken = await self._places.take(connection, region, whole, line.epoch)
        if taken is None:
            return False
        (held,) = taken.transaction.own_claims
        claim = held.moved_to(ClaimState.FIRM)
        await self._effects.make_firm(connection, region, booking, (claim,))
        body = decision_body(booking.transaction.id, Outcome.COMMITTED, claim=claim)
        await self._link.add_document(connection, line.gateway, DECISION, body)
        await connection.execute(
            QUERIES["booking_at_risk"], {"id": booking.id, "lot": booking.lot, "reason": None}
        )
        told: dict[str, object] = {"reservation": str(booking.id)}
        await publish(connection, [NewEvent(lot=booking.lot, kind="ReservationRehomed", body=told)])
        await say(connection, Word(lot=booking.lot, reservation=booking.id))
        return True
