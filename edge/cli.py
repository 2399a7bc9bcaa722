"""`lotgate edge …`: what an installer types at the lot."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.bootstrap import run_agent
from edge.check import check, report
from edge.enrolment import enrol
from edge.errors import EdgeError
from edge.inspect import inspect
from edge.lot_schema import schema_text
from edge.recount_command import recount
from edge.takeover import takeover
from sync.errors import SyncError

EXIT_OK, EXIT_WRONG, EXIT_USAGE = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Run `lotgate edge …`; exit 0, 1 (it failed, said on stderr) or 2 (used wrongly)."""
    try:
        asked = _parser().parse_args(arguments[1:])
    except SystemExit as usage:
        return usage.code if isinstance(usage.code, int) else EXIT_USAGE
    try:
        return int(asked.run(asked))
    except (EdgeError, SyncError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_WRONG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lotgate edge",
        description="The agent of one lot.",
        epilog="example: lotgate edge check --config lot.toml",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = _command(commands, "run", "run the lot until told to stop", "run --config lot.toml")
    run.set_defaults(run=_run)
    checking = _command(
        commands,
        "check",
        "say what is wrong with the lot's TOML: file, line, field, fix",
        "check --config config/small-barrier-lot.toml",
    )
    checking.add_argument("--json", action="store_true", help="for machines")
    checking.set_defaults(run=_check)
    describing = commands.add_parser(
        "schema",
        help="print the JSON schema of a lot's TOML, for editors",
        description="The JSON schema of a lot's TOML with the tables of every driver that is installed here, for editors (docs/configuration.md).",
        epilog="example: lotgate edge schema > lot.schema.json",
    )
    describing.set_defaults(run=_schema)
    looking = _command(
        commands, "inspect", "show the ledger while the agent runs", "inspect --config lot.toml --json"
    )
    looking.add_argument("--json", action="store_true", help="for machines")
    looking.add_argument("--plain", action="store_true", help="ASCII without colour")
    looking.set_defaults(run=_inspect)
    enrolling = _command(
        commands,
        "enrol",
        "make this unit's key and introduce it to the centre",
        "enrol --config lot.toml --code 7KQ2-M4XH-P9RS",
    )
    enrolling.add_argument(
        "--code", required=True, help="the one-time code of `lotgate cloud gateways invite`"
    )
    enrolling.add_argument("--url", help="the centre, where it is not that of [cloud]")
    enrolling.set_defaults(run=_enrol)
    taking = _command(
        commands,
        "takeover",
        "give the cars that are inside already their stays and tickets",
        "takeover --config lot.toml --inside inside.csv --tickets tickets.csv",
    )
    taking.add_argument(
        "--inside", type=Path, required=True, help="CSV: reference,plate,type,entered_at of each car inside"
    )
    taking.add_argument(
        "--tickets", type=Path, required=True, help="CSV that is written: reference,stay,ticket"
    )
    taking.set_defaults(run=_takeover)
    counting = _command(
        commands,
        "recount",
        "tell the running agent how many cars a person counted, by type",
        "recount --config lot.toml --by Anna --reason 'night walk' regular=23 ev=2",
    )
    counting.add_argument("cars", nargs="+", metavar="TYPE=CARS", help="the cars inside of each type counted")
    counting.add_argument("--by", required=True, help="who counted")
    counting.add_argument("--reason", required=True, help="why it was counted")
    counting.add_argument(
        "--token-file",
        type=Path,
        help="file with a staff device's token (default: the variable LOTGATE_STAFF_TOKEN)",
    )
    counting.set_defaults(run=_recount)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, example: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name, help=summary, description=summary, epilog=f"example: lotgate edge {example}"
    )
    command.add_argument(
        "--config", type=Path, default=Path("lot.toml"), help="the lot's TOML (default: lot.toml)"
    )
    return command


def _run(asked: argparse.Namespace) -> int:
    settings, problems = check(asked.config, os.environ)
    if settings is None or problems:
        sys.stderr.write("".join(f"{problem}\n" for problem in problems))
        return EXIT_WRONG
    return run_agent(settings)


def _check(asked: argparse.Namespace) -> int:
    text, status = report(asked.config, os.environ, as_json=asked.json)
    sys.stdout.write(f"{text}\n")
    return status


def _schema(asked: argparse.Namespace) -> int:  # noqa: ARG001 - every command is called alike
    sys.stdout.write(schema_text())
    return EXIT_OK


def _inspect(asked: argparse.Namespace) -> int:
    return inspect(asked.config, os.environ, as_json=asked.json, plain=asked.plain)


def _enrol(asked: argparse.Namespace) -> int:
    return enrol(asked.config, os.environ, code=asked.code, url=asked.url)


def _takeover(asked: argparse.Namespace) -> int:
    return takeover(asked.config, os.environ, inside=asked.inside, tickets=asked.tickets)


def _recount(asked: argparse.Namespace) -> int:
    return recount(
        asked.config,
        os.environ,
        cars=asked.cars,
        by=asked.by,
        reason=asked.reason,
        token_file=asked.token_file,
    )
