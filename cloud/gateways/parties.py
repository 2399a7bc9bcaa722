"""Who is told what a lot's link and log bring: the coordinator, whoever keeps the owners of spots, and gate commands. Bootstrap joins them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.facts import Origin
from cloud.reservations.ports import Errand
from parking.lot import SpotType
from sync.messages import CommandResult, FromParticipant, Transfer, TransferRequest


class CommitParty(Protocol):
    """The coordinator, as far as a lot's link and log concern it. All but `carry_on` work in the transaction that holds the gateway."""

    async def heard(
        self, connection: AsyncConnection[DictRow], origin: Origin, applied_seq: int, frame: FromParticipant
    ) -> Sequence[Errand]:
        """A frame of the commit; its answer is said at the commit."""
        ...

    async def log_applied(
        self, connection: AsyncConnection[DictRow], origin: Origin, applied_seq: int
    ) -> Sequence[Errand]:
        """The log is applied up to `applied_seq`."""
        ...

    async def documents_acknowledged(
        self, connection: AsyncConnection[DictRow], origin: Origin, n: int
    ) -> None:
        """The gateway has everything up to document `n`."""
        ...

    def carry_on(self, errands: Sequence[Errand]) -> None:
        """After the commit."""
        ...


class OwnersParty(Protocol):
    """Who may sell which spot. Everything works in the caller's transaction, which holds the lot's row."""

    async def asked(
        self, connection: AsyncConnection[DictRow], origin: Origin, applied_seq: int, request: TransferRequest
    ) -> None:
        """The lot asks for spots; the answer is said at the commit."""
        ...

    def asked_is_committed(self) -> None:
        """That commit is made."""
        ...

    async def to_say_again(self, connection: AsyncConnection[DictRow], origin: Origin) -> Sequence[Transfer]:
        """What is on its way and is said on a new session."""
        ...

    async def wish(self, connection: AsyncConnection[DictRow], origin: Origin) -> None:
        """See that the lot knows what the cloud is to own."""
        ...

    async def set_share(
        self, connection: AsyncConnection[DictRow], origin: Origin, kind: SpotType, share_1e4: int
    ) -> None:
        """The cloud is to own this much of the lot's spots of `kind`, in 1/10,000."""
        ...

    async def epoch_begins(self, connection: AsyncConnection[DictRow], origin: Origin) -> None:
        """A new gateway has the lot."""
        ...


class CommandsParty(Protocol):
    """Gate commands, as far as a session concerns them. Everything works in the transaction that holds the gateway's row."""

    async def answered(
        self, connection: AsyncConnection[DictRow], origin: Origin, session: int, result: CommandResult
    ) -> None:
        """The lot says what became of one.

        Raises:
            MalformedFrame: it is no result.
        """
        ...

    async def session_over(self, connection: AsyncConnection[DictRow], origin: Origin, session: int) -> None:
        """`session`, and all before it, are over: what they left unanswered is unknown."""
        ...
