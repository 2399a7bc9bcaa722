"""Databases for days on the real SQL: a private server, a migrated database to copy, and PostgreSQL's clock put aside for the day's.

A schema before pg_catalog has functions of the clock's names, which answer with the setting `lotgate.now`; columns whose default is the clock's get
the new one. No statement of ours asks for CURRENT_TIMESTAMP, which cannot be put aside.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from cloud.database import connect
from cloud.migrating import migrate
from simulators.database import DatabaseCluster
from tests.simulation.memory_database import MemoryDatabase
from tests.simulation.sql_database import TwinDatabase

CLOCK = """
CREATE SCHEMA IF NOT EXISTS virtual;
CREATE OR REPLACE FUNCTION virtual.now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT current_setting('lotgate.now')::timestamptz $$;
CREATE OR REPLACE FUNCTION virtual.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT current_setting('lotgate.now')::timestamptz $$;
"""
DEFAULTS = """
SELECT columns.table_name, columns.column_name FROM information_schema.columns AS columns
  JOIN information_schema.tables AS tables USING (table_schema, table_name)
 WHERE columns.table_schema = 'public' AND columns.column_default = 'now()' AND tables.table_type = 'BASE TABLE'
"""

_numbers = count(1)


def set_virtual_clock(url: str) -> None:
    """Make a migrated database's clock the setting `lotgate.now`, for connections with the search path `PATH`."""
    with connect(url) as connection:
        connection.execute(CLOCK.encode())
        for row in connection.execute(DEFAULTS.encode()).fetchall():
            names = (Identifier(row["table_name"]), Identifier(row["column_name"]))
            connection.execute(SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT virtual.now()").format(*names))


@contextmanager
def a_migrated_database() -> Iterator[str]:
    """The address of one on a server of our own, which ends with the block."""
    cluster = DatabaseCluster()
    cluster.start()
    try:
        url = cluster.create_database("lotgate_template")
        migrate(url)
        yield url
    finally:
        cluster.stop()


@contextmanager
def a_copy_with_our_clock(template: str) -> Iterator[str]:
    """The address of a copy of a migrated database to which nobody is connected; it is gone after the block."""
    parts = conninfo_to_dict(template)
    name, source = f"day_{os.getpid()}_{next(_numbers)}", str(parts["dbname"])
    url = make_conninfo("", **{**parts, "dbname": name})
    with connect(make_conninfo("", **{**parts, "dbname": "postgres"})) as server:
        make = "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"
        server.execute(SQL(make).format(Identifier(name), Identifier(source)))
        try:
            set_virtual_clock(url)
            yield url
        finally:
            server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@contextmanager
def the_database(template: str | None) -> Iterator[Callable[[Callable[[], datetime]], MemoryDatabase]]:
    """What a day makes its database with, given a clock: in memory, or with a copy of `template` below."""
    if template is None:
        yield MemoryDatabase
        return
    made: list[TwinDatabase] = []
    with a_copy_with_our_clock(template) as url:

        def make(now: Callable[[], datetime]) -> MemoryDatabase:
            made.append(TwinDatabase(now, url))
            return made[-1]

        try:
            yield make
        finally:
            for each in made:
                each.close()
