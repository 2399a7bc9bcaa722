"""`lotgate edge check`: whether a lot's TOML can work, before a car stands at the barrier."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from drivers.errors import DriverMisconfigured
from drivers.registry import make_driver
from edge.errors import SettingsProblem, SettingsRefused
from edge.lot_reading import place_of, read_settings_file
from edge.settings import Settings


def check(path: Path, environment: Mapping[str, str]) -> tuple[Settings | None, Sequence[SettingsProblem]]:
    """The settings, where they can be read, and everything that is wrong: with the file and with each driver's table."""
    try:
        settings = read_settings_file(path, environment)
    except SettingsRefused as refused:
        return None, refused.problems
    return settings, driver_problems(settings)


def driver_problems(settings: Settings) -> Sequence[SettingsProblem]:
    """What the drivers say of their own tables: each is made, none is run."""
    problems: list[SettingsProblem] = []
    for driver in settings.drivers:
        try:
            make_driver(driver.kind, driver.name, driver.own)
        except DriverMisconfigured as wrong:
            field = (
                f"drivers.{driver.name}"
                if wrong.field == "settings"
                else f"drivers.{driver.name}.{wrong.field}"
            )
            problems.append(
                SettingsProblem(
                    file=str(settings.file),
                    line=place_of(settings.file, ("drivers", driver.name, *wrong.field.split("."))),
                    field=field,
                    problem=f"{wrong.problem.rstrip('.')}.",
                    fix=f"{wrong.fix.rstrip('.')}.",
                )
            )
    return sorted(problems, key=lambda problem: problem.line or 0)


def report(path: Path, environment: Mapping[str, str], *, as_json: bool) -> tuple[str, int]:
    """What `check` prints, and its exit status: 0 all is well, 1 something is wrong."""
    settings, problems = check(path, environment)
    if as_json:
        rows = [
            {"file": p.file, "line": p.line, "field": p.field, "problem": p.problem, "fix": p.fix}
            for p in problems
        ]
        return json.dumps({"file": str(path), "ok": not problems, "problems": rows}, ensure_ascii=False), int(
            bool(problems)
        )
    if problems or settings is None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        return "\n".join([*(str(problem) for problem in problems), f"{path}: {count}."]), 1
    lot = settings.lot
    return (
        f"{path}: {lot.name}, {len(lot.spots)} spots, {len(settings.lanes)} lanes, "
        f"{len(settings.drivers)} drivers, {len(settings.sensors)} sensors, tariff {settings.tariff.name_of_version}. All is well."
    ), 0
