"""The payment provider as a process: python -m simulators.payment_provider --port 0 --port-file FILE --seed 1.

It speaks Stripe's HTTP interface (simulators/provider/wire.py) and takes orders at /control/orders (simulators/provider/orders.py). Its hours are
civil where LOTGATE_CIVIL_SCALE says how they run, unless --time real. It ends in order on SIGTERM and SIGINT; with --books it may be killed and knows
all that it did when it is started again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from simulators.provider.books import Books
from simulators.provider.provider import Provider, ProviderPlan
from simulators.provider.serving import served
from simulators.record import Record
from simulators.system_clock import CIVIL_SCALE, clock_on, scale_from


def main(arguments: Sequence[str]) -> int:
    """Run the provider; exit 0, 1 (it failed) or 2 (used wrongly)."""
    try:
        asked = _parser().parse_args(arguments)
        clock = clock_on(scale_from(os.environ))
    except SystemExit as usage:
        return usage.code if isinstance(usage.code, int) else 2
    except ValueError as wrong:
        sys.stderr.write(f"{CIVIL_SCALE}: {wrong}\n")
        return 2
    plan = ProviderPlan(
        seed=asked.seed,
        civil=asked.time == "civil",
        api_key=asked.api_key,
        authentication_takes=timedelta(seconds=asked.authentication_s),
        hold_lives=timedelta(days=asked.hold_days),
        webhook_url=asked.webhook_url,
        webhook_secret=os.environ.get("LOTGATE_PROVIDER_WEBHOOK_SECRET", ""),
    )
    with Record(asked.record, clock) as record, closing(Books(asked.books)) as books:
        provider = Provider(plan, clock=clock, record=record, wall=time.time, books=books)
        try:
            asyncio.run(_serve(provider, asked.host, asked.port, asked.port_file))
        except OSError as error:
            sys.stderr.write(f"payment provider: {error}\n")
            return 1
    return 0


async def _serve(provider: Provider, host: str, port: int, port_file: Path | None) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with served(provider, host=host, port=port) as taken:
        if port_file is not None:
            written = port_file.with_suffix(port_file.suffix + ".part")
            written.write_text(f"{taken}\n", encoding="ascii")
            written.replace(port_file)
        await ended.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulators.payment_provider",
        description="A payment provider that speaks Stripe's HTTP interface, with faults on demand.",
        epilog="example: python -m simulators.payment_provider --port 0 --port-file port --seed 1",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=12_111, help="0 takes a free one (default: 12111)")
    parser.add_argument("--port-file", type=Path, help="where to write the port once it is served")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same ids (default: 1)")
    parser.add_argument(
        "--record", type=Path, default=Path("payments.jsonl"), help="what happened, as JSON lines"
    )
    parser.add_argument(
        "--books", type=Path, help="what it remembers when it is started again (default: nothing)"
    )
    parser.add_argument(
        "--time", choices=("civil", "real"), default="civil", help="whose hours it keeps (default: civil)"
    )
    parser.add_argument(
        "--authentication-s", type=float, default=60.0, help="how long a driver takes (default: 60)"
    )
    parser.add_argument("--hold-days", type=float, default=7.0, help="how long a hold lives (default: 7)")
    parser.add_argument(
        "--api-key", default="", help="the one key that is right (default: any that begins with sk_)"
    )
    parser.add_argument(
        "--webhook-url",
        default="",
        help="where webhooks go; their secret is in LOTGATE_PROVIDER_WEBHOOK_SECRET",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
