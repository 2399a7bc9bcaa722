"""The pins of one chip by gpiozero: opened, looked at, switched. What the chip refuses is `DeviceUnreachable`.

gpiozero's bounce time stays unused: a simulated pin has none, and ours is in drivers/gpio/debounce.py. The library behind a factory is
loaded by its entry point, when a lot's settings ask for it: lgpio starts a thread and makes a pipe in the working directory as soon as it
is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import entry_points
from typing import Any

from gpiozero import (
    Device,
    DigitalInputDevice,
    DigitalOutputDevice,
    GPIOZeroError,
    PinInvalidPin,
    PinUnknownPi,
)

from drivers.errors import DeviceUnreachable, DriverMisconfigured
from drivers.gpio.settings import GpioSettings

FACTORIES = "gpiozero_pin_factories"


class Contact:
    """An input; `closed` asks the pin itself."""

    def __init__(self, device: DigitalInputDevice, pins: Pins) -> None:
        self._device = device
        self._pins = pins

    @property
    def closed(self) -> bool:
        """Whether the contact is closed at this moment.

        Raises:
            DeviceUnreachable: the chip does not say.
        """
        with self._pins.asked():
            return bool(self._device.is_active)


class Output:
    """A relay or a lamp."""

    def __init__(self, device: DigitalOutputDevice, pins: Pins) -> None:
        self._device = device
        self._pins = pins

    def switch(self, *, on: bool) -> None:
        """Switch it.

        Raises:
            DeviceUnreachable: the chip does not take it.
        """
        with self._pins.asked():
            self._device.value = on


class Pins:
    """An open chip. `close` it in any case: outputs go back to what the board does with a pin that nobody drives."""

    def __init__(self, settings: GpioSettings, factory: Any, refusals: tuple[type[Exception], ...]) -> None:
        self._settings = settings
        self._factory = factory
        self._refusals = refusals
        self._devices: list[DigitalInputDevice | DigitalOutputDevice] = []

    def contact(self, pin: int, on_edge: Callable[[bool], None]) -> Contact:
        """Open an input; `on_edge` is called in any thread with what the contact is now: closed or not.

        Raises:
            DeviceUnreachable: the chip does not have this pin, or another program has it.
        """
        pull = {"up": True, "down": False, "none": None}[self._settings.pull]
        active = True if pull is None else None
        with self.asked():
            device = DigitalInputDevice(pin, pull_up=pull, active_state=active, pin_factory=self._factory)
            self._devices.append(device)
            device.when_activated = partial(on_edge, True)
            device.when_deactivated = partial(on_edge, False)
        return Contact(device, self)

    def output(self, pin: int, *, active_low: bool) -> Output:
        """Open an output, switched off.

        Raises:
            DeviceUnreachable: as `contact`.
        """
        with self.asked():
            device = DigitalOutputDevice(pin, active_high=not active_low, pin_factory=self._factory)
            self._devices.append(device)
        return Output(device, self)

    def close(self) -> None:
        """Give the pins back; one that cannot be given back any more is gone anyhow."""
        for device in self._devices:
            try:
                with self.asked():
                    device.close()
            except DeviceUnreachable:
                continue
        self._devices.clear()
        if self._settings.factory != "mock":
            self._factory.close()

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Whatever is done to the chip: its refusals are ours."""
        try:
            yield
        except PinUnknownPi as unknown:
            fix = "set revision to the code that /proc/cpuinfo shows"
            raise DriverMisconfigured(
                "revision", f"which Pi this is cannot be seen: {unknown}", fix
            ) from unknown
        except PinInvalidPin as none:
            raise DriverMisconfigured("units", str(none), "name pins by their GPIO numbers") from none
        except self._refusals as refused:
            raise DeviceUnreachable(f"the pins of chip {self._settings.chip}: {refused}") from refused


def open_pins(settings: GpioSettings) -> Pins:
    """Open the chip.

    Raises:
        DeviceUnreachable: there is no such chip, or we may not have it.
        DriverMisconfigured: the library behind the factory cannot be loaded.
    """
    try:
        make = next(iter(entry_points(group=FACTORIES, name=settings.factory))).load()
    except (ImportError, StopIteration, FileNotFoundError) as missing:
        fix = "install lgpio and start the agent in a folder that it may write to, or choose another factory"
        raise DriverMisconfigured(
            "factory", f"{settings.factory} cannot be loaded: {missing}", fix
        ) from missing
    refusals = (OSError, GPIOZeroError, *_own_error(settings.factory))
    if settings.factory == "mock":
        if not isinstance(Device.pin_factory, make):  # a simulator that has put its board there keeps it
            Device.pin_factory = make()
        return Pins(settings, Device.pin_factory, refusals)
    try:
        return Pins(settings, _of_revision(make, settings.revision)(chip=settings.chip), refusals)
    except refusals as refused:
        raise DeviceUnreachable(f"/dev/gpiochip{settings.chip}: {refused}") from refused


def _of_revision(factory: Any, revision: str | None) -> Any:
    """The factory for a board that is named: gpiozero looks it up in /proc, which a hardened unit does not see."""
    if revision is None:
        return factory
    return type(factory.__name__, (factory,), {"_get_revision": lambda _self: int(revision, 16)})


def _own_error(factory: str) -> tuple[type[Exception], ...]:
    """The error of the library behind a factory, which is no OSError."""
    library = sys.modules.get(factory)
    error = getattr(library, "error", None)
    return (error,) if isinstance(error, type) and issubclass(error, Exception) else ()
