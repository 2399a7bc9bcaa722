"""`lotgate demo`: a car park to watch, and a report that proves what it claims. Next file: simulators/demo.py.

Ctrl-C, SIGTERM and the end of the terminal (SIGHUP) end everything that was started, in order; a second signal changes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulators.broker import BrokerFailed
from simulators.database import DatabaseDidNotStart
from simulators.demo import Demo
from simulators.demo_plan import DemoPlan
from simulators.demo_table import table_of
from simulators.demo_view import DemoView, PlainView, View
from simulators.programs import ProgramEnded
from simulators.report import Report

EXIT_FAILED, EXIT_USAGE, EXIT_SIGNALLED = 1, 2, 128
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(Exception):
    """A signal ended the demo; the argument is its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How the demo shows itself. `live` is the view of a terminal, `plain` says it in ASCII, `as_json` writes the figures to the output."""

    live: bool
    plain: bool
    as_json: bool

    def view(self, plan: DemoPlan) -> View:
        """What is seen while it runs."""
        return DemoView(plan) if self.live else PlainView(sys.stderr)

    def result(self, report: Report) -> str:
        """What is seen at the end."""
        if self.as_json:
            return json.dumps(report.figures, indent=2) + "\n"
        return table_of(report, ascii_only=self.plain)


def demo(arguments: Sequence[str]) -> int:
    """`lotgate demo …` without its first word; exit 0, 1 (a figure is wrong, or something failed), 2 (used wrongly) or 128 + a signal."""
    try:
        asked = _parser().parse_args(arguments)
    except SystemExit as usage:
        return usage.code if isinstance(usage.code, int) else EXIT_USAGE
    plan = DemoPlan(seconds=asked.seconds, speed=asked.speed, seed=asked.seed)
    quiet = asked.headless or asked.plain or asked.json or not sys.stdout.isatty()
    shown = Shown(live=not quiet, plain=asked.plain, as_json=asked.json)
    with tempfile.TemporaryDirectory(prefix="lotgate-demo-", ignore_cleanup_errors=True) as folder:
        try:
            return asyncio.run(_run(plan, asked.keep or Path(folder), asked.report, shown))
        except Ended as ended:
            return EXIT_SIGNALLED + int(ended.args[0])
        except (ProgramEnded, BrokerFailed, DatabaseDidNotStart, TimeoutError) as failed:
            sys.stderr.write(f"lotgate demo: {failed}\n")
            return EXIT_FAILED


async def _run(plan: DemoPlan, folder: Path, report_file: Path | None, shown: Shown) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    view = shown.view(plan)
    running = Demo(plan, folder, lambda: view.show(running.progress))
    with view:
        report = await _until_told(running)
    if report_file is not None:
        report_file.write_text(json.dumps(report.figures, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(shown.result(report))
    return 0 if report.passed else EXIT_FAILED


async def _until_told(running: Demo) -> Report:
    """Run it to its end, or until the first signal; what was started is ended either way.

    Raises:
        Ended: by a signal.
    """
    told: list[int] = []
    doing = asyncio.ensure_future(running.run())

    def ending(number: int) -> Callable[[], None]:
        def end() -> None:
            if not told:
                told.append(number)
                doing.cancel()

        return end

    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, ending(number))
    try:
        return await doing
    except asyncio.CancelledError:
        if told:
            raise Ended(told[0]) from None
        raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lotgate demo",
        description="Runs broker, database, centre, line, agent and a lot full of cars on this machine, breaks some of them, and compares what each has on record.",
        epilog="example: lotgate demo --for 60 --speed 60 --seed 1 --report report.json",
    )
    parser.add_argument(
        "--for",
        dest="seconds",
        type=_seconds,
        default=60.0,
        metavar="S",
        help="real seconds of traffic (default: 60)",
    )
    parser.add_argument(
        "--speed", type=_speed, default=60.0, metavar="N", help="civil seconds in a real one (default: 60)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed brings the same vehicles (default: 1)"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="where to write the figures as JSON")
    parser.add_argument(
        "--headless", action="store_true", help="no live view: one line for each thing that happens"
    )
    parser.add_argument("--plain", action="store_true", help="as --headless, and the table in ASCII")
    parser.add_argument(
        "--json", action="store_true", help="as --headless, and the figures as JSON, no table"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep ledger, logs and record in this folder"
    )
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 3 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError("between 3 seconds and a day")
    return seconds


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed <= 600:
        raise argparse.ArgumentTypeError("a speed is above 0 and at most 600")
    return speed
