"""`lotgate cloud …`: what runs and keeps the centre."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from cloud.database import migrate
from cloud.errors import CloudError
from cloud.settings import CloudSettings

Command = Callable[[argparse.Namespace, CloudSettings], int]


def _migrate(_: argparse.Namespace, settings: CloudSettings) -> int:
    before, after = migrate(settings.database_url)
    sys.stdout.write(f"schema at revision {after} (was {before or 'empty'})\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments; each names the function that runs it."""
    top = argparse.ArgumentParser(prog="lotgate cloud", description="Runs and keeps the centre.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("migrate", help="bring the database to the newest revision").set_defaults(
        run=_migrate
    )
    return top


def main(arguments: Sequence[str]) -> int:
    """Run `lotgate cloud …`; exit 0, 1 (it failed) or 2 (used wrongly)."""
    chosen = parser().parse_args(list(arguments)[1:])
    run: Command = chosen.run
    try:
        return run(chosen, CloudSettings.from_environment(os.environ))
    except CloudError as error:
        sys.stderr.write(f"{error}\n")
        return 1
