"""Paper at a lane: its ticket before the arm opens, its receipt while the car drives. Made by edge/bootstrap.py, next file: drivers/printer/driver.py.

Theory. A lane with a printer works as one without, and prints besides. What was decided is durable before a slip is asked for. The ticket is waited
for, at most `PRINT_TIMEOUT_S`: printed, refused or not answered, the lane goes on, and where no paper came for certain the screen says so beside the
same code. A ticket that nobody takes keeps no arm down. A receipt is nobody's to wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from drivers.errors import DriverError
from drivers.ports import Command, Done, PrintSlip
from edge.lane_ports import LaneWork
from edge.visit import Answered, Receipt, Ticket, Visit
from parking.lot import Lot
from parking.money import in_major

LOG = structlog.stdlib.get_logger("edge.slips")

PRINT_TIMEOUT_S = 6.0


@dataclass(slots=True, kw_only=True)
class PrintingWork:
    """A lane's work, with what it prints; `ask` carries a command to the driver of `printer`."""

    work: LaneWork
    lot: Lot
    printer: str
    ask: Callable[[Command, float], Awaitable[Done]]
    _receipts: set[asyncio.Task[bool]] = field(default_factory=set)

    async def decide(self, visit: Visit) -> Answered:
        """Decide, and print the ticket that was issued, see `LaneWork.decide`."""
        answered = await self.work.decide(visit)
        if answered.ticket is None:
            return answered
        return replace(answered, printed=await self._printed(self._ticket(answered.ticket)))

    async def pay(self, visit: Visit) -> Answered:
        """Take the payment, and let its receipt be printed, see `LaneWork.pay`."""
        answered = await self.work.pay(visit)
        if answered.receipt is not None:
            self._start(self._printed(self._receipt(answered.receipt)))
        return answered

    def passed(self, visit: Visit | None) -> None:
        """See `LaneWork.passed`."""
        self.work.passed(visit)

    def backed_out(self, visit: Visit) -> None:
        """See `LaneWork.backed_out`."""
        self.work.backed_out(visit)

    async def _printed(self, slip: PrintSlip) -> bool:
        """Whether the slip is out for certain."""
        try:
            await self.ask(slip, PRINT_TIMEOUT_S)
        except DriverError as why_not:
            LOG.warning("slip_not_printed", printer=self.printer, error=str(why_not))
            return False
        return True

    def _start(self, printing: Coroutine[object, object, bool]) -> None:
        task = asyncio.get_running_loop().create_task(printing)
        self._receipts.add(task)
        task.add_done_callback(self._receipts.discard)

    def _ticket(self, ticket: Ticket) -> PrintSlip:
        return self._slip((self._at(ticket.issued_at), ticket.code), ticket.text)

    def _receipt(self, receipt: Receipt) -> PrintSlip:
        paid = f"{in_major(receipt.amount_minor, receipt.currency)} {receipt.currency}"
        leave_by = f"-> {self._at(receipt.leave_by_at)}"
        return self._slip((paid, self._at(receipt.paid_at), leave_by, receipt.code), receipt.text)

    def _slip(self, lines: tuple[str, ...], code: str) -> PrintSlip:
        address = (self.lot.address,) if self.lot.address else ()
        return PrintSlip(device=self.printer, title=self.lot.name, lines=(*address, *lines), code=code)

    def _at(self, instant: datetime) -> str:
        return f"{instant.astimezone(self.lot.timezone):%Y-%m-%d %H:%M}"
