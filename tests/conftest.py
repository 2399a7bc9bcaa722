"""What all tests share: a private database server and, per test, a fresh copy of the migrated schema."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import settings

from cloud.migrating import migrate
from simulators.database import DatabaseCluster

TEMPLATE = "lotgate_template"
_numbers = count(1)

# a busy machine is no failure; a failing example prints what replays it
settings.register_profile("lotgate", deadline=None, print_blob=True)
settings.load_profile("lotgate")


@pytest.fixture(scope="session")
def database_cluster() -> Iterator[DatabaseCluster]:
    """A private PostgreSQL with PostGIS for this run: quick, not durable."""
    cluster = DatabaseCluster()
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def database_template(database_cluster: DatabaseCluster) -> str:
    """The name of a database brought to the newest revision, to be copied."""
    migrate(database_cluster.create_database(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database_url(database_cluster: DatabaseCluster, database_template: str) -> Iterator[str]:
    """The address of a migrated database of this test's own."""
    name = f"test_{next(_numbers)}"
    yield database_cluster.create_database(name, template=database_template)
    database_cluster.drop_database(name)
