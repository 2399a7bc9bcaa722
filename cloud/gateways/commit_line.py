"""The line to a lot for those who commit over it: the session of the moment, and the list of documents. Next in its story: cloud/gateways/link."""

from __future__ import annotations

from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.gateways.documents import Documents
from cloud.named_sql import named_sql
from cloud.reservations.ports import LotStandingNow

QUERIES = named_sql("cloud.gateways")


class CommitLine:
    """Implements `LotLink` over the gateways' rows."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def standing(self, connection: AsyncConnection[DictRow], lot: UUID) -> LotStandingNow | None:
        """The gateway in charge; None where the lot has none."""
        row = await (await connection.execute(QUERIES["line_of_lot"], {"lot": lot})).fetchone()
        if row is None:
            return None
        return LotStandingNow(
            gateway=row["id"],
            region=row["region"],
            epoch=row["epoch"],
            session=row["session"],
            applied_seq=row["acknowledged_seq"],
            connected=bool(row["connected"]),
        )

    async def acknowledged_n(self, connection: AsyncConnection[DictRow], gateway: str) -> int:
        """Up to which number the gateway has its list."""
        row = await (
            await connection.execute(QUERIES["documents_acknowledged_n"], {"gateway": gateway})
        ).fetchone()
        return 0 if row is None else int(row["n"])

    async def add_document(
        self, connection: AsyncConnection[DictRow], gateway: str, kind: str, body: bytes
    ) -> int:
        """Put a document into the gateway's list; its number."""
        return await self._documents.add(connection, gateway, kind, body)

    async def last_document(
        self, connection: AsyncConnection[DictRow], gateway: str, kind: str
    ) -> bytes | None:
        """The body of the gateway's newest document of a kind; None where there is none."""
        return await self._documents.last(connection, gateway, kind)
