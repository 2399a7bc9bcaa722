"""The provider's word begins a booking too, where it comes before the driver's. Next in its story: cloud/reservations/coordination."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

import structlog

from cloud.database import Database
from cloud.reservations.booking_rows import latest
from cloud.reservations.coordination import Coordination
from sync.booking import CoordinatorState
from sync.payment import PaymentAct

LOG = structlog.get_logger(__name__)


class PaymentTold(Protocol):
    """What is needed of a payment's row."""

    @property
    def id(self) -> UUID:
        """Which payment."""
        ...

    @property
    def reservation(self) -> UUID | None:
        """What it is for; None: not for a reservation."""
        ...


class AuthorisedBookings:
    """Listens to payments."""

    def __init__(self, *, database: Database, coordination: Coordination) -> None:
        self._database = database
        self._coordination = coordination

    async def payment_told(self, payment: PaymentTold, act: PaymentAct) -> None:
        """Authorised: begin, unless the driver was told already that it cannot be. Lost: abort what is not decided, and have what is
        decided owed. The decision is not waited for: votes and deadlines bring it.
        """
        if payment.reservation is None:
            return
        if act is PaymentAct.TELL_LOST:
            await self._coordination.payment_lost(payment.reservation, payment.id)
        if act is not PaymentAct.TELL_AUTHORISED:
            return
        async with self._database.connection() as connection:
            booking = await latest(connection, payment.reservation)
        if booking is None or booking.lot is None or booking.transaction.reason:
            return
        if booking.state is CoordinatorState.DRAFT:
            begun = await self._coordination.begin(booking)
            LOG.info("begun by the provider's word", reservation=str(begun.id), state=str(begun.state))
