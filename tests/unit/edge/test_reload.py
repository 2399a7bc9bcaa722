"""What of a lot's file changes live and what only a restart changes: nothing is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from random import Random

import pytest

from drivers.ports import Command, Done, Sink
from drivers.supervisor import Supervisor
from edge.crew import Crew, Exchange
from edge.lot_reading import read_settings_file
from edge.reload import CHANGES_LIVE, WHAT_A_RESTART_CHANGES, what_needs_a_restart
from edge.settings import DriverSettings, Settings
from edge.translation import DeviceSink, Translation
from parking.ids import LotId
from parking.lot import Lot

CONFIG = Path(__file__).parents[3] / "config"
SMALL = read_settings_file(CONFIG / "small-barrier-lot.toml", {})
FOUND_WITH_THE_FILE = {"file", "anti_passback", "key_file", "cloud", "lot"}  # under other names in the table


def test_every_setting_changes_live_or_is_named_as_what_a_restart_changes() -> None:
    named = {name.partition(".")[0] for name in WHAT_A_RESTART_CHANGES}
    for field in fields(Settings):
        assert field.name in CHANGES_LIVE | named | FOUND_WITH_THE_FILE, field.name
    for field in fields(Lot):
        assert {field.name, f"lot.{field.name}"} & ({*WHAT_A_RESTART_CHANGES} | named), field.name


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("lot.id", replace(SMALL, lot=replace(SMALL.lot, id=LotId("other")))),
        ("policy", replace(SMALL, anti_passback="hard")),
        ("store", replace(SMALL, store=replace(SMALL.store, max_bytes=1))),
        ("lanes", replace(SMALL, lanes=SMALL.lanes[:1])),
        ("cloud.url", replace(SMALL, cloud=None)),
        ("devices", replace(SMALL, devices=())),
    ],
)
def test_what_runs_cannot_change_is_named(name: str, changed: Settings) -> None:
    assert [problem.field for problem in what_needs_a_restart(SMALL, changed)] == [name]


def test_drivers_and_sensors_need_no_restart() -> None:
    assert not what_needs_a_restart(SMALL, replace(SMALL, drivers=(), sensors={}))


class Noted:
    """A driver that notes when it runs and when its wire is closed."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name, self.notes = name, notes

    async def run(self, sink: Sink) -> None:
        self.notes.append(f"{self.name} opens")
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            self.notes.append(f"{self.name} closes")

    async def command(self, command: Command, *, timeout_s: float) -> Done:
        return Done(reference=self.name)


async def turns() -> None:
    """Let everything that can go on go on: nothing here waits for more than the loop's next turn."""
    for _ in range(10):
        await asyncio.sleep(0)


def table(name: str, **own: object) -> DriverSettings:
    return DriverSettings(name=name, kind="noted", own=own)


async def test_a_changed_driver_is_closed_before_it_is_made_anew_and_the_others_are_not_touched() -> None:
    notes: list[str] = []
    known: dict[str, Supervisor] = {}

    nothing_is_read = Translation(lanes_by_barrier={}, lanes_by_reader={}, observer=None, plates=None)  # type: ignore[arg-type]

    def make(driver: DriverSettings) -> Supervisor:
        return Supervisor(
            driver.name,
            Noted(f"{driver.name}{driver.own.get('baud', '')}", notes),
            DeviceSink(translation=nothing_is_read),
            random=Random(1),
            monotonic=asyncio.get_running_loop().time,
        )

    def learn(at_work: object) -> None:
        known.clear()
        known.update({driver.name: supervisor for driver, supervisor in at_work})  # type: ignore[attr-defined]  # pairs

    crew = Crew([table("a"), table("b", baud=1), table("c")], make=make, on_change=learn)
    running = asyncio.create_task(crew.run())
    await turns()
    assert len(notes) == 3
    kept: Mapping[str, Supervisor] = dict(known)
    notes.clear()
    done = await crew.exchange([table("d"), table("b", baud=2), table("a")])
    assert done == Exchange(added=("d",), changed=("b",), removed=("c",))
    await turns()
    assert notes == ["c closes", "b1 closes", "d opens", "b2 opens"]
    assert [health.name for health in crew.health()] == ["d", "b", "a"]
    assert known["a"] is kept["a"]
    assert known["b"] is not kept["b"]
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
