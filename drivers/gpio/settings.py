"""The table of a GPIO driver: which contact, relay or lamp hangs on which pin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from drivers.ports import Input, Move
from drivers.settings import DriverSettings

PinNumber = Annotated[int, Field(ge=0, le=255)]


class InputPins(DriverSettings):
    """Where a unit's contacts are; None: it has no such contact."""

    arming_loop: PinNumber | None = None
    safety_loop: PinNumber | None = None
    arm_up: PinNumber | None = None
    arm_down: PinNumber | None = None
    button: PinNumber | None = None
    fault: PinNumber | None = None
    call_button: PinNumber | None = None
    fire_alarm: PinNumber | None = None
    mains_failure: PinNumber | None = None

    def contacts(self) -> dict[Input, int]:
        """Return the contacts that exist."""
        found = {name: getattr(self, name.value) for name in Input}
        return {name: pin for name, pin in found.items() if pin is not None}


class RelayPins(DriverSettings):
    """Which relays press the controller's buttons; None: there is no such relay."""

    open: PinNumber | None = None
    close: PinNumber | None = None
    stop: PinNumber | None = None

    def moves(self) -> dict[Move, int]:
        """Return the moves that a relay can make."""
        found = {move: getattr(self, move.value) for move in Move}
        return {move: pin for move, pin in found.items() if pin is not None}


class UnitSettings(DriverSettings):
    """One lane's controller, or the house."""

    inputs: InputPins = InputPins()
    relays: RelayPins = RelayPins()
    lamps: dict[str, PinNumber] = Field(default={})
    inverted: frozenset[Input] = frozenset()

    def pins(self) -> Iterator[int]:
        """Every pin of the unit."""
        yield from self.inputs.contacts().values()
        yield from self.relays.moves().values()
        yield from self.lamps.values()


class GpioSettings(DriverSettings):
    """The table of a GPIO driver."""

    factory: Literal["lgpio", "mock"] = Field(
        default="lgpio", description='"lgpio" for a real chip, "mock" for a simulated one'
    )
    chip: int = Field(default=0, ge=0, le=255, description="the N of /dev/gpiochipN (gpiodetect lists them)")
    revision: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{4,6}$",
        description='the Pi\'s revision code, such as "a02082" (cat /proc/cpuinfo): under systemd our unit cannot look',
    )
    pull: Literal["up", "down", "none"] = Field(
        default="up",
        description='"up" where contacts close to ground, "down" where to 3.3 V, "none" with a resistor',
    )
    relays_active_low: bool = Field(default=False, description="true where a relay closes on a low level")
    debounce_ms: int = Field(
        default=20, ge=1, le=1_000, description="milliseconds that a level must hold, 1 to 1000"
    )
    restless_ms: int = Field(
        default=2_000,
        ge=50,
        le=60_000,
        description="milliseconds without rest after which a contact is unknown, above debounce_ms",
    )
    pulse_ms: int = Field(
        default=500, ge=20, le=5_000, description="milliseconds that a relay presses a button, 20 to 5000"
    )
    look_ms: int = Field(
        default=250, ge=20, le=10_000, description="milliseconds between two looks at all pins, edges or not"
    )
    units: dict[str, UnitSettings] = Field(
        min_length=1, description="a table for each controller, with inputs, relays, lamps and inverted"
    )

    @model_validator(mode="after")
    def _pins_are_one_things(self) -> GpioSettings:
        counted = Counter(pin for unit in self.units.values() for pin in unit.pins())
        twice = sorted(pin for pin, times in counted.items() if times > 1)
        if twice:
            raise ValueError(f"pin {twice[0]} is named twice: a pin is one thing")
        for name, unit in self.units.items():
            if not list(unit.pins()):
                raise ValueError(f"unit {name} has no pin")
        if self.restless_ms <= self.debounce_ms:
            raise ValueError("restless_ms must be above debounce_ms")
        return self
