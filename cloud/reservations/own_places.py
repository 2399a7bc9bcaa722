"""Places of the cloud's own: one is taken by one statement, under the constraint. Next in its story: cloud/reservations/commit_step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.named_sql import named_sql
from cloud.reservations.booking_rows import Booking
from parking.claims import Claim, ClaimKind, ClaimState
from parking.clock import Clock
from parking.ids import ClaimId, SpotId
from parking.lot import Tier

QUERIES = named_sql("cloud.reservations")


class OwnPlaces:
    """Everything works inside the caller's transaction. `new_id` makes claims' ids."""

    def __init__(self, *, clock: Clock, new_id: Callable[[], UUID]) -> None:
        self._clock = clock
        self._new_id = new_id

    async def take(
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

    async def left(self, connection: AsyncConnection[DictRow], booking: Booking) -> tuple[int, int]:
        """How many places of the type are our own here, and how many of them are free for the window."""
        window = booking.transaction.window
        scope = {
            "lot": booking.lot,
            "type": booking.type_word,
            "spot": booking.spot,
            "holder": str(booking.id),
            "starts_at": None if window is None else window.starts_at,
            "ends_at": None if window is None else window.ends_at,
            "now": self._clock.now(),
        }
        (row,) = await (await connection.execute(QUERIES["own_spots_left"], scope)).fetchall()
        return row["total"], row["free"]
