"""`lotgate cloud lots …`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from cloud.database import connect
from cloud.named_sql import named_sql
from cloud.parking_lots.importing import import_file
from cloud.settings import CloudSettings

QUERIES = named_sql("cloud.parking_lots")


def add_lots(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands about lots."""
    lots = commands.add_parser(
        "lots",
        help="car parks that the centre knows",
        epilog="example: lotgate cloud lots import car_parks.csv.gz",
    ).add_subparsers(required=True, metavar="COMMAND")
    bring = lots.add_parser(
        "import",
        help="import a published list of car parks",
        epilog="example: lotgate cloud lots import car_parks.csv.gz",
    )
    bring.add_argument("file", type=Path, help="CSV, or the same compressed as .gz")
    bring.add_argument("--json", action="store_true", help="the report as one JSON object")
    bring.add_argument(
        "--problems", type=int, default=20, metavar="N", help="how many problems to print (default 20)"
    )
    bring.set_defaults(run=_import)
    listed = lots.add_parser(
        "list",
        help="list lots, those with a gateway first",
        epilog="example: lotgate cloud lots list --limit 5",
    )
    listed.add_argument("--limit", type=int, default=50, metavar="N", help="how many (default 50)")
    listed.add_argument("--json", action="store_true", help="one JSON object a line")
    listed.set_defaults(run=_list)


def _import(chosen: argparse.Namespace, settings: CloudSettings) -> int:
    with connect(settings.database_url) as connection:
        report = import_file(connection, chosen.file)
    if chosen.json:
        sys.stdout.write(json.dumps(report.as_json(), ensure_ascii=False) + "\n")
        return 0
    for problem in report.problems[: chosen.problems]:
        sys.stdout.write(f"{problem}\n")
    if len(report.problems) > chosen.problems:
        sys.stdout.write(f"… and {len(report.problems) - chosen.problems} more (--problems N, or --json)\n")
    partly = len(report.problems) - report.refused
    sys.stdout.write(
        f"{report.rows} rows: {report.added} added, {report.changed} changed, {report.unchanged} unchanged, "
        f"{report.refused} refused, {partly} with a fact left out, {report.kept_for_gateway} left to their gateway\n"
    )
    return 0


def _list(chosen: argparse.Namespace, settings: CloudSettings) -> int:
    with connect(settings.database_url) as connection:
        rows = connection.execute(QUERIES["lots_list"], {"limit": chosen.limit}).fetchall()
    for row in rows:
        if chosen.json:
            sys.stdout.write(json.dumps({**row, "id": str(row["id"])}, ensure_ascii=False) + "\n")
        else:
            live = "gateway" if row["is_ours"] else "no live data"
            sys.stdout.write(f"{row['id']}  {row['total_spots']:>6}  {live:<12}  {row['name']}\n")
    return 0
