"""`lotgate cloud …`: what runs and keeps the centre."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import sys
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from cloud.bootstrap import Cloud, build_cloud
from cloud.errors import CloudError, MisconfiguredCloud
from cloud.parking_lots.command import add_lots
from cloud.serving import configure_logging, serve_until_signal
from cloud.settings import CloudSettings
from parking.errors import ParkingError
from parking.lot import SpotType
from parking.tariff import Tariff
from parking.tariff_document import parse_tariff
from sync.errors import LocalError

Command = Callable[[argparse.Namespace, CloudSettings], int]
T = TypeVar("T")

EXAMPLE_LOT = "0f5f6d0a-4b0e-4d0b-9a3f-1f0c8c6f2a11"


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments; each names the function that runs it."""
    top = argparse.ArgumentParser(
        prog="lotgate cloud",
        description="Runs and keeps the centre.",
        epilog="example: lotgate cloud serve --port 0 --port-file port",
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser(
        "migrate", help="bring the database to the newest revision", epilog="example: lotgate cloud migrate"
    ).set_defaults(run=_migrate)
    add_lots(commands)

    served = commands.add_parser(
        "serve",
        help="serve API, link and console",
        epilog="example: lotgate cloud serve --host 127.0.0.1 --port 8000",
    )
    served.add_argument("--host", default="127.0.0.1")
    served.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    served.add_argument("--port-file", type=Path, help="where to write the port once it is served")
    served.set_defaults(run=_serve)

    gateways = commands.add_parser(
        "gateways", help="the fleet", epilog="example: lotgate cloud gateways list"
    ).add_subparsers(required=True, metavar="ACTION")
    invited = gateways.add_parser(
        "invite",
        help="a one-time code for a lot's gateway",
        epilog=f"example: lotgate cloud gateways invite --lot {EXAMPLE_LOT}",
    )
    invited.add_argument("--lot", type=UUID, required=True, metavar="ID")
    invited.set_defaults(run=_gateways_invite)
    listed = gateways.add_parser(
        "list",
        help="who is heard, how far each log is",
        epilog="example: lotgate cloud gateways list --json",
    )
    listed.add_argument("--json", action="store_true")
    listed.set_defaults(run=_gateways_list)
    released = gateways.add_parser(
        "release",
        help="end a quarantine, with a reason that is kept",
        epilog='example: lotgate cloud gateways release station-yard --by anna --reason "counted: 31 inside"',
    )
    released.add_argument("gateway")
    released.add_argument("--by", required=True, help="who decides")
    released.add_argument("--reason", required=True)
    released.set_defaults(run=_gateways_release)

    share = commands.add_parser(
        "share",
        help="how many spots of a lot the centre is to own, to sell them with the line down",
        epilog=f"example: lotgate cloud share --lot {EXAMPLE_LOT} --type regular --percent 20",
    )
    share.add_argument("--lot", type=UUID, required=True, metavar="ID")
    share.add_argument("--type", type=SpotType, required=True, choices=list(SpotType), help="type of spot")
    share.add_argument("--percent", type=_percent, required=True, metavar="P", help="of the spots, 0 to 100")
    share.set_defaults(run=_share)

    example = f"example: lotgate cloud documents put-tariff --lot {EXAMPLE_LOT} tariff.toml"
    documents = commands.add_parser(
        "documents", help="what the centre decides for a lot", epilog=example
    ).add_subparsers(required=True, metavar="ACTION")
    tariff = documents.add_parser("put-tariff", help="send a tariff to a lot", epilog=example)
    tariff.add_argument("--lot", type=UUID, required=True, metavar="ID")
    tariff.add_argument(
        "--valid-from", type=datetime.fromisoformat, metavar="INSTANT", help="with offset; default now"
    )
    tariff.add_argument("file", type=Path)
    tariff.set_defaults(run=_put_tariff)
    return top


def main(arguments: Sequence[str]) -> int:
    """Run `lotgate cloud …`; exit 0, 1 (it failed) or 2 (used wrongly)."""
    chosen = parser().parse_args(list(arguments)[1:])
    run: Command = chosen.run
    try:
        return run(chosen, CloudSettings.from_environment(os.environ))
    except (CloudError, LocalError, OSError, psycopg.Error, PoolTimeout) as error:
        sys.stderr.write(f"lotgate cloud: {str(error).strip()}\n")
        return 1


def _migrate(_: argparse.Namespace, settings: CloudSettings) -> int:
    # By name, as `lotgate` itself does: no other command waits for alembic's import.
    before, after = importlib.import_module("cloud.migrating").migrate(settings.database_url)
    sys.stdout.write(f"schema at revision {after} (was {before or 'empty'})\n")
    return 0


def _serve(chosen: argparse.Namespace, settings: CloudSettings) -> int:
    configure_logging()
    cloud = build_cloud(settings, os.environ)
    asyncio.run(serve_until_signal(cloud, host=chosen.host, port=chosen.port, port_file=chosen.port_file))
    return 0


def _gateways_invite(chosen: argparse.Namespace, settings: CloudSettings) -> int:
    code = _with_cloud(settings, lambda cloud: cloud.gateways.invite(chosen.lot))
    sys.stdout.write(f"{code}\n")
    return 0


def _gateways_list(chosen: argparse.Namespace, settings: CloudSettings) -> int:
    rows = _with_cloud(settings, lambda cloud: cloud.gateways.list_all())
    if chosen.json:
        sys.stdout.write(json.dumps(rows, default=str, indent=2) + "\n")
        return 0
    for row in rows:
        sys.stdout.write(
            f"{row['id']}  {row['lot_name']}  epoch {row['epoch']}  {row['state']}  {row['hearing']}"
            f"  applied {row['acknowledged_seq']}  backlog {row['backlog']}\n"
        )
    return 0


def _gateways_release(chosen: argparse.Namespace, settings: CloudSettings) -> int:
    _with_cloud(
        settings, lambda cloud: cloud.gateways.release(chosen.gateway, by=chosen.by, reason=chosen.reason)
    )
    sys.stdout.write(f"{chosen.gateway} may write again from its next connection on\n")
    return 0


def _percent(text: str) -> int:
    """A percentage as 1/10,000."""
    share_1e4 = round(float(text) * 100)
    if not 0 <= share_1e4 <= 10_000:
        raise ValueError(text)
    return share_1e4


def _share(chosen: argparse.Namespace, settings: CloudSettings) -> int:
    _with_cloud(settings, lambda cloud: cloud.gateways.set_share(chosen.lot, chosen.type, chosen.percent))
    sys.stdout.write(f"the centre is to own {chosen.percent / 100:g} % of the lot's {chosen.type} spots\n")
    return 0


def _put_tariff(chosen: argparse.Namespace, settings: CloudSettings) -> int:
    tariff = _read_tariff(chosen.file)

    async def put(cloud: Cloud) -> int | None:
        valid_from: datetime = chosen.valid_from or cloud.clock.now()
        if valid_from.utcoffset() is None:
            raise MisconfiguredCloud(
                f"--valid-from {valid_from}: needs an offset, as in 2026-11-24T07:00:00+00:00"
            )
        return await cloud.gateways.put_tariff(chosen.lot, tariff, valid_from.astimezone(UTC))

    n = _with_cloud(settings, put)
    where = "waits for the lot's first gateway" if n is None else f"is document {n} of the lot's gateway"
    sys.stdout.write(f"tariff {tariff.id} version {tariff.version} {where}\n")
    return 0


def _read_tariff(path: Path) -> Tariff:
    try:
        return parse_tariff(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ParkingError) as error:
        raise MisconfiguredCloud(f"{path}: {error}") from error


def _with_cloud(settings: CloudSettings, action: Callable[[Cloud], Awaitable[T]]) -> T:
    """One action on the database, with no more connections than it needs."""

    async def act() -> T:
        cloud = build_cloud(settings.model_copy(update={"pool_min": 1, "pool_max": 2}), os.environ)
        async with cloud.database:
            return await action(cloud)

    return asyncio.run(act())
