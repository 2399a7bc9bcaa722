"""`lotgate price` tells what a stay costs by a tariff, line by line."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from parking.civil_time import Calendar
from parking.errors import InvalidTariff, ParkingError
from parking.lot import SpotType
from parking.money import in_major
from parking.price import Price, price
from parking.tariff import Tariff
from parking.tariff_document import parse_tariff

EXAMPLE = """example:
  lotgate price --tariff config/tariffs/toronto-greenp-001.toml --from 2019-06-12T09:00 --to 2019-06-12T12:00
  an instant without offset is civil time where the tariff holds; docs/tariffs.md explains how a tariff is written"""


def main(arguments: list[str]) -> int:
    """Run `price …`; exit 0, 1 (the tariff cannot be read or says something wrong) or 2 (used wrongly)."""
    try:
        options = _parser().parse_args(arguments[1:])
    except SystemExit as stop:  # argparse leaves by raising; the caller wants a status
        return int(stop.code or 0)
    try:
        tariff = _read(options.tariff)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, InvalidTariff) as error:
        return _fail(1, f"{options.tariff}: {_said(error)}")
    try:
        starts_at, ends_at = (_instant(text, tariff.calendar) for text in (options.starts, options.ends))
        if ends_at < starts_at:
            return _fail(2, f"--to {options.ends} is before --from {options.starts}; swap them")
        result = price(tariff, starts_at, ends_at, spot_type=SpotType(options.spot_type))
    except ValueError as error:
        return _fail(2, str(error))
    except ParkingError as error:
        return _fail(1, f"{options.tariff}: {error}")
    notes = _notes(tariff, result, starts_at)
    if options.json:
        sys.stdout.write(json.dumps(_document(tariff, result, notes), ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join([*_table(tariff, result, starts_at, ends_at), *notes]) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lotgate price",
        description="What a stay costs by a tariff, line by line.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--tariff", type=Path, required=True, metavar="FILE", help="the tariff (TOML)")
    parser.add_argument("--from", dest="starts", required=True, metavar="ISO", help="when the car comes")
    parser.add_argument("--to", dest="ends", required=True, metavar="ISO", help="when it goes")
    parser.add_argument(
        "--spot-type", choices=[kind.value for kind in SpotType], default="regular", help="default: regular"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


def _read(path: Path) -> Tariff:
    return parse_tariff(tomllib.loads(path.read_text(encoding="utf-8")))


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror}); give the path of a tariff file"
    if isinstance(error, (tomllib.TOMLDecodeError, UnicodeDecodeError)):
        return f"is not TOML: {error}; docs/tariffs.md shows the format"
    return str(error)


def _fail(status: int, message: str) -> int:
    sys.stderr.write(f"lotgate price: {message}\n")
    return status


def _instant(text: str, calendar: Calendar) -> datetime:
    """An ISO 8601 instant; without offset it is the tariff's civil time, the first where the clock shows it twice.

    Raises:
        ValueError: no instant, or a civil time that never comes.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an instant; write it as in 2024-05-14T08:00+02:00") from None
    if read.utcoffset() is not None:
        return read.astimezone(UTC)
    instant = read.replace(tzinfo=calendar.zone).astimezone(UTC)
    if instant.astimezone(calendar.zone).replace(tzinfo=None) != read:
        problem = f"{text} never comes in {calendar.timezone}: the clock goes forward over it"
        raise ValueError(f"{problem}; write it with an offset")
    return instant


def _notes(tariff: Tariff, result: Price, starts_at: datetime) -> list[str]:
    notes = []
    if result.over_max_stay:
        notes.append(f"longer than the {tariff.max_stay_min} min this tariff is published for")
    if not tariff.is_valid_at(starts_at):
        notes.append("outside the dates for which this version is valid")
    return notes


def _document(tariff: Tariff, result: Price, notes: list[str]) -> dict[str, object]:
    return {
        "tariff": tariff.id,
        "version": tariff.version,
        "currency": result.currency,
        "lines": [line.as_document() for line in result.lines],
        "total_minor": result.total_minor,
        "notes": notes,
    }


def _table(tariff: Tariff, result: Price, starts_at: datetime, ends_at: datetime) -> list[str]:
    """The lines in columns, the total below."""
    zone = tariff.calendar.zone
    hours, rest = divmod((ends_at - starts_at) // timedelta(minutes=1), 60)
    stay = f"{starts_at.astimezone(zone):%a %Y-%m-%d %H:%M %Z} to {ends_at.astimezone(zone):%a %Y-%m-%d %H:%M %Z}"
    rows = [
        (
            line.label,
            f"{line.from_at:%d %H:%M} – {line.to_at:%d %H:%M}",
            f"{line.quantity} × {in_major(line.unit_amount, result.currency)}"
            if line.unit_amount >= 0
            else "",
            in_major(line.amount_minor, result.currency),
        )
        for line in result.lines
    ]
    rows.append((f"Total {result.currency}", "", "", in_major(result.total_minor, result.currency)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"{label:<{widths[0]}}  {when:<{widths[1]}}  {sums:>{widths[2]}}  {amount:>{widths[3]}}"
        for label, when, sums, amount in rows
    ]
    return [f"{tariff.name}, version {tariff.version}: {stay} ({hours} h {rest} min)", *lines]
