"""How good a lot's time is, as its log tells it: kept beside the gateway, where the console and the API show it."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.facts import Fact, Origin, Read
from cloud.named_sql import named_sql
from sync.events import EventKind
from sync.fields import Fields, text

QUERIES = named_sql("cloud.gateways")


class ClockFacts:
    """Keeps the last word on each gateway's clock."""

    kinds: frozenset[str] = frozenset({EventKind.CLOCK_CHANGED.value})

    def read(self, fact: Fact) -> str:
        """The quality that `fact` tells.

        Raises:
            MalformedFrame: its body does not say.
        """
        return Fields(fact.body, "body").take("quality", text(64, shortest=1))

    async def apply(
        self, connection: AsyncConnection[DictRow], origin: Origin, facts: Sequence[Read[str]]
    ) -> None:
        """Keep the last of them."""
        last = facts[-1].row
        await connection.execute(QUERIES["clock_changed"], {"gateway": origin.gateway, "quality": last})
