"""Which kinds of driver exist: the entry points of group `lotgate.drivers`, ours and third parties' alike."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from drivers.errors import DriverMisconfigured
from drivers.ports import Driver, DriverFactory
from drivers.settings import DriverSettings, model_of

GROUP = "lotgate.drivers"


def kinds() -> Mapping[str, EntryPoint]:
    """Return every installed kind of driver by its name."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def settings_of(kind: str) -> type[DriverSettings] | None:
    """The model of a kind's table; None where its factory does not tell it.

    Raises:
        DriverMisconfigured: the kind does not exist or cannot be loaded.
    """
    return model_of(_factory(kind))


def make_driver(kind: str, name: str, settings: Mapping[str, object]) -> Driver:
    """Make the driver of a table `[drivers.NAME]`; `settings` is the table without its `kind`.

    Raises:
        DriverMisconfigured: the kind does not exist or cannot be loaded, or its factory refuses the settings.
    """
    driver: Driver = _factory(kind)(name, settings)
    return driver


def _factory(kind: str) -> DriverFactory:
    known = kinds()
    if kind not in known:
        raise DriverMisconfigured(
            "kind", f"no driver is called {kind!r}", f"choose one of {', '.join(sorted(known))}"
        )
    try:
        factory: DriverFactory = known[kind].load()
    except ImportError as missing:
        fix = f"install the package that {known[kind].value} needs (for ours: lotgate[edge])"
        raise DriverMisconfigured("kind", f"driver {kind!r} cannot be loaded: {missing}", fix) from missing
    return factory
