"""What reservations ask of others: money that is held, and the line to a lot. Payments and gateways implement these; bootstrap joins them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from parking.tariff import Tariff
from sync.transaction import Outcome

Errand = Callable[[], Awaitable[object]]
"""What is to be done after the commit; lost with its process, it is found again by whoever gave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyWanted:
    """Money for one reservation, to be held until it is decided."""

    payment: UUID
    reservation: UUID
    lot: UUID
    amount_minor: int
    currency: str


class Held(StrEnum):
    """How the money stands: on hold for us, still the driver's to confirm, or gone (cancelled, declined for good, never created)."""

    HELD = "held"
    WAITING = "waiting"
    LOST = "lost"


class PaymentHold(Protocol):
    """The payment provider as the coordinator sees it: authorised = prepared, capture = commit, cancel = abort."""

    async def put_down(self, connection: AsyncConnection[DictRow], wanted: MoneyWanted) -> None:
        """In the draft's transaction: the payment is on record before the provider is asked."""
        ...

    async def offer(self, payment: UUID) -> str:
        """Have it created at the provider; what the driver's browser confirms it with, "" where that is not known now."""
        ...

    async def standing(self, payment: UUID) -> Held:
        """Whether the money is held, after looking at the provider where it did not seem so."""
        ...

    async def decided(
        self, connection: AsyncConnection[DictRow], payment: UUID, outcome: Outcome
    ) -> Errand | None:
        """In the decision's transaction: take the money, or let it go, after the commit."""
        ...

    async def give_back(self, connection: AsyncConnection[DictRow], payment: UUID) -> Errand | None:
        """In the transaction of a cancellation that counts: all of it goes back."""
        ...

    async def give_part_back(
        self, connection: AsyncConnection[DictRow], payment: UUID, *, refund: UUID, at_most_minor: int
    ) -> tuple[int, Errand | None]:
        """Give so much of it back as was taken and is not given back yet; how much that is now. The same `refund` again is the same."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LotStandingNow:
    """The lot's gateway as the database has it: the one session of the moment, and how far its log is applied.

    `connected`: a session is open, was heard within the last minute, and may sell.
    """

    gateway: str
    region: str
    epoch: int
    session: int
    applied_seq: int
    connected: bool


class LotLink(Protocol):
    """The line to a lot, as far as its rows tell."""

    async def standing(self, connection: AsyncConnection[DictRow], lot: UUID) -> LotStandingNow | None:
        """The gateway in charge; None where the lot has none."""
        ...

    async def add_document(
        self, connection: AsyncConnection[DictRow], gateway: str, kind: str, body: bytes
    ) -> int:
        """Put a document into the gateway's list; its number. The caller holds the lot's row."""
        ...

    async def last_document(
        self, connection: AsyncConnection[DictRow], gateway: str, kind: str
    ) -> bytes | None:
        """The body of the gateway's newest document of a kind; None where there is none."""
        ...

    async def acknowledged_n(self, connection: AsyncConnection[DictRow], gateway: str) -> int:
        """Up to which number the gateway has its list."""
        ...


class TariffSource(Protocol):
    """Whoever keeps the lots' tariffs."""

    async def tariffs_of(self, connection: AsyncConnection[DictRow], lot: UUID) -> list[Tariff]:
        """A lot's tariffs in the order in which they were put."""
        ...
