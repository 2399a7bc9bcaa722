"""What a device said, told in the lot's own terms. Next files: edge/lane_runner.py (contacts, codes, plates), edge/observing.py (spots).

Drivers know device ids; the configuration knows which spot or lane each belongs to. A device that the configuration does not know is told
once and its readings are kept aside, never guessed at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from drivers.ports import (
    CodeReading,
    ConditionReading,
    Input,
    InputReading,
    MalformedReading,
    PlateReading,
    Reading,
    SpotReading,
)
from edge.lanes import Levels
from edge.visit import Presented


class LaneContacts(Protocol):
    """What a lane hears."""

    def contacts(self, levels: Levels, *, button: bool | None) -> None:
        """Its controller's contacts were read."""
        ...

    def present(self, presented: Presented) -> bool:
        """Something was presented at it."""
        ...


class Observer(Protocol):
    """Where readings of spots go."""

    def observe(self, reading: SpotReading) -> asyncio.Future[None]:
        """A sensor spoke; the future resolves when that is durable."""
        ...

    def quarantine(self, reading: MalformedReading) -> asyncio.Future[None]:
        """Something could not be understood; the future resolves when it is kept."""
        ...


class PlateTaker(Protocol):
    """Where cameras' events go."""

    def take(self, reading: PlateReading, present: Callable[[Presented], None]) -> asyncio.Future[None]:
        """A camera read a plate; a lane hears of it once, and the future resolves when a repetition would be known as one."""
        ...


@dataclass(slots=True, kw_only=True)
class Translation:
    """Knows which lane a device stands at."""

    lanes_by_barrier: Mapping[str, LaneContacts]
    lanes_by_reader: Mapping[str, LaneContacts]
    observer: Observer
    plates: PlateTaker
    conditions: Callable[[ConditionReading], None] = lambda _reading: None
    house: Callable[[InputReading], bool] = lambda _reading: False
    unknown_devices: set[str] = field(default_factory=set)
    ignored_codes: int = 0

    def take(self, reading: Reading) -> asyncio.Future[None]:
        """Pass a reading on; the future resolves when it is durable (contacts and codes live in the lane alone)."""
        if isinstance(reading, SpotReading):
            return self.observer.observe(reading)
        if isinstance(reading, MalformedReading):
            return self.observer.quarantine(reading)
        if isinstance(reading, InputReading):
            self._contacts(reading)
        elif isinstance(reading, CodeReading):
            self._present(reading.device, Presented.code(reading.text))
        elif isinstance(reading, PlateReading):
            return self.plates.take(reading, lambda presented: self._present(reading.device, presented))
        else:
            self.conditions(reading)
        return _done()

    def _contacts(self, reading: InputReading) -> None:
        is_of_the_house = self.house(reading)
        lane = self.lanes_by_barrier.get(reading.device)
        if lane is None:
            if not is_of_the_house:
                self.unknown_devices.add(reading.device)
            return
        closed = reading.closed
        lane.contacts(
            Levels(
                vehicle=closed.get(Input.ARMING_LOOP),
                safety=closed.get(Input.SAFETY_LOOP),
                arm_up=closed.get(Input.ARM_UP),
                arm_down=closed.get(Input.ARM_DOWN),
            ),
            button=closed.get(Input.BUTTON),
        )

    def _present(self, device: str, presented: Presented) -> None:
        lane = self.lanes_by_reader.get(device)
        if lane is None:
            self.unknown_devices.add(device)
        elif not lane.present(presented):
            self.ignored_codes += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSink:
    """One driver's way to the translation, see `drivers.ports.Sink`."""

    translation: Translation

    def deliver(self, reading: Reading) -> asyncio.Future[None]:
        """Take the reading."""
        return self.translation.take(reading)

    def alive(self) -> None:
        """The driver's own health is kept by its supervisor."""


def _done() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future
