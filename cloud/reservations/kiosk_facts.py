"""What a lot's log tells of bookings that its kiosk sold: the lot owned the spot, asked nobody, and took the money. Next in its story: cloud/reservations/booking_rows.

The booking is a reservation like any other from here on: committed and active, cancelled by the same document, over by the same facts. Its claim, demand
and payment are rows of their own, told before it. Its user is the kiosk, since nobody has signed in there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.events import NewEvent, publish
from cloud.facts import Fact, Origin, Read, require_uuid
from cloud.reservations.booking_rows import Booking, BookingStatus, add
from parking.interval import Interval
from parking.lot import SpotType
from sync.booking import CoordinatorState, Transaction
from sync.errors import MalformedFrame
from sync.events import EventKind
from sync.fields import Fields, instant, integer, text, word
from sync.transaction import TransactionId

KIOSK = "kiosk"


class KioskFacts:
    """Puts the lots' own sales among the reservations."""

    kinds: frozenset[str] = frozenset({EventKind.BOOKING_SOLD})

    def read(self, fact: Fact) -> Booking:
        """The booking that `fact` tells; its lot is for `apply` to say.

        Raises:
            MalformedFrame: its body is not what its kind says.
        """
        fields = Fields(fact.body, "body")
        reservation = fields.take("reservation", text(64, shortest=1))
        require_uuid(reservation, "body.reservation")
        starts_at, ends_at = fields.take("starts_us", instant), fields.take("ends_us", instant)
        if ends_at <= starts_at:
            raise MalformedFrame("body.ends_us", "must be after the start")
        revision = fields.take("revision", integer(1, 2**31 - 1))
        return Booking(
            transaction=Transaction(
                id=TransactionId(reservation=reservation, revision=revision),
                state=CoordinatorState.COMMITTED,
                type=fields.take("type", word(SpotType)),
                window=Interval(starts_at, ends_at),
            ),
            user=KIOSK,
            status=BookingStatus.ACTIVE,
            amount_minor=fields.take("amount_minor", integer(0, 2**53)),
            currency=fields.take("currency", text(3, shortest=3)),
        )

    async def apply(
        self, connection: AsyncConnection[DictRow], origin: Origin, facts: Sequence[Read[Booking]]
    ) -> None:
        """Each is a new row; one that is there already stays as it is."""
        for read in facts:
            booking = read.row
            if await add(connection, replace(booking, lot=origin.lot)):
                body: dict[str, object] = {
                    "reservation": str(booking.id),
                    "revision": booking.revision,
                    "type": booking.type_word,
                }
                booked = NewEvent(lot=origin.lot, kind="ParkingSpotBooked", body=body)
                await publish(connection, [booked])
