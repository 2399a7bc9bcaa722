"""A changed lot.toml, taken up while the lot works (SIGHUP, `systemctl reload lotgate-edge`). Next file: edge/crew.py.

Theory. The file is read and checked as a whole, beside the running lot: what is wrong is named with its line and its fix, and the old settings
go on. Of a file that is right, drivers and sensors change live: only the drivers whose own tables changed are stopped and made anew. Everything
else (who the lot is, its spots and lanes, its ledger, its prices) was built into what runs; a file that changes one of these is refused whole,
each by name, with the advice to restart. So the settings that run are always those of one file.

    what changed                       what happens
    nothing                            nothing
    drivers, sensors                   the drivers that differ are exchanged, the sensors are known at once
    anything of WHAT_A_RESTART_CHANGES refused, all of it, with "restart"
    a file that is wrong               refused, each fault with its line
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from edge.api.desk import Fault
from edge.check import check
from edge.crew import Crew, Exchange
from edge.errors import SettingsProblem, SettingsRefused
from edge.lot_reading import place_of
from edge.notify import ServiceNotifier
from edge.settings import Settings
from parking.clock import Clock
from parking.ids import SpotId

LOG = structlog.stdlib.get_logger("edge.reload")

WHAT_A_RESTART_CHANGES: Mapping[str, Callable[[Settings], object]] = {
    "lot.id": lambda settings: settings.lot.id,
    "lot.name": lambda settings: settings.lot.name,
    "lot.timezone": lambda settings: settings.lot.timezone,
    "lot.currency": lambda settings: settings.lot.currency,
    "lot.latitude": lambda settings: settings.lot.latitude,
    "lot.longitude": lambda settings: settings.lot.longitude,
    "lot.address": lambda settings: settings.lot.address,
    "lot.opening_hours": lambda settings: settings.lot.opening_hours,
    "policy": lambda settings: (settings.lot.policy, settings.anti_passback),
    "zones": lambda settings: settings.lot.zones,
    "spots": lambda settings: settings.lot.spots,
    "lanes": lambda settings: (settings.lot.lanes, settings.lanes),
    "store": lambda settings: settings.store,
    "cloud.url": lambda settings: settings.cloud,
    "cloud.key_file": lambda settings: settings.key_file,
    "api": lambda settings: settings.api,
    "devices": lambda settings: settings.devices,
    "tariff": lambda settings: settings.tariff,
}
CHANGES_LIVE = frozenset({"drivers", "sensors"})
FIX = "Restart the agent to change it (systemctl restart lotgate-edge), or put the old value back."


def what_needs_a_restart(old: Settings, new: Settings) -> Sequence[SettingsProblem]:
    """What differs and cannot change while the lot works, by the names of the file."""
    return [
        SettingsProblem(
            file=str(new.file),
            line=place_of(new.file, tuple(name.split("."))),
            field=name,
            problem="cannot change while the agent runs.",
            fix=FIX,
        )
        for name, read in WHAT_A_RESTART_CHANGES.items()
        if read(old) != read(new)
    ]


@dataclass(slots=True, kw_only=True)
class Reload:
    """Takes up a changed file when asked. `look_at` tells whoever translates readings which sensor looks at which spot."""

    settings: Settings
    environment: Mapping[str, str]
    crew: Crew
    look_at: Callable[[Mapping[str, SpotId]], None]
    notifier: ServiceNotifier
    clock: Clock
    refused: tuple[SettingsProblem, ...] = ()
    refused_at: datetime | None = None
    taken: int = 0
    _asked: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self) -> None:
        """Ask for it, from a signal's handler; what is asked twice before it begins is done once."""
        self._asked.set()

    async def run(self) -> None:
        """Take up the file as often as it is asked for, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            self.notifier.reloading()
            try:
                await self._take_up()
            except SettingsRefused as refused:
                self._refuse(refused)
            finally:
                self.notifier.ready(self._status())

    def faults(self) -> Sequence[Fault]:
        """What a person must mend: the file that was refused last."""
        if not self.refused:
            return ()
        return (
            Fault(
                title="The changed configuration was refused",
                since_at=self.refused_at,
                effect="The lot works with the old one.",
                steps=tuple(str(problem) for problem in self.refused),
            ),
        )

    async def _take_up(self) -> None:
        """Read the file beside the loop, and exchange what differs.

        Raises:
            SettingsRefused: the file is wrong, or changes what a restart must.
        """
        new, problems = await asyncio.to_thread(check, self.settings.file, self.environment)
        if new is None or problems:
            raise SettingsRefused(problems)
        fixed = await asyncio.to_thread(what_needs_a_restart, self.settings, new)
        if fixed:
            raise SettingsRefused(fixed)
        self.look_at(new.sensors)
        done = await self.crew.exchange(new.drivers)
        self.settings, self.refused, self.refused_at = new, (), None
        self.taken += 1
        _tell(done, sensors=len(new.sensors))

    def _refuse(self, refused: SettingsRefused) -> None:
        self.refused, self.refused_at = refused.problems, self.clock.now()
        for problem in refused.problems:
            LOG.error(
                "reload_refused",
                file=problem.file,
                line=problem.line,
                field=problem.field,
                problem=problem.problem,
                fix=problem.fix,
            )

    def _status(self) -> str:
        return "the changed configuration was refused" if self.refused else "the configuration was taken up"


def _tell(done: Exchange, *, sensors: int) -> None:
    LOG.info(
        "reloaded",
        added=list(done.added),
        changed=list(done.changed),
        removed=list(done.removed),
        sensors=sensors,
    )
