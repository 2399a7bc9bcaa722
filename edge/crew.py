"""The drivers at work, each under its supervisor, and how one is exchanged without touching the others. Asked by edge/reload.py.

Theory. A driver is known by its name. What it is made from (`kind` and its own table) is compared as it was read: equal settings, the same
driver, which goes on undisturbed with its connection. A driver whose settings changed is stopped first, wire closed, and only then made anew:
two never hold one port, and a broker's session of one name is taken over by its successor. What ends with an error that a supervisor does not
catch is a fault of ours and ends the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from drivers.supervisor import DriverHealth, Supervisor
from edge.settings import DriverSettings

MakeSupervisor = Callable[[DriverSettings], Supervisor]
OnChange = Callable[[Sequence[tuple[DriverSettings, Supervisor]]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a new list of drivers asks for, by name."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @classmethod
    def between(cls, old: Sequence[DriverSettings], new: Sequence[DriverSettings]) -> Exchange:
        """The exchange that leads from one list to another."""
        before = {driver.name: driver for driver in old}
        after = {driver.name: driver for driver in new}
        return cls(
            added=tuple(name for name in after if name not in before),
            changed=tuple(name for name in after if name in before and after[name] != before[name]),
            removed=tuple(name for name in before if name not in after),
        )


class Crew:
    """All drivers of one lot. `on_change` hears who is at work, at once and after every exchange."""

    def __init__(
        self, drivers: Sequence[DriverSettings], *, make: MakeSupervisor, on_change: OnChange
    ) -> None:
        self._make = make
        self._on_change = on_change
        self._at_work = {driver.name: (driver, make(driver)) for driver in drivers}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        on_change(tuple(self._at_work.values()))

    async def run(self) -> None:
        """Run every driver until cancelled.

        Raises:
            ExceptionGroup: a supervisor failed, which it must not.
        """
        async with asyncio.TaskGroup() as group:
            self._group = group
            for name in self._at_work:
                self._start(name)
            await asyncio.get_running_loop().create_future()

    def health(self) -> Sequence[DriverHealth]:
        """How each driver is now, in the order of the file."""
        return [supervisor.health() for _, supervisor in self._at_work.values()]

    async def exchange(self, drivers: Sequence[DriverSettings]) -> Exchange:
        """Stop, make and start what differs from `drivers`; the rest is not touched.

        Raises:
            DriverMisconfigured: a factory refuses its table; nothing was stopped.
        """
        asked = Exchange.between([driver for driver, _ in self._at_work.values()], drivers)
        fresh = {
            driver.name: self._make(driver)
            for driver in drivers
            if driver.name in (*asked.added, *asked.changed)
        }
        for name in (*asked.removed, *asked.changed):
            await self._stop(name)
        self._at_work = _in_order(drivers, self._at_work, fresh)
        self._on_change(tuple(self._at_work.values()))
        for name in fresh:
            self._start(name)
        return asked

    def _start(self, name: str) -> None:
        if self._group is not None:
            self._tasks[name] = self._group.create_task(self._at_work[name][1].run())

    async def _stop(self, name: str) -> None:
        """End one driver and wait until its wire is closed."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})


def _in_order(
    drivers: Sequence[DriverSettings],
    before: Mapping[str, tuple[DriverSettings, Supervisor]],
    fresh: Mapping[str, Supervisor],
) -> dict[str, tuple[DriverSettings, Supervisor]]:
    return {
        driver.name: (
            driver,
            fresh[driver.name] if driver.name in fresh else before[driver.name][1],
        )
        for driver in drivers
    }
