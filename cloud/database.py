"""The way to PostgreSQL: the pool, and which schema it must have (`cloud.migrating` brings it there)."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from cloud.named_sql import named_sql

QUERIES = named_sql("cloud")

Database = AsyncConnectionPool[AsyncConnection[DictRow]]

STATEMENT_TIMEOUT_S = 30
LOCK_TIMEOUT_S = 10
IDLE_IN_TRANSACTION_S = 10
"""A process that stands still in the middle of a transaction holds a lot's row: so long, and no longer, the lot sells nothing."""
RECYCLE_S = 3600

SESSION_SETTINGS = {
    "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
    "lock_timeout": f"{LOCK_TIMEOUT_S}s",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_S}s",
    "jit": "off",
    "timezone": "UTC",
    "application_name": "lotgate-cloud",
}


def connection_arguments() -> dict[str, Any]:
    """What every connection of ours is opened with. `deadlock_timeout` needs a superuser, so it is the server's to set."""
    options = " ".join(f"-c {name}={value}" for name, value in SESSION_SETTINGS.items())
    return {"options": options, "row_factory": dict_row, "autocommit": True, "connect_timeout": 10}


def open_pool(url: str, *, min_size: int, max_size: int) -> Database:
    """A pool of checked connections, each recycled after an hour; `async with` opens and closes it."""
    return AsyncConnectionPool(
        url,
        connection_class=AsyncConnection[DictRow],
        kwargs=connection_arguments(),
        min_size=min_size,
        max_size=max_size,
        max_lifetime=RECYCLE_S,
        check=AsyncConnectionPool.check_connection,
        timeout=10,
        open=False,
        name="lotgate",
    )


def newest_revision() -> str:
    """The revision that this program needs: its newest migration's number."""
    versions = files("cloud") / "migrations" / "versions"
    return max(entry.name[:4] for entry in versions.iterdir() if entry.name[:4].isdigit())


async def revision_of(connection: AsyncConnection[DictRow]) -> str | None:
    """The revision that the database has; None where it was never migrated."""
    found = await (await connection.execute(QUERIES["has_revision"])).fetchone()
    if found is None or not found["present"]:
        return None
    row = await (await connection.execute(QUERIES["revision"])).fetchone()
    return None if row is None else str(row["version_num"])


def connect(url: str) -> Connection[DictRow]:
    """One synchronous connection, for commands and the simulation."""
    return Connection.connect(url, **connection_arguments())
