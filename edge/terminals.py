"""What a lane's payment terminal is asked: to take money once, and what became of it. Asked by edge/payments.py and edge/kiosk_sales.py.

Theory. The payment's row is durable before `charge`, and its id is the key of everything said to the terminal. An answer that did not come is
looked up, never asked for twice. One task at a time asks about one payment (`only_one_asks`), so that a look-up never settles what a driver is
just paying elsewhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from drivers.errors import CommandRefused, CommandUnanswered, DriverError
from drivers.ports import Command, Done, LookupPayment, TakePayment
from parking.demands import Payment
from parking.ids import PaymentId

LOG = structlog.stdlib.get_logger("edge.terminals")

TERMINAL_TIMEOUT_S = 60.0
LOOKUP_TIMEOUT_S = 5.0


class Outcome(StrEnum):
    """What became of a payment. `not_stored`: the disk took no record of it, so nobody was asked for money."""

    TAKEN = "taken"
    NOT_TAKEN = "not_taken"
    UNKNOWN = "unknown"
    NOT_STORED = "not_stored"


@dataclass(slots=True, kw_only=True)
class Terminals:
    """The lanes' terminals. `names` says which stands at a lane, `ask` carries a command to its driver."""

    names: Mapping[str, str]
    ask: Callable[[Command, float], Awaitable[Done]]
    _under_way: set[PaymentId] = field(default_factory=set)

    def at(self, lane: str) -> str | None:
        """The terminal of a lane, None where it has none."""
        return self.names.get(lane)

    def is_asked(self, payment: Payment) -> bool:
        """Whether a task is at this payment."""
        return payment.id in self._under_way

    @contextmanager
    def only_one_asks(self, payment: Payment) -> Generator[None]:
        """Nobody else asks about this payment meanwhile."""
        self._under_way.add(payment.id)
        try:
            yield
        finally:
            self._under_way.discard(payment.id)

    async def charge(self, payment: Payment) -> tuple[Outcome, str | None]:
        """Take the money; the outcome with the terminal's own reference."""
        command = TakePayment(
            device=payment.terminal,
            key=payment.id,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
        )
        try:
            done = await self.ask(command, TERMINAL_TIMEOUT_S)
        except CommandUnanswered:
            return await self.look_up(payment)
        except DriverError as refused:
            LOG.info("payment_not_taken", payment=payment.id, error=str(refused))
            return Outcome.NOT_TAKEN, None
        return Outcome.TAKEN, done.reference

    async def look_up(self, payment: Payment) -> tuple[Outcome, str | None]:
        """What became of a payment; unknown while the terminal does not say."""
        try:
            done = await self.ask(LookupPayment(device=payment.terminal, key=payment.id), LOOKUP_TIMEOUT_S)
        except CommandRefused:
            return Outcome.NOT_TAKEN, None
        except DriverError as silent:
            LOG.warning("payment_unknown", payment=payment.id, error=str(silent))
            return Outcome.UNKNOWN, None
        return Outcome.TAKEN, done.reference
