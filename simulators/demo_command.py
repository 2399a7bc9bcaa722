"""`lotgate demo`: a car park to watch, and a report that proves what it claims. Next file: simulators/demo.py."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from simulators.broker import BrokerFailed
from simulators.database import DatabaseDidNotStart
from simulators.demo import Demo, DemoPlan
from simulators.demo_view import DemoView, PlainView, table_of
from simulators.programs import ProgramEnded

EXIT_FAILED, EXIT_USAGE = 1, 2


def demo(arguments: Sequence[str]) -> int:
    """`lotgate demo …` without its first word; exit 0, 1 (a figure is wrong, or something failed) or 2 (used wrongly)."""
    try:
        asked = _parser().parse_args(arguments)
    except SystemExit as usage:
        return usage.code if isinstance(usage.code, int) else EXIT_USAGE
    plan = DemoPlan(seconds=asked.seconds, speed=asked.speed, seed=asked.seed)
    with tempfile.TemporaryDirectory(prefix="lotgate-demo-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        return asyncio.run(_run(plan, asked.keep or Path(folder), asked.report, headless=asked.headless))


async def _run(plan: DemoPlan, folder: Path, report_file: Path | None, *, headless: bool) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    view = PlainView(sys.stderr) if headless or not sys.stdout.isatty() else DemoView(plan)
    running = Demo(plan, folder, lambda: view.show(running.progress))
    try:
        with view:
            report = await running.run()
    except (ProgramEnded, BrokerFailed, DatabaseDidNotStart, TimeoutError) as failed:
        sys.stderr.write(f"lotgate demo: {failed}\n")
        return EXIT_FAILED
    if report_file is not None:
        report_file.write_text(json.dumps(report.figures, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(table_of(report))
    return 0 if report.passed else EXIT_FAILED


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
