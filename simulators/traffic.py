"""The vehicles that come to a lot: who, when, for how long, and what kind of driver. Next file: simulators/lot.py.

Theory. Arrivals are a Poisson process whose rate follows the hour and the kind of day (simulators/traffic_tables.py) times the lot's size. It begins a
day before the simulation: whoever of that day is still parked when the simulation begins is inside at its start. That is the
stationary draw with nothing left out: long stays are over-represented among the cars inside as they are in any real lot at a glance.

One seed, one world: arrivals come from one generator, and each vehicle's own traits from a generator of its own, so that a trait more changes
no arrival. Nothing here knows the time of day at which it is run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from random import Random

from parking.lot import SpotType
from simulators.traffic_tables import (
    ARRIVALS,
    DWELL_WIDTH,
    ELECTRIC_DWELL_MIN,
    MEAN_DWELL_MIN,
    kind_of_day,
)

LEAD = timedelta(days=1)
BUSIEST = max(max(rates) for rates in ARRIVALS.values())
LOG_MIDDLE = math.log(MEAN_DWELL_MIN) - DWELL_WIDTH**2 / 2
SHORTEST_DWELL = timedelta(minutes=4)
PLATE_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


class Way(StrEnum):
    """How a vehicle asks to be let in and out."""

    BUTTON = "button"
    TOUCH = "touch"
    PLATE = "plate"
    PASS = "pass"  # noqa: S105 - a way in, not a secret


TYPE_SHARES: tuple[tuple[SpotType, float], ...] = (
    (SpotType.REGULAR, 0.745),
    (SpotType.COMPACT, 0.13),
    (SpotType.DISABLED, 0.04),
    (SpotType.MOTORCYCLE, 0.07),
    (SpotType.EV, 0.015),
)
"""What kind of place the vehicles want; electric cars stay long, so that few arrivals fill their places. Our assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """How much traffic a lot has. `factor` 1.0 is what the fitted car parks have for each of their `spaces`.

    `plates` is the share let in by the camera, `back_outs` the share of drivers who think better of it under the open arm.
    """

    spaces: int
    timezone: tzinfo
    factor: float = 1.0
    plates: float = 0.25
    back_outs: float = 0.01

    def per_hour(self, at: datetime) -> float:
        """Arrivals per civil hour at an aware instant."""
        local = at.astimezone(self.timezone)
        return ARRIVALS[kind_of_day(local.weekday())][local.hour] * self.spaces * self.factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """One vehicle and its driver. Civil: `arrives_at`, `dwell`. Real seconds: `reaction_s` before each act, `patience_s` at a shut arm.

    `wandering` is how much of its search for a place is chance: 0 takes the nearest.
    """

    number: int
    arrives_at: datetime
    dwell: timedelta
    type: SpotType
    way: Way
    plate: str
    reaction_s: float
    patience_s: float
    wandering: float
    backs_out: bool = False

    @property
    def leaves_at(self) -> datetime:
        """When it would like to be gone."""
        return self.arrives_at + self.dwell


def traffic(seed: int, starts_at: datetime, demand: Demand) -> Iterator[Vehicle]:
    """Every vehicle that is inside at `starts_at` or comes later, in the order of arrival, without end."""
    arrivals = Random(f"arrivals {seed}")
    most_per_hour = BUSIEST * demand.spaces * demand.factor
    at = starts_at - LEAD
    number = 0
    while True:
        at += timedelta(hours=arrivals.expovariate(most_per_hour))
        if arrivals.random() * most_per_hour >= demand.per_hour(at):
            continue
        number += 1
        vehicle = _vehicle(Random(f"vehicle {seed} {number}"), number, at, demand)
        if vehicle.leaves_at > starts_at:
            yield vehicle


def _vehicle(draw: Random, number: int, arrives_at: datetime, demand: Demand) -> Vehicle:
    kind = draw.choices([kind for kind, _ in TYPE_SHARES], [share for _, share in TYPE_SHARES])[0]
    by_plate = draw.random() < demand.plates and kind is SpotType.REGULAR
    asked = Way.BUTTON if kind is SpotType.REGULAR else Way.TOUCH
    return Vehicle(
        number=number,
        arrives_at=arrives_at,
        dwell=max(SHORTEST_DWELL, timedelta(minutes=dwell_min(draw, kind))),
        type=kind,
        way=Way.PLATE if by_plate else asked,
        plate=_plate(draw, number),
        reaction_s=draw.uniform(0.05, 0.2),
        patience_s=draw.uniform(45, 90),
        wandering=draw.expovariate(1.0),
        backs_out=draw.random() < demand.back_outs,
    )


def ordered_vehicle(number: int, arrives_at: datetime, dwell: timedelta, kind: SpotType, way: Way) -> Vehicle:
    """A vehicle that comes by order; its driver is drawn as all are."""
    draw = Random(f"ordered {number}")
    return Vehicle(
        number=number,
        arrives_at=arrives_at,
        dwell=dwell,
        type=kind,
        way=way,
        plate=_plate(draw, number),
        reaction_s=draw.uniform(0.05, 0.2),
        patience_s=draw.uniform(45, 90),
        wandering=draw.expovariate(1.0),
    )


def dwell_min(draw: Random, kind: SpotType) -> float:
    """Draw a dwell in minutes."""
    if kind is not SpotType.EV:
        return draw.lognormvariate(LOG_MIDDLE, DWELL_WIDTH)
    place = draw.random() * (len(ELECTRIC_DWELL_MIN) - 1)
    index = int(place)
    low, high = ELECTRIC_DWELL_MIN[index], ELECTRIC_DWELL_MIN[index + 1]
    return low + (high - low) * (place - index)


def _plate(draw: Random, number: int) -> str:
    """A plate in the British form; the number makes it unique among a million."""
    letters = "".join(draw.choices(PLATE_LETTERS, k=2))
    tail, rest = "", number
    for _ in range(3):
        rest, digit = divmod(rest, len(PLATE_LETTERS))
        tail += PLATE_LETTERS[digit]
    return f"{letters}{51 + rest % 24:02d} {tail}"
