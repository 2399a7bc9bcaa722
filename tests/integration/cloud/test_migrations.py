from __future__ import annotations

import psycopg
import pytest

from cloud.database import connect, newest_revision
from cloud.migrating import migrate
from simulators.database import DatabaseCluster

PARTITIONED = {"parking_lots", "parking_spots", "claims"}
ISSUE_3_TABLES = {
    "operators", "parking_lots", "zones", "parking_spots", "lot_counts", "claims", "stays", "conflicts", "demands",
    "payments", "gateways", "enrolment_codes", "gateway_inbox", "gateway_quarantine", "gateway_documents", "tariffs",
    "event_outbox", "audit_log",
}  # fmt: skip
ISSUE_4_TABLES = {
    "refunds", "payment_events", "receivables", "reservations", "transfers", "cloud_shares", "gate_commands",
}  # fmt: skip
NOT_OURS = {"alembic_version", "spatial_ref_sys"}


def test_an_empty_database_comes_to_the_newest_revision_and_a_second_time_changes_nothing(
    database_cluster: DatabaseCluster,
) -> None:
    url = database_cluster.create_database("from_empty")
    assert migrate(url) == (None, newest_revision())
    assert migrate(url) == (newest_revision(), newest_revision())
    database_cluster.drop_database("from_empty")


def test_the_schema_has_the_tables_that_the_services_own(database_url: str) -> None:
    with connect(database_url) as connection:
        rows = connection.execute(
            "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition"
        ).fetchall()
    kinds = {row["relname"]: row["relkind"] for row in rows if row["relname"] not in NOT_OURS}
    assert set(kinds) == ISSUE_3_TABLES | ISSUE_4_TABLES
    assert {name for name, kind in kinds.items() if kind == "p"} == PARTITIONED


def test_every_instant_has_an_offset_and_every_table_says_when_its_rows_came(database_url: str) -> None:
    with connect(database_url) as connection:
        naive = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND data_type = 'timestamp without time zone'"
        ).fetchall()
        dated = connection.execute(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND column_name IN ('created_at', 'received_at')"
        ).fetchall()
    assert naive == []
    assert {row["table_name"] for row in dated} >= ISSUE_3_TABLES | ISSUE_4_TABLES


CLAIM = (
    "INSERT INTO claims (id, lot_id, spot_id, type, during, kind, holder_kind, holder_id, state, sold_by, epoch, revision,"
    " version, clashing) VALUES (gen_random_uuid(), %(lot)s, %(spot)s, 'regular', %(during)s, 'walk_in', 'stay', 'x',"
    " %(state)s, 'edge', 1, 1, 1, %(clashing)s)"
)
LOT = "00000000-0000-4000-8000-000000000001"
SPOT = "00000000-0000-4000-8000-000000000002"


@pytest.fixture
def lot(database_url: str) -> str:
    with connect(database_url) as connection:
        connection.execute("INSERT INTO parking_lots (id, name, source) VALUES (%s, 'Lot', 'gateway')", [LOT])
    return database_url


@pytest.mark.parametrize(
    ("during", "state", "clashing", "refused"),
    [
        ("[2026-01-01 10:00+0,2026-01-01 12:00+0)", "firm", False, True),
        ("[2026-01-01 10:00+0,infinity)", "held", False, True),
        ("[2026-01-01 11:00+0,2026-01-01 12:00+0)", "firm", False, False),
        ("[2026-01-01 10:00+0,2026-01-01 12:00+0)", "released", False, False),
        ("[2026-01-01 10:00+0,2026-01-01 12:00+0)", "firm", True, False),
    ],
)
def test_the_database_itself_keeps_two_unreleased_claims_off_one_spot(
    lot: str, during: str, state: str, clashing: bool, refused: bool
) -> None:
    first = {
        "lot": LOT,
        "spot": SPOT,
        "during": "[2026-01-01 09:00+0,2026-01-01 11:00+0)",
        "state": "firm",
        "clashing": False,
    }
    with connect(lot) as connection:
        connection.execute(CLAIM, first)
        second = {"lot": LOT, "spot": SPOT, "during": during, "state": state, "clashing": clashing}
        if refused:
            with pytest.raises(psycopg.errors.ExclusionViolation):
                connection.execute(CLAIM, second)
        else:
            connection.execute(CLAIM, second)


def test_the_audit_log_can_only_grow(lot: str) -> None:
    with connect(lot) as connection:
        connection.execute(
            "INSERT INTO audit_log (actor, action, subject) VALUES ('staff', 'open', 'lane 1')"
        )
        with pytest.raises(psycopg.errors.RaiseException):
            connection.execute("DELETE FROM audit_log")
