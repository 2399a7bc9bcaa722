"""What the centre decides for a lot: a numbered list per gateway, told in order until acknowledged. Next in its story: cloud/gateways/link.

Kinds: `tariff` ({"version", "tariff", "valid_from_us"}); `keys` (a list of {"key_id", "role", "public", "lot"}): which key signs which kind
of token; `decision` ({"reservation", "revision", "outcome", "reason", "claim"}), what the frame of that name says, so that it cannot be
missed; `cancellation` ({"reservation", "revision"}): let the booking go, unless its pass was used; `share` and `stranded`: who may sell what
(`sync/transfer_words.py`).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.errors import Conflict, NotFound
from cloud.events import NewEvent, publish
from cloud.named_sql import named_sql
from parking.tariff import Tariff
from parking.tariff_document import parse_tariff, tariff_to_document
from sync.fields import Fields, plain_map
from sync.instants import to_us
from sync.keys import key_id
from sync.message_pack import pack, unpack

QUERIES = named_sql("cloud.gateways")


def tariff_body(tariff: Tariff, valid_from: datetime) -> bytes:
    """The body of a tariff document."""
    return pack(
        {
            "version": str(tariff.version),
            "tariff": tariff_to_document(tariff),
            "valid_from_us": to_us(valid_from),
        }
    )


def tariff_in(body: bytes) -> Tariff:
    """The tariff of a tariff document that was written here."""
    return parse_tariff(Fields(unpack(body, "tariff"), "tariff").take("tariff", plain_map))


def keys_body(*, lot: UUID, lot_key: bytes, cloud_key: bytes) -> bytes:
    """The body of a keys document: the lot's own key and the centre's."""
    return pack(
        [
            {"key_id": key_id(lot_key), "role": "lot", "public": lot_key, "lot": str(lot)},
            {"key_id": key_id(cloud_key), "role": "cloud", "public": cloud_key},
        ]
    )


class Documents:
    """Keeps the lists. Every method works inside the caller's transaction, which holds the lot's row."""

    def __init__(self, *, cloud_key: bytes) -> None:
        self._cloud_key = cloud_key

    async def first_of(
        self, connection: AsyncConnection[DictRow], *, gateway: str, lot: UUID, public_key: bytes
    ) -> None:
        """What a new gateway needs: the keys, and the lot's tariffs."""
        await self.add(
            connection, gateway, "keys", keys_body(lot=lot, lot_key=public_key, cloud_key=self._cloud_key)
        )
        tariffs = await (await connection.execute(QUERIES["tariffs_of_lot"], {"lot": lot})).fetchall()
        for row in tariffs:
            await self.add(connection, gateway, "tariff", bytes(row["body"]))

    async def put_tariff(
        self, connection: AsyncConnection[DictRow], lot: UUID, tariff: Tariff, valid_from: datetime
    ) -> int | None:
        """Decide a lot's tariff; its number in the list of the lot's gateway, None where there is no gateway yet.

        Raises:
            Conflict: this version is on record already.
        """
        body, version = tariff_body(tariff, valid_from), str(tariff.version)
        columns = {"lot": lot, "version": version, "valid_from": valid_from, "body": body}
        if await (await connection.execute(QUERIES["tariff_keep"], columns)).fetchone() is None:
            raise Conflict(f"tariff version {version} is on record", "version", "write a new version number")
        row = await (await connection.execute(QUERIES["gateway_of_lot"], {"lot": lot})).fetchone()
        n = None if row is None else await self.add(connection, row["id"], "tariff", body)
        await publish(
            connection, [NewEvent(lot=lot, kind="TariffPublished", body={"version": version, "n": n})]
        )
        return n

    async def tariffs_of(self, connection: AsyncConnection[DictRow], lot: UUID) -> list[Tariff]:
        """A lot's tariffs in the order in which they were put."""
        rows = await (await connection.execute(QUERIES["tariffs_of_lot"], {"lot": lot})).fetchall()
        return [tariff_in(bytes(row["body"])) for row in rows]

    async def add(self, connection: AsyncConnection[DictRow], gateway: str, kind: str, body: bytes) -> int:
        """Put a document at the end of a gateway's list; its number.

        Raises:
            NotFound: there is no such gateway.
        """
        cursor = await connection.execute(
            QUERIES["document_add"], {"gateway": gateway, "kind": kind, "body": body}
        )
        row = await cursor.fetchone()
        if row is None:
            raise NotFound(f"gateway {gateway} is not known")
        return int(row["n"])

    async def last(self, connection: AsyncConnection[DictRow], gateway: str, kind: str) -> bytes | None:
        """The body of a gateway's newest document of a kind; None where there is none."""
        scope = {"gateway": gateway, "kind": kind}
        row = await (await connection.execute(QUERIES["document_last"], scope)).fetchone()
        return None if row is None else bytes(row["body"])
