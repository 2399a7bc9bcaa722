from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import DictRow

from cloud.database import connect
from cloud.parking_lots.importing import ListNotReadable, import_file, import_lots
from cloud.parking_lots.published import COLUMNS

SHARED_LIST = Path(__file__).parents[3] / ".." / "shared" / "data" / "car_parks.csv.gz"


def list_of(*rows: dict[str, str]) -> list[str]:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows({**ULM, **row} for row in rows)
    return text.getvalue().splitlines()


ULM = {
    "lot_id": "1",
    "source": "town",
    "name": "Market",
    "operator": "City of Ulm",
    "country": "DE",
    "lat": "48.4",
    "lon": "9.99",
    "capacity": "100",
    "capacity_ev": "6",
    "timezone": "Europe/Berlin",
}


def rows_of(connection: psycopg.Connection[DictRow], sql: str) -> list[DictRow]:
    return connection.execute(sql.encode()).fetchall()


def test_good_rows_come_in_once_and_a_bad_one_stops_none_of_them(database_url: str) -> None:
    lines = list_of({}, {"lot_id": "2", "capacity": ""}, {"lot_id": "3", "name": "Station"}, {"lot_id": "1"})
    with connect(database_url) as connection:
        report = import_lots(connection, lines)
        assert (report.rows, report.added, report.refused) == (4, 2, 2)
        assert [(found.row, found.field) for found in report.problems] == [(2, "capacity"), (4, "lot_id")]
        again = import_lots(connection, lines)
        assert (again.added, again.changed, again.unchanged) == (0, 0, 2)
        assert len(rows_of(connection, "SELECT id FROM parking_lots")) == 2


def test_a_newer_list_changes_what_differs_and_takes_types_away(database_url: str) -> None:
    with connect(database_url) as connection:
        import_lots(connection, list_of({}, {"lot_id": "2"}))
        report = import_lots(connection, list_of({"capacity_ev": "", "capacity": "90"}, {"lot_id": "2"}))
        assert (report.added, report.changed, report.unchanged) == (0, 1, 1)
        counts = rows_of(
            connection,
            "SELECT type, total, sellable FROM lot_counts JOIN parking_lots ON id = lot_id"
            " WHERE source_reference = 'town/1'",
        )
        assert counts == [{"type": "regular", "total": 90, "sellable": 0}]


def test_a_lot_that_has_a_gateway_by_now_is_left_to_it(database_url: str) -> None:
    with connect(database_url) as connection:
        import_lots(connection, list_of({}))
        connection.execute("UPDATE parking_lots SET source = 'gateway', name = 'As built'")
        report = import_lots(connection, list_of({"name": "As published", "capacity": "7"}))
        assert (report.changed, report.kept_for_gateway) == (0, 1)
        assert rows_of(connection, "SELECT name, total_spots FROM parking_lots") == [
            {"name": "As built", "total_spots": 100}
        ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.csv", None),
        ("list.csv", b"lot_id,name\n1,Market\n"),
        ("list.csv", b"\xff\xfe\x00"),
        ("list.csv.gz", b"this is no gzip"),
        ("list.csv.gz", gzip.compress("\n".join(list_of({})).encode())[:-12]),
        ("list.csv", ("\n".join(list_of({})) + '\n1,"' + "x" * 200_000).encode()),
    ],
)
def test_a_file_that_is_no_list_is_named_and_nothing_of_it_is_imported(
    database_url: str, tmp_path: Path, name: str, content: bytes | None
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with connect(database_url) as connection:
        with pytest.raises(ListNotReadable):
            import_file(connection, path)
        assert rows_of(connection, "SELECT id FROM parking_lots") == []


def test_the_real_list_comes_in_but_for_the_rows_that_nobody_should_believe(database_url: str) -> None:
    if not SHARED_LIST.exists():
        pytest.skip("../shared/data/car_parks.csv.gz is not on this machine")
    with connect(database_url) as connection:
        report = import_file(connection, SHARED_LIST)
        again = import_file(connection, SHARED_LIST)
        totals = rows_of(connection, "SELECT sum(total) AS spots FROM lot_counts")
        lots = rows_of(connection, "SELECT count(*) AS n, sum(total_spots) AS spots FROM parking_lots")
    assert report.rows == 7_315
    assert 6_400 < report.added < 6_416
    assert report.added + report.refused == report.rows
    assert {"capacity", "capacity_disabled", "lat", "max_height_cm"} <= {
        found.field for found in report.problems
    }
    assert (again.added, again.changed, again.unchanged) == (0, 0, report.added)
    assert lots[0]["n"] == report.added
    assert lots[0]["spots"] == totals[0]["spots"]
