"""What the barriers' controllers remember of this lot's gateways: an old image that wakes up without a line is found out by them.

Theory. A card can be copied, a controller cannot: where it has a register to spare, it keeps the highest epoch of a gateway that it was told. A gateway
that finds a higher one than its own is a past of another: it sells nothing until a person has counted, lets cars out and honours
passes, as one that the centre fenced. A controller that does not answer is asked again; what it says counts whenever it says it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from drivers.errors import DriverError
from drivers.ports import Command, Done, RememberEpoch

LOG = structlog.stdlib.get_logger("edge.barrier_witness")

ASK_AGAIN_S = 5.0
ANSWER_S = 2.0


class FencedLedger(Protocol):
    """What a witness needs of the ledger."""

    epoch: int

    @property
    def verdict(self) -> Literal["ok", "fenced"]:
        """Whether this lot may sell."""
        ...

    def fence(self, reason: str) -> asyncio.Future[None]:
        """Sell nothing until a person has recounted."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BarrierWitness:
    """Asks each controller that can remember, once; `ask` carries a command to it."""

    ledger: FencedLedger
    controllers: Sequence[str]
    ask: Callable[[Command, float], Awaitable[Done]]
    ask_again_s: float = ASK_AGAIN_S

    async def run(self) -> None:
        """Return once every controller has been asked."""
        left = set(self.controllers)
        while left:
            for controller in sorted(left):
                if await self._asked(controller):
                    left.discard(controller)
            if left:
                await asyncio.sleep(self.ask_again_s)

    async def _asked(self, controller: str) -> bool:
        epoch = self.ledger.epoch
        try:
            told = await self.ask(RememberEpoch(device=controller, epoch=epoch), ANSWER_S)
        except DriverError as why_not:
            LOG.info("witness_not_heard", controller=controller, error=str(why_not))
            return False
        remembered = int(told.reference or 0)
        if remembered > epoch:
            reason = f"{controller} remembers a gateway of epoch {remembered}, this one is of epoch {epoch}"
            LOG.error("fenced_by_a_controller", controller=controller, remembered=remembered, epoch=epoch)
            if self.ledger.verdict == "ok":
                self.ledger.fence(reason)
        return True
