"""A lot as it is built: levels, zones, spots, lanes and the rules it is run by. Plain facts, changed by configuration only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from parking.ids import LaneId, LotId, SpotId, ZoneId


class SpotType(StrEnum):
    """What a spot is made for."""

    REGULAR = "regular"
    COMPACT = "compact"
    DISABLED = "disabled"
    EV = "ev"
    MOTORCYCLE = "motorcycle"


class ZoneKind(StrEnum):
    """Whether drivers choose their own spot or are given one."""

    FREE_CHOICE = "free_choice"
    ASSIGNED = "assigned"


class Enforcement(StrEnum):
    """What keeps others off a spot that was assigned."""

    SIGN = "sign"
    LAMP = "lamp"
    BOLLARD = "bollard"
    NESTED_GATE = "nested_gate"
    ATTENDANT = "attendant"


class LaneKind(StrEnum):
    """Which way a lane goes."""

    ENTRY = "entry"
    EXIT = "exit"
    TWO_WAY = "two_way"


class Tier(StrEnum):
    """Who decides: the computer in the lot, or the centre."""

    EDGE = "edge"
    CLOUD = "cloud"


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    """The spot is on its way from one tier to the other; neither may sell it."""

    transfer: str


Owner = Tier | InFlight


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A part of one level. `assigned` needs an enforcement, or the promise of a painted spot is empty."""

    id: ZoneId
    level: str
    kind: ZoneKind = ZoneKind.FREE_CHOICE
    enforced_by: Enforcement | None = None

    def __post_init__(self) -> None:
        if (self.kind is ZoneKind.ASSIGNED) != (self.enforced_by is not None):
            raise ValueError(
                f"zone {self.id}: an assigned zone names its enforcement, a free_choice zone has none"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One painted place."""

    id: SpotId
    zone: ZoneId
    number: str
    type: SpotType


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One way through a barrier."""

    id: LaneId
    kind: LaneKind


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningHours:
    """Civil hours in which cars may enter, by weekday (0 Monday … 6 Sunday); a weekday that is absent is closed.

    `closes` at or before `opens` means the night after. Leaving is possible at any hour.
    """

    by_weekday: Mapping[int, tuple[time, time]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LotPolicy:
    """The lot's rules with their defaults (domain: what is sold)."""

    assumed_stay: timedelta = timedelta(hours=4)
    extension_step: timedelta = timedelta(minutes=30)
    turnover_buffer: timedelta = timedelta(minutes=15)
    early_arrival: timedelta = timedelta(minutes=15)
    void_after: timedelta = timedelta(minutes=5)
    exit_grace: timedelta = timedelta(minutes=15)
    trouble_ahead: timedelta = timedelta(minutes=30)
    """How long before its start a booking is looked at: is there still a place for it?"""
    overstay_factor_1e4: int = 10_000
    """What a car pays after its booking's end, in ten-thousandths of the tariff's price."""
    when_full: str = ""
    """Where a driver goes whose booking finds no free place, in the lot's own words."""
    stands_after: timedelta = timedelta(seconds=60)
    """How long a spot of a lot without lanes is occupied until a car stands there on record."""
    gone_after: timedelta = timedelta(seconds=10)
    """How long it is free until that car has left."""
    spare_spots: Mapping[SpotType, int] = field(default_factory=dict)
    better_types: Mapping[SpotType, tuple[SpotType, ...]] = field(
        default_factory=lambda: {
            SpotType.MOTORCYCLE: (SpotType.COMPACT, SpotType.REGULAR),
            SpotType.COMPACT: (SpotType.REGULAR,),
        }
    )
    """Where a promise may go when its own type has no place left: larger, never a charger's or a badge's place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """One car park; spots in the order they are painted. `opening_hours` None means always open."""

    id: LotId
    name: str
    timezone: ZoneInfo
    currency: str
    latitude: float
    longitude: float
    address: str = ""
    zones: tuple[Zone, ...]
    spots: tuple[Spot, ...]
    lanes: tuple[Lane, ...]
    policy: LotPolicy = field(default_factory=LotPolicy)
    opening_hours: OpeningHours | None = None

    def __post_init__(self) -> None:
        zones = {zone.id for zone in self.zones}
        for spot in self.spots:
            if spot.zone not in zones:
                raise ValueError(f"spot {spot.number}: zone {spot.zone} does not exist in this lot")
        if len({spot.number for spot in self.spots}) != len(self.spots):
            raise ValueError("spot numbers repeat; each painted number stands once in a lot")
