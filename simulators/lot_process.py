"""The simulated lot as a process of its own: `lotgate simulate --config LOT.toml`, or python -m simulators.lot_process.

Out of its standard output come JSON lines: first `{"event": "ready", …}` when all cables are plugged in, then `{"event": "status", …}` every
second. Into its standard input go orders, a JSON line each (simulators/faults.py). It ends in order on the order "end", on SIGTERM, on
SIGINT, and when it has an input that ends. Everything that happens goes to the record (simulators/record.py).
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain, takewhile
from pathlib import Path
from random import Random
from typing import TextIO

from parking.clock import CivilScale
from parking.lot import LaneKind
from simulators.broker import BrokerFailed
from simulators.devices import devices_of
from simulators.driving import LaneOfCars, Trip
from simulators.faults import FaultRefused, obey, read_order
from simulators.kiosk_eye import KioskEye, LocalApi
from simulators.lot import PhysicalLot
from simulators.lot_plan import SIDECAR, LotPlan, PlanRefused, read_plan
from simulators.programs import Program, ProgramEnded
from simulators.radio import Radio
from simulators.record import Record
from simulators.rehearsal import rehearsing
from simulators.running import RunningLot
from simulators.system_clock import CIVIL_SCALE, clock_on, scale_from
from simulators.traffic import Vehicle, Way, traffic

STATUS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of a lot is made from. `tickets` is what `lotgate edge takeover` wrote for the cars inside; None: the lot starts empty.

    `seconds`: how long it runs, in real seconds; None: until it is told to end.
    """

    config: Path
    seed: int
    scale: CivilScale
    record: Path
    tickets: Path | None = None
    seconds: float | None = None


def warm_vehicles(plan: LotPlan, seed: int, scale: CivilScale) -> list[Vehicle]:
    """The vehicles that are inside when the scale's anchor passes: no more of a kind than it has places."""
    stream = traffic(seed, scale.anchor_at, plan.demand)
    free = {place.number: place.type for place in plan.places}
    room = {kind: sum(1 for each in free.values() if each is kind) for kind in set(free.values())}
    inside = []
    for vehicle in takewhile(lambda one: one.arrives_at <= scale.anchor_at, stream):
        if room.get(vehicle.type, 0):
            room[vehicle.type] -= 1
            inside.append(vehicle)
    return inside


def write_inside(plan: LotPlan, seed: int, scale: CivilScale, path: Path, now: datetime) -> int:
    """Write the cars inside as the list that `lotgate edge takeover` reads; how many there are.

    The list is made before the scale's anchor: who comes in the minutes between is put down as having come `now`.
    """
    vehicles = warm_vehicles(plan, seed, scale)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["reference", "plate", "type", "entered_at"])
        for vehicle in vehicles:
            plate = vehicle.plate if vehicle.way is Way.PLATE else ""
            entered_at = min(vehicle.arrives_at, now)
            rows.writerow([vehicle.number, plate, vehicle.type.value, entered_at.isoformat()])
    return len(vehicles)


def rehearse(run: Run, into: Path | None, orders: TextIO | None, out: TextIO) -> int:
    """Run a lot and its agent on a copy of its configuration (simulators/rehearsal.py), in `into` or in a folder that goes away afterwards."""
    with tempfile.TemporaryDirectory(prefix="lotgate-rehearsal-") as temporary:
        try:
            asyncio.run(_rehearse(run, into or Path(temporary), orders, out))
        except (PlanRefused, ProgramEnded, BrokerFailed) as failed:
            sys.stderr.write(f"{failed}\n")
            return 1
    return 0


async def _rehearse(run: Run, folder: Path, orders: TextIO | None, out: TextIO) -> None:
    environment = {CIVIL_SCALE: str(run.scale)}
    async with rehearsing(run.config, folder, seed=run.seed, environment=environment) as (written, agent):
        _say(out, event="rehearsal", config=str(written), log=str(agent.log))
        with Record(run.record, clock_on(run.scale)) as record:
            await _run(run, read_plan(written), record, orders, out, agent=agent)


def run_lot(run: Run, orders: TextIO | None, out: TextIO) -> int:
    """Run a lot until it is told to end; exit status 0, or 1 where it cannot be simulated as it is configured."""
    try:
        plan = read_plan(run.config)
    except PlanRefused as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    with Record(run.record, clock_on(run.scale)) as record:
        asyncio.run(_run(run, plan, record, orders, out))
    return 0


async def _run(
    run: Run,
    plan: LotPlan,
    record: Record,
    orders: TextIO | None,
    out: TextIO,
    *,
    agent: Program | None = None,
) -> None:
    api = LocalApi(plan.api_port_file, record)
    lot = _lot(run, plan, record, api)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    warm, coming = _vehicles(run, plan)
    lot.devices.start()
    lot.settle(warm)
    _say(
        out,
        event="ready",
        places=len(plan.places),
        inside=len(warm),
        record=str(run.record),
        civil_scale=str(run.scale),
    )
    at_work = [
        asyncio.ensure_future(lot.run(warm, coming)),
        asyncio.ensure_future(_tell_status(lot, out)),
        asyncio.ensure_future(ended.wait()),
    ]
    if run.seconds is not None:
        loop.call_later(run.seconds, ended.set)
    if agent is not None:
        at_work.append(asyncio.ensure_future(agent.fail_when_it_ends()))
    if orders is not None:
        at_work.append(asyncio.ensure_future(_take_orders(orders, lot, out, ended)))
    done, rest = await asyncio.wait(at_work, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    lot.devices.stop()
    await api.close()
    _say(out, event="ended", **lot.status())
    for task in done:
        task.result()


def _lot(run: Run, plan: LotPlan, record: Record, api: LocalApi) -> RunningLot:
    """Compose the lot, in the order of what rests on what."""
    clock = record.clock
    devices = devices_of(plan, record, clock.monotonic)
    draw = Random(f"run {run.seed} {clock.monotonic()}")  # message identities must differ from run to run
    radio = Radio(plan.sensors, clock, record, draw, str(os.getpid()))
    lanes: dict[str, LaneOfCars] = {}
    lot = RunningLot(
        truth=PhysicalLot(plan.places),
        lanes=lanes,
        radio=radio,
        devices=devices,
        record=record,
        clock=clock,
        draw=Random(f"inside {run.seed}"),
        starts_at=run.scale.anchor_at,
    )
    for lane in plan.lanes:
        lanes[lane.id] = LaneOfCars(
            plan=lane,
            gate=devices.gates[lane.id],
            api=api,
            record=record,
            onward=partial(lot.onward, kind=LaneKind(lane.kind)),
            eye=None if lane.kiosk_token is None else KioskEye(api, lane.id, lane.kiosk_token),
            reader=None if lane.reader is None else devices.readers.get(lane.reader),
            staff_token=plan.staff_token,
        )
    return lot


def _vehicles(run: Run, plan: LotPlan) -> tuple[list[Trip], Iterator[Vehicle]]:
    """The cars inside with their tickets, and those that come."""
    stream = traffic(run.seed, run.scale.anchor_at, plan.demand)
    first = next(vehicle for vehicle in stream if vehicle.arrives_at > run.scale.anchor_at)
    coming = chain([first], stream)
    if run.tickets is None:
        return [], coming
    held: dict[int, dict[str, str]] = {}
    with run.tickets.open(newline="", encoding="utf-8") as file:
        held = {int(row["reference"]): row for row in csv.DictReader(file)}
    return [
        Trip(vehicle=vehicle, ticket=row["ticket"] or None, stay=row["stay"] or None)
        for vehicle in warm_vehicles(plan, run.seed, run.scale)
        if (row := held.get(vehicle.number)) is not None
    ], coming


async def _tell_status(lot: RunningLot, out: TextIO) -> None:
    while True:
        _say(out, event="status", **lot.status())
        await asyncio.sleep(STATUS_EVERY_S)


async def _take_orders(orders: TextIO, lot: RunningLot, out: TextIO, ended: asyncio.Event) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), orders)
    while line := await reader.readline():
        try:
            order = read_order(line)
            obey(order, lot)
        except FaultRefused as refused:
            _say(out, event="refused", why=str(refused))
            continue
        _say(out, event="done", do=order.do, **(lot.status() if order.do == "status" else {}))
        if order.do == "end":
            ended.set()
            return


def _say(out: TextIO, **message: object) -> None:
    with suppress(BrokenPipeError):
        out.write(json.dumps(message, separators=(",", ":")) + "\n")
        out.flush()


def simulate(arguments: Sequence[str]) -> int:
    """`lotgate simulate …` without its first word; exit 0, 1 (it failed) or 2 (used wrongly)."""
    try:
        asked = _parser().parse_args(arguments)
        scale = scale_from(os.environ, speed=asked.speed)
    except SystemExit as usage:
        return usage.code if isinstance(usage.code, int) else 2
    except ValueError as wrong:
        sys.stderr.write(f"{CIVIL_SCALE}: {wrong}\n")
        return 2
    run = Run(
        config=asked.config,
        seed=asked.seed,
        scale=scale,
        record=asked.record or (asked.into or asked.config.parent) / "simulation.jsonl",
        tickets=asked.tickets,
        seconds=asked.seconds,
    )
    orders = sys.stdin if asked.orders else None
    if asked.config.with_name(SIDECAR).exists():
        return run_lot(run, orders, sys.stdout)
    return rehearse(run, asked.into, orders, sys.stdout)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lotgate simulate",
        description="A lot without a lot: cars, sensors, barriers, readers and terminals for the agent of LOT.toml.",
        epilog="example: lotgate simulate --config lot.toml --seed 1 --speed 60",
    )
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        help="the lot's TOML; where no simulation.toml stands beside it, a copy is rehearsed with an agent and a broker of its own",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed brings the same vehicles (default: 1)"
    )
    parser.add_argument(
        "--speed",
        type=_speed,
        default=1.0,
        help=f"civil seconds in a real one (default: 1); where {CIVIL_SCALE} is set that scale counts",
    )
    parser.add_argument(
        "--record", type=Path, help="what happened, as JSON lines (default: simulation.jsonl)"
    )
    parser.add_argument(
        "--tickets", type=Path, help="the cars inside, as lotgate edge takeover wrote them (default: none)"
    )
    parser.add_argument("--into", type=Path, help="keep the rehearsal's copy, ledger and logs in this folder")
    parser.add_argument("--for", dest="seconds", type=float, metavar="S", help="end after S real seconds")
    parser.add_argument(
        "--orders", action="store_true", help="take orders on standard input, a JSON line each"
    )
    return parser


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed <= 10_000:
        raise argparse.ArgumentTypeError("a speed is above 0 and at most 10000")
    return speed


if __name__ == "__main__":
    sys.exit(simulate(sys.argv[1:]))
