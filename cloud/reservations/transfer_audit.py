"""Does the sum come out? For each lot: |edge| + |cloud| + |in flight| = |spots|, by the log that is acknowledged and by our own rows. Next in its story: sync/ownership.py.

The edge's half is told anew from its log each time, by another road than the page's application took; so a spot that both would sell, or nobody, is
found whoever made the mistake. What is found goes to `conflicts`, and is closed there when the sum comes out again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg.errors import UndefinedTable
from psycopg.rows import DictRow
from psycopg_pool import PoolTimeout

from cloud.database import Database
from cloud.facts import Origin
from cloud.named_sql import named_sql
from cloud.observability import Metrics
from cloud.reservations.transfers import Transfers
from parking.ids import SpotId
from parking.lot import InFlight, Owner, Tier
from sync.chain import unpack_envelope
from sync.events import EventKind
from sync.ownership import Holdings, audit
from sync.transfer_words import transfer_from_fact

QUERIES = named_sql("cloud.reservations")
LOG = structlog.get_logger(__name__)

AUDIT_EVERY_S = 60.0


class TransferAudit:
    """Audits every lot with a gateway in charge, and keeps the gauges."""

    def __init__(self, *, database: Database, transfers: Transfers, metrics: Metrics) -> None:
        self._database = database
        self._transfers = transfers
        self._metrics = metrics

    async def run(self) -> None:
        """Audit until cancelled."""
        while True:
            try:
                await self.look()
            except (OperationalError, PoolTimeout, UndefinedTable) as error:
                LOG.warning("audit of owners postponed", error=str(error))
            await asyncio.sleep(AUDIT_EVERY_S)

    async def look(self) -> int:
        """One round; how many lots do not come out."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(QUERIES["owners_to_audit"])).fetchall()
            wrong = 0
            for row in rows:
                origin = Origin(
                    region=row["region"], lot=row["lot"], gateway=row["gateway"], epoch=row["epoch"]
                )
                async with connection.transaction():
                    wrong += await self._look_at(connection, origin)
            figures = await (await connection.execute(QUERIES["rights_to_sell"])).fetchone()
        if figures is not None:
            self._metrics.rights_in_flight.set(figures["in_flight"])
            self._metrics.rights_stranded.set(figures["stranded"])
            self._metrics.transferable.set(figures["transferable"])
        return wrong

    async def _look_at(self, connection: AsyncConnection[DictRow], origin: Origin) -> bool:
        scope = {"region": origin.region, "lot": origin.lot, "gateway": origin.gateway, "epoch": origin.epoch}
        await connection.execute(QUERIES["lot_hold"], scope)
        spots = await (await connection.execute(QUERIES["owners_of_lot"], scope)).fetchall()
        stranded = await (await connection.execute(QUERIES["transfers_stranded"], scope)).fetchall()
        facts = await (await connection.execute(QUERIES["transfer_facts"], scope)).fetchall()
        cloud = {SpotId(str(row["id"])): _owner(row) for row in spots}
        edge: dict[SpotId, Owner] = dict.fromkeys(cloud, Tier.EDGE)
        for row in stranded:
            edge |= {
                SpotId(str(spot)): InFlight(transfer=str(row["id"]))
                for spot in row["spots"]
                if SpotId(str(spot)) in edge
            }
        edge |= {spot: owner for spot, owner in _told(facts) if spot in edge}
        problems = audit(Holdings(tier=Tier.EDGE, owners=edge), Holdings(tier=Tier.CLOUD, owners=cloud))
        for problem in problems:
            await self._transfers.broken(connection, origin, problem)
        if not problems:
            await connection.execute(QUERIES["ownership_whole"], scope)
        return bool(problems)


def _owner(row: DictRow) -> Owner:
    return InFlight(transfer=str(row["transfer_id"])) if row["owner"] == "in_flight" else Tier(row["owner"])


def _told(facts: Iterable[DictRow]) -> Iterable[tuple[SpotId, Tier]]:
    """Whose each spot is, by the lot's log in its order: the last word stands."""
    for row in facts:
        to = Tier.CLOUD if row["kind"] == EventKind.TRANSFER_OUT else Tier.EDGE
        body = unpack_envelope(bytes(row["body"])).body
        for spot in transfer_from_fact(body, "body", to=to, epoch=0).spots:
            yield spot, to
