"""The way to PostgreSQL: the pool, and the schema's migrations."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import AsyncConnection, Connection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from cloud.named_sql import named_sql

QUERIES = named_sql("cloud")

Database = AsyncConnectionPool[AsyncConnection[DictRow]]

STATEMENT_TIMEOUT_S = 30
LOCK_TIMEOUT_S = 10
RECYCLE_S = 3600
# Any fixed number: whoever migrates holds it.
MIGRATION_LOCK = 0x10760001

SESSION_SETTINGS = {
    "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
    "lock_timeout": f"{LOCK_TIMEOUT_S}s",
    "idle_in_transaction_session_timeout": "60s",
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


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(str(files("cloud") / "migrations"))))
    configuration.set_main_option("path_separator", "os")
    return configuration


def newest_revision() -> str:
    """The revision that this program needs."""
    return str(ScriptDirectory.from_config(_configuration()).get_current_head())


def migrate(url: str) -> tuple[str | None, str]:
    """Bring the database to the newest revision; the revision before and after. One at a time: others wait."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(QUERIES["migration_lock"].decode()), {"key": MIGRATION_LOCK})
        before = MigrationContext.configure(connection).get_current_revision()
        configuration = _configuration()
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")
        connection.commit()
    engine.dispose()
    return before, newest_revision()


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
