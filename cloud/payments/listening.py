"""Who hears what becomes of a payment. Next in its story: cloud/reservations/authorised."""

from __future__ import annotations

from typing import Protocol

import structlog

from cloud.payments.records import PaymentRecord
from sync.payment import PaymentAct

LOG = structlog.get_logger(__name__)


class PaymentListener(Protocol):
    """Whoever acts on what becomes of a payment: the reservations."""

    async def payment_told(self, payment: PaymentRecord, act: PaymentAct) -> None:
        """After the commit. `TELL_AUTHORISED` is told again every 30 s until the coordinator decided, so that a process that died
        between commit and telling costs time only; the others are told once, or not at all where the process died: the coordinator
        must not depend on them.
        """
        ...


class NobodyListens:
    """Where nothing hangs on payments yet."""

    async def payment_told(self, payment: PaymentRecord, act: PaymentAct) -> None:
        """Write it to the log."""
        LOG.info("payment", payment=str(payment.id), standing=str(payment.standing), told=str(act))
