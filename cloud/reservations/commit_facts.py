"""What a lot's log tells of transactions: committed or aborted there, and by whom. Next in its story: cloud/reservations/coordination.

A lot that committed by the pass, cut off or without ever having heard of the booking, reports it so; the coordinator compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.facts import Fact, Origin, Read, require_uuid
from sync.events import EventKind
from sync.fields import Fields, integer, text
from sync.transaction import Outcome, TransactionId

OUTCOMES = {EventKind.COMMITTED: Outcome.COMMITTED, EventKind.ABORTED: Outcome.ABORTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedAtTheLot:
    """A doubt that ended there. `by` is decision, pass or "operator NAME"."""

    id: TransactionId
    outcome: Outcome
    by: str


class Comparing(Protocol):
    """The coordinator, where a lot's log tells of its transactions."""

    async def ended_at_the_lot(
        self, connection: AsyncConnection[DictRow], origin: Origin, ended: EndedAtTheLot
    ) -> None:
        """Compare it with what was decided, inside the caller's transaction."""
        ...


class CommitFacts:
    """Keeps nothing by itself: hands on what the log tells."""

    kinds: frozenset[str] = frozenset(OUTCOMES)

    def __init__(self, commit: Comparing) -> None:
        self._commit = commit

    def read(self, fact: Fact) -> EndedAtTheLot:
        """The end of a doubt that `fact` tells.

        Raises:
            MalformedFrame: its body is not what its kind says.
        """
        fields = Fields(fact.body, "body")
        reservation = fields.take("reservation", text(64, shortest=1))
        require_uuid(reservation, "body.reservation")
        revision = fields.take("revision", integer(1, 2**31 - 1))
        return EndedAtTheLot(
            id=TransactionId(reservation=reservation, revision=revision),
            outcome=OUTCOMES[EventKind(fact.kind)],
            by=fields.take_or("by", text(200), ""),
        )

    async def apply(
        self, connection: AsyncConnection[DictRow], origin: Origin, facts: Sequence[Read[EndedAtTheLot]]
    ) -> None:
        """Hand them on, in their order."""
        for read in facts:
            await self._commit.ended_at_the_lot(connection, origin, read.row)
