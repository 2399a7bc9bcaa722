"""Plays seeds from the command line. The last line that a single seed prints is the hash of its trace."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from tests.simulation.coverage import SEEN, count_tables
from tests.simulation.sql_database import Differs
from tests.simulation.sql_server import a_migrated_database, the_database
from tests.simulation.world import Broken, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What one seed came to. `failure` is empty where everything held."""

    seed: int
    digest: str
    lines: int
    took_s: float
    failure: str
    reached: dict[str, int]
    struck: dict[str, int]
    seen: dict[str, int]
    rows: dict[str, int]


def play(seed: int, *, show: bool = False, sql: str | None = None, until_s: float | None = None) -> Played:
    """One seed, or its first seconds, in a folder of its own.

    `sql`: a migrated database to which nobody is connected; the centre runs on a copy of it.
    """
    started_s = time.process_time()
    failure = ""
    count_tables()
    SEEN.clear()
    with (
        tempfile.TemporaryDirectory(prefix="lotgate-simulation-") as folder,
        _quietly(),
        the_database(sql) as database,
    ):
        world = World(seed, Path(folder), show=_print if show else None, database=database, until_s=until_s)
        try:
            world.run()
            world.database.look_at_all()
        except (Broken, Differs) as broken:
            failure = f"{broken}{'' if sql is None else ' --sql'}"
    return Played(
        seed=seed,
        digest=world.trace.digest,
        lines=world.trace.lines,
        took_s=time.process_time() - started_s,
        failure=failure,
        reached=dict(world.lot_failpoints.reached + world.cloud_failpoints.reached),
        struck=dict(world.lot_failpoints.struck + world.cloud_failpoints.struck),
        seen={" ".join(key): count for key, count in world.seen.items()},
        rows=dict(SEEN),
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Production's journal costs more than the day itself; a day makes few cycles, and ends before they matter."""
    journal = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        structlog.configure(**journal)


def main(arguments: Sequence[str]) -> int:
    """0 where everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this one")
    parser.add_argument("--trace", action="store_true", help="print everything that happens")
    parser.add_argument("--seeds", help="play these, as 1-20000")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument(
        "--resume", type=Path, help="a file of what was played; what it has is not played again"
    )
    parser.add_argument(
        "--sql", action="store_true", help="the real SQL on a PostgreSQL of its own; the same hash"
    )
    asked = parser.parse_args(arguments)
    with a_migrated_database() if asked.sql else nullcontext() as sql:
        if asked.seeds is None:
            return _one(asked.seed if asked.seed is not None else 1, show=asked.trace, sql=sql)
        first, _, last = asked.seeds.partition("-")
        seeds = range(int(first), int(last or first) + 1)
        return play_many(seeds, jobs=asked.jobs, resume=asked.resume, sql=sql)


def _one(seed: int, *, show: bool, sql: str | None) -> int:
    played = play(seed, show=show, sql=sql)
    if played.failure:
        _print(played.failure)
    else:
        _print(f"seed {seed}: {played.lines} lines in {played.took_s:.2f} s")
    _print(played.digest)
    return 1 if played.failure else 0


def play_many(seeds: Sequence[int], *, jobs: int, resume: Path | None, sql: str | None = None) -> int:
    """All of them; each is a line of `resume` once it is played, so that the rest can go on another time."""
    done = _already(resume)
    left = [seed for seed in seeds if seed not in done]
    broken = [seed for seed in seeds if done.get(seed)]
    for played in playing(left, jobs=jobs, sql=sql):
        if resume is not None:
            with resume.open("a", encoding="utf-8") as file:
                told = {"seed": played.seed, "digest": played.digest, "failure": played.failure}
                file.write(json.dumps(told) + "\n")
        if played.failure:
            broken.append(played.seed)
            _print(played.failure)
    _print(
        f"{len(seeds)} seeds, {len(broken)} broken{'' if not broken else ': ' + ', '.join(map(str, broken))}"
    )
    return 1 if broken else 0


def playing(seeds: Sequence[int], *, jobs: int, sql: str | None = None) -> Iterator[Played]:
    """Each as it is played, in their order."""
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        yield from pool.map(partial(play, sql=sql), seeds, chunksize=4)


def _already(resume: Path | None) -> dict[int, str]:
    if resume is None or not resume.exists():
        return {}
    rows = [json.loads(line) for line in resume.read_text(encoding="utf-8").splitlines()]
    return {row["seed"]: row["failure"] for row in rows}


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
