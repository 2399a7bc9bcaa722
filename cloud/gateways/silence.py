"""Tells once that a gateway has fallen silent. By when it was last heard: who holds its socket may be dead, or believe it open."""

from __future__ import annotations

import asyncio

import structlog
from psycopg import OperationalError
from psycopg.errors import UndefinedColumn, UndefinedTable
from psycopg.rows import DictRow
from psycopg_pool import PoolTimeout

from cloud.database import Database
from cloud.events import NewEvent, publish
from cloud.gateways.hearing import SILENT_AFTER_S
from cloud.named_sql import named_sql
from cloud.parking_lots.service import ParkingLots

QUERIES = named_sql("cloud.gateways")
LOG = structlog.get_logger(__name__)

LOOK_EVERY_S = 5.0
AT_ONCE = 100


class SilenceWatch:
    """Any process of the centre may tell; the gateway's row says that it was told."""

    def __init__(self, *, database: Database, lots: ParkingLots) -> None:
        self._database = database
        self._lots = lots

    async def run(self) -> None:
        """Look every few seconds, until cancelled."""
        while True:
            try:
                await self.look()
            except (OperationalError, PoolTimeout, UndefinedColumn, UndefinedTable) as error:
                LOG.warning("silent gateways wait for the database", error=str(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> int:
        """One round of `run`; how many silences it told."""
        scope = {"after_s": SILENT_AFTER_S, "limit": AT_ONCE}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(QUERIES["gateways_silent"], scope)).fetchall()
        return sum([await self._tell(row) for row in rows])

    async def _tell(self, row: DictRow) -> bool:
        gateway, lot = row["id"], row["lot_id"]
        async with self._database.connection() as connection, connection.transaction():
            await self._lots.lock(connection, row["region"], lot)
            scope = {"gateway": gateway, "after_s": SILENT_AFTER_S}
            told = await (await connection.execute(QUERIES["gateway_silence_told"], scope)).fetchone()
            if told is None:
                return False
            body = {"gateway": gateway, "state": "silent"}
            await publish(connection, [NewEvent(lot=lot, kind="GatewayStateChanged", body=body)])
        LOG.error("gateway silent", gateway=gateway, lot=str(lot), age_s=round(told["age_s"]))
        return True
