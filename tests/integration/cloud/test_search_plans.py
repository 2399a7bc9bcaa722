"""What PostgreSQL does for each search: it goes by an index and reads no table through (complaints row 14)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from cloud.database import connect
from cloud.named_sql import named_sql

QUERIES = {**named_sql("cloud.parking_lots"), **named_sql("cloud.gateways")}
LOTS = 20_000
FILL = (
    # half of the lots in one town, the rest over the country; one in ten has a gateway and spots
    (
        "INSERT INTO parking_lots (id, name, source, location, layout_hash)"
        " SELECT md5(n::text)::uuid, n::text, 'import', ST_Point(CASE WHEN n % 2 = 0 THEN 13.3 + (n * 7919 % 10000) / 5e4"
        " ELSE 6 + (n * 7919 % 10000) / 1e3 END, CASE WHEN n % 2 = 0 THEN 52.4 + (n * 104729 % 10000) / 5e4"
        " ELSE 47 + (n * 104729 % 10000) / 1.5e3 END)::geography, CASE WHEN n % 10 = 0 THEN '\\x00'::bytea END"
        " FROM generate_series(1, 20000) AS n"
    ),
    (
        "INSERT INTO lot_counts (lot_id, type, total, sellable)"
        " SELECT id, type, 10, 0 FROM parking_lots, unnest(ARRAY['regular', 'ev', 'disabled']) AS type"
    ),
    (
        "INSERT INTO parking_spots (id, lot_id, zone_id, number, ordinal, type, level)"
        " SELECT gen_random_uuid(), id, 'z', n::text, n, 'regular', '0' FROM parking_lots, generate_series(1, 20) AS n"
        " WHERE layout_hash IS NOT NULL"
    ),
    (
        "INSERT INTO gateways (id, lot_id, public_key, epoch, acknowledged_hash)"
        " SELECT id::text, id, decode(repeat('00', 32), 'hex'), 1, '' FROM parking_lots WHERE layout_hash IS NOT NULL"
    ),
    "INSERT INTO zones (lot_id, id, level, kind) SELECT id, 'z', '0', 'free_choice' FROM parking_lots",
    "ANALYZE",
)


@pytest.fixture(scope="module")
def full(database_cluster: Any, database_template: str) -> Iterator[psycopg.Connection[DictRow]]:
    url = database_cluster.create_database("search_plans", template=database_template)
    with connect(url) as connection:
        for statement in FILL:
            connection.execute(statement.encode())
        yield connection
    database_cluster.drop_database("search_plans")


AROUND = {"lat": 52.5, "lng": 13.4, "radius_m": 1_000.0, "type": None}
PAGE = {"limit": 20, "offset": 0}
SOME = "SELECT id FROM parking_lots WHERE layout_hash IS NOT NULL LIMIT 20"
ASKED: dict[str, dict[str, Any]] = {
    "search_nearest": {**AROUND, **PAGE},
    "search_nearest_of_type": {**AROUND, **PAGE},
    "search_freest": {**AROUND, **PAGE},
    "search_total": AROUND,
    "search_ids": {**AROUND, "limit": 100},
    "spots_near": {**AROUND, **PAGE, "state": None},
    "spots_near_total": {**AROUND, "state": None},
    "lots_by_id": {},
    "lot_structure": {},
    "spots_of_lot": {"level": None, "type": None, "state": None, **PAGE},
    "spots_of_lot_total": {"level": None, "type": None, "state": None},
    "counts_shown": {},
    "lines_of_lots": {},
}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def plan_of(connection: psycopg.Connection[DictRow], query: str, asked: dict[str, Any]) -> dict[str, Any]:
    row = connection.execute(b"EXPLAIN (FORMAT JSON) " + QUERIES[query], asked).fetchone()
    assert row is not None
    (plan,) = row.values()
    found: dict[str, Any] = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return found


@pytest.mark.parametrize("type_", [None, "ev"])
@pytest.mark.parametrize("radius_m", [200.0, 1_000.0, 50_000.0])
@pytest.mark.parametrize("query", ASKED)
def test_every_search_goes_by_an_index_and_reads_no_table_through(
    full: psycopg.Connection[DictRow], query: str, radius_m: float, type_: str | None
) -> None:
    lots = [row["id"] for row in full.execute(SOME.encode())]
    asked = {**ASKED[query], "ids": lots, "lots": lots, "lot": lots[0]}
    asked |= {name: value for name, value in {"radius_m": radius_m, "type": type_}.items() if name in asked}
    found = list(nodes(plan_of(full, query, asked)))
    read_through = [node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"]
    assert read_through == []
    assert any("Index" in node["Node Type"] for node in found)


def test_the_nearest_come_out_of_the_index_in_their_order_and_no_more_than_the_page(
    full: psycopg.Connection[DictRow],
) -> None:
    asked = {**ASKED["search_nearest"], "radius_m": 50_000.0}
    row = full.execute(b"EXPLAIN (ANALYZE, FORMAT JSON) " + QUERIES["search_nearest"], asked).fetchone()
    assert row is not None
    plan = row["QUERY PLAN"][0]["Plan"]
    (by_location,) = [node for node in nodes(plan) if "location" in str(node.get("Index Name", ""))]
    assert "<->" in by_location["Order By"]
    assert by_location["Actual Rows"] <= PAGE["limit"] + 1
