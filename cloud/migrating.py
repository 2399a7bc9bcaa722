"""Bringing the schema to the newest revision. Apart from `cloud.database`, since alembic takes a second to import and only this needs it."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from cloud.named_sql import named_sql

QUERIES = named_sql("cloud")

# Any fixed number: whoever migrates holds it.
MIGRATION_LOCK = 0x10760001


def migrate(url: str) -> tuple[str | None, str]:
    """Bring the database to the newest revision; the revision before and after. One at a time: others wait."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    configuration = Config()
    configuration.set_main_option("script_location", str(files("cloud") / "migrations"))
    configuration.set_main_option("path_separator", "os")
    with engine.connect() as connection:
        connection.execute(text(QUERIES["migration_lock"].decode()), {"key": MIGRATION_LOCK})
        before = MigrationContext.configure(connection).get_current_revision()
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")
        connection.commit()
    engine.dispose()
    return before, str(ScriptDirectory.from_config(configuration).get_current_head())
