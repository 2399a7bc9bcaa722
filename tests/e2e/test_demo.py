"""`lotgate demo` as a person types it: its report, its exit status, and what it leaves behind, which is nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

LOTGATE = Path(sys.executable).with_name("lotgate")
FIGURES = frozenset(
    [
        "vehicles_entered",
        "vehicles_exited",
        "readings_published",
        "readings_acknowledged",
        "readings_lost",
        "events_logged",
        "events_applied",
        "events_lost",
        "events_duplicated",
        "places_sold_twice",
        "availability_mismatches",
        "conflicts",
        "barrier_moves",
        "arm_down_on_occupied_loop",
        "link_cuts",
        "agent_kills",
        "http_5xx",
        "decision_ms",
        "sensor_to_cloud_ms",
        "drain_seconds",
        "bookings_confirmed",
        "bookings_lost_race",
        "bookings_in_doubt_now",
        "passes_admitted_offline",
        "captured_without_booking",
        "booked_without_capture",
        "oldest_doubt_seconds",
    ]
)
ZEROES = [
    "readings_lost",
    "events_lost",
    "events_duplicated",
    "places_sold_twice",
    "availability_mismatches",
    "conflicts",
    "arm_down_on_occupied_loop",
    "http_5xx",
    "bookings_in_doubt_now",
    "captured_without_booking",
    "booked_without_capture",
    "bookings_told_wrong",
    "bookings_decided_differently",
]
GONE_WITHIN_S = 20.0


@pytest.fixture
def temporary() -> Iterator[Path]:
    """An empty folder for everything temporary, into which the database's own user may look."""
    with TemporaryDirectory(prefix="lotgate-e2e-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def command(*arguments: str) -> list[str]:
    return [str(LOTGATE), "demo", *arguments]


def run_demo(temporary: Path, seed: int) -> dict[str, object]:
    """The minute that `make demo` shows."""
    report = temporary / "report.json"
    arguments = command(
        "--for", "60", "--speed", "60", "--seed", str(seed), "--headless", "--report", str(report)
    )
    done = subprocess.run(
        arguments, env={**os.environ, "TMPDIR": str(temporary)}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"seed {seed}\n{done.stdout}\n{done.stderr}"
    assert "exit status 0" in done.stdout
    figures: dict[str, object] = json.loads(report.read_text())
    report.unlink()
    assert list(temporary.iterdir()) == []
    return figures


def check_figures(figures: dict[str, object]) -> None:
    assert figures.keys() >= FIGURES
    assert {name: figures[name] for name in ZEROES} == dict.fromkeys(ZEROES, 0)
    assert int(str(figures["vehicles_entered"])) >= 50
    assert int(str(figures["vehicles_exited"])) >= 50
    assert figures["events_logged"] == figures["events_applied"]
    assert (figures["link_cuts"], figures["agent_kills"]) == (1, 1)
    assert isinstance(figures["drain_seconds"], float)
    for name in ("bookings_confirmed", "bookings_lost_race", "passes_admitted_offline"):
        assert int(str(figures[name])) >= 1, name
    # From the decision that was lost on the line until its driver came with the pass.
    assert float(str(figures["oldest_doubt_seconds"])) > 5
    for name in ("decision_ms", "sensor_to_cloud_ms"):
        percentiles = figures[name]
        assert isinstance(percentiles, dict)
        assert 0 < percentiles["p50"] <= percentiles["p99"]


def test_a_minute_of_the_demo_proves_that_nothing_was_lost(temporary: Path) -> None:
    check_figures(run_demo(temporary, seed=1))


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(2, 12))
def test_the_demo_proves_it_with_every_seed(temporary: Path, seed: int) -> None:
    check_figures(run_demo(temporary, seed))


@pytest.mark.parametrize(
    ("how", "when"),
    [
        (signal.SIGHUP, "starting broker and database"),
        (signal.SIGTERM, "enrolling the gateway"),
        (signal.SIGINT, "traffic"),
    ],
    ids=["the terminal is closed", "it is told to end", "Ctrl-C"],
)
def test_a_demo_that_is_ended_leaves_nothing_behind(temporary: Path, how: signal.Signals, when: str) -> None:
    with started_until(temporary, when) as (demo, started):
        demo.send_signal(how)
        demo.send_signal(how)  # whoever is impatient does no harm
        assert demo.wait(timeout=60) == 128 + how
        assert still_there(started) == []
    assert list(temporary.iterdir()) == []


def test_a_demo_that_is_killed_takes_its_processes_with_it(temporary: Path) -> None:
    with started_until(temporary, "all is up") as (demo, started):
        assert {"mosquitto", "postgres", "lotgate"} <= {process.name() for process in started}
        demo.kill()
        demo.wait()
        _, alive = psutil.wait_procs(started, timeout=GONE_WITHIN_S)
        assert still_there(alive) == []


def test_a_process_that_dies_unasked_ends_the_demo_with_its_name_and_its_last_words(temporary: Path) -> None:
    with started_until(temporary, "all is up") as (demo, started):
        next(each for each in started if each.is_running() and "serve" in each.cmdline()).kill()
        assert demo.wait(timeout=60) == 1
        assert demo.stderr is not None
        assert "cloud ended with -9" in demo.stderr.read()
        assert still_there(started) == []
    assert list(temporary.iterdir()) == []


@contextmanager
def started_until(temporary: Path, when: str) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A demo that has come so far, and the processes that it has started by then and a moment later."""
    demo = subprocess.Popen(
        command("--headless"),
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert demo.stderr is not None
    with demo, demo.stderr as said:
        try:
            assert any(when in line for line in said), f"the demo ended before {when!r}"
            time.sleep(0.3)
            yield demo, psutil.Process(demo.pid).children(recursive=True)
        finally:
            demo.kill()


def still_there(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
