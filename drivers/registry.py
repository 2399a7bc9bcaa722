"""Which kinds of driver exist: the entry points of group `lotgate.drivers`, ours and third parties' alike."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from drivers.errors import DriverMisconfigured
from drivers.ports import Driver

GROUP = "lotgate.drivers"


def kinds() -> Mapping[str, EntryPoint]:
    """Return every installed kind of driver by its name."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def make_driver(kind: str, name: str, settings: Mapping[str, object]) -> Driver:
    """Make the driver of a table `[drivers.NAME]`; `settings` is the table without its `kind`.

    Raises:
        DriverMisconfigured: the kind does not exist or cannot be loaded, or its factory refuses the settings.
    """
    known = kinds()
    if kind not in known:
        raise DriverMisconfigured(
            "kind", f"no driver is called {kind!r}", f"choose one of {', '.join(sorted(known))}"
        )
    try:
        factory = known[kind].load()
    except ImportError as missing:
        fix = f"install the package that {known[kind].value} needs (for ours: lotgate[edge])"
        raise DriverMisconfigured("kind", f"driver {kind!r} cannot be loaded: {missing}", fix) from missing
    driver: Driver = factory(name, settings)
    return driver
