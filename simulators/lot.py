"""The lot as it stands there: places, the cars on them, and who is inside. Next file: simulators/driving.py.

The physical truth, without any protocol and without any clock. Drivers choose their own place: the nearest free one of their kind, give or take
their own wandering; where their kind is taken they stand where they can, as people do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from parking.lot import SpotType
from simulators.traffic import Vehicle

LEVEL_WALK = 40.0
WANDERING_WALK = 12.0

ALSO_TAKES: Mapping[SpotType, tuple[SpotType, ...]] = {
    SpotType.REGULAR: (SpotType.COMPACT, SpotType.EV, SpotType.DISABLED),
    SpotType.COMPACT: (SpotType.REGULAR, SpotType.EV, SpotType.DISABLED),
    SpotType.DISABLED: (SpotType.REGULAR, SpotType.COMPACT, SpotType.EV),
    SpotType.EV: (SpotType.REGULAR, SpotType.COMPACT, SpotType.DISABLED),
    SpotType.MOTORCYCLE: (SpotType.COMPACT, SpotType.REGULAR, SpotType.EV, SpotType.DISABLED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A painted place; `walk` is how far it is from the doors, in places passed."""

    number: str
    type: SpotType
    level: str
    walk: float


class PhysicalLot:
    """Places and the vehicles on them. Two cars are never on one place: the second driver drives on."""

    def __init__(self, places: Iterable[Place]) -> None:
        self.places = {place.number: place for place in places}
        self.inside: dict[int, Vehicle] = {}
        self._on: dict[str, int] = {}
        self._stands: dict[int, str] = {}

    def enter(self, vehicle: Vehicle) -> None:
        """The vehicle is through the entry."""
        self.inside[vehicle.number] = vehicle

    def park(self, vehicle: Vehicle) -> str | None:
        """The driver chooses a free place and stands on it; None where there is none."""
        draw = Random(f"place {vehicle.number}")
        for kind in (vehicle.type, *ALSO_TAKES[vehicle.type]):
            free = [p for p in self.places.values() if p.type is kind and p.number not in self._on]
            if free:
                wander = vehicle.wandering * WANDERING_WALK
                chosen = min(free, key=lambda place: place.walk + draw.gauss(0, wander))
                self._on[chosen.number] = vehicle.number
                self._stands[vehicle.number] = chosen.number
                return chosen.number
        return None

    def unpark(self, vehicle: Vehicle) -> str | None:
        """The vehicle drives off its place, which is returned; None where it stood nowhere."""
        number = self._stands.pop(vehicle.number, None)
        if number is not None:
            del self._on[number]
        return number

    def stands(self, vehicle: Vehicle) -> str | None:
        """The place on which the vehicle stands."""
        return self._stands.get(vehicle.number)

    def leave(self, vehicle: Vehicle) -> None:
        """The vehicle is through the exit."""
        self.inside.pop(vehicle.number, None)

    def taken(self, number: str) -> bool:
        """Whether a car stands on the place."""
        return number in self._on

    @property
    def parked(self) -> int:
        """How many cars stand on places."""
        return len(self._on)


def walks(numbers_by_level: Mapping[str, list[tuple[str, SpotType]]]) -> list[Place]:
    """Places in the order in which they are painted: each level further away, each place one further on."""
    return [
        Place(number=number, type=kind, level=level, walk=storey * LEVEL_WALK + index)
        for storey, (level, numbers) in enumerate(numbers_by_level.items())
        for index, (number, kind) in enumerate(numbers)
    ]
