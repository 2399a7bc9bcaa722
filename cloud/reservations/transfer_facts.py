"""What a lot's log tells of spots that changed hands. Next in its story: cloud/reservations/transfers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.facts import Fact, Origin, Read, require_uuid
from parking.lot import Tier
from sync.events import EventKind
from sync.ownership import TransferRow
from sync.transfer_words import transfer_from_fact

RECEIVERS: Mapping[str, Tier] = {EventKind.TRANSFER_OUT: Tier.CLOUD, EventKind.TRANSFER_IN: Tier.EDGE}


class Crediting(Protocol):
    """Whoever keeps the owners of spots."""

    async def credit(self, connection: AsyncConnection[DictRow], origin: Origin, told: TransferRow) -> None:
        """The log tells a transfer; inside the caller's transaction."""
        ...


class TransferFacts:
    """Keeps nothing by itself: hands on what the log tells."""

    kinds: frozenset[str] = frozenset(RECEIVERS)

    def __init__(self, transfers: Crediting) -> None:
        self._transfers = transfers

    def read(self, fact: Fact) -> TransferRow:
        """The transfer that `fact` tells; its epoch is that of the log.

        Raises:
            MalformedFrame: its body is not what its kind says.
        """
        row = transfer_from_fact(fact.body, "body", to=RECEIVERS[fact.kind], epoch=0)
        require_uuid(row.id, "body.transfer")
        for spot in row.spots:
            require_uuid(spot, "body.spots")
        return row

    async def apply(
        self, connection: AsyncConnection[DictRow], origin: Origin, facts: Sequence[Read[TransferRow]]
    ) -> None:
        """Hand them on, in their order."""
        for read in facts:
            await self._transfers.credit(connection, origin, replace(read.row, epoch=origin.epoch))
