"""The day that every seed plays, fixed so that figures mean the same later: 40 spots of two types, two lanes, 300 arrivals, 60 bookings.

What the seed draws is who comes when, and everything that goes wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from random import Random
from zoneinfo import ZoneInfo

from parking.ids import LaneId, LotId, ZoneId, spot_id
from parking.interval import Interval
from parking.lot import Lane, LaneKind, Lot, LotPolicy, Spot, SpotType, Zone
from parking.tariff import Tariff
from parking.tariff_document import parse_tariff

LOT = LotId("11111111-2222-4333-8444-555555555555")
START_AT = datetime(2026, 11, 24, 5, tzinfo=UTC)
DAY_S = 8 * 3_600.0
ARRIVALS, BOOKINGS, AT_KIOSK = 300, 60, 12
REGULAR, EV = 30, 10


def the_lot() -> Lot:
    """40 spots, drivers choose their own."""
    zones = (Zone(id=ZoneId("P"), level="0"),)
    kinds = [(SpotType.REGULAR, n) for n in range(REGULAR)] + [(SpotType.EV, n) for n in range(EV)]
    spots = tuple(
        Spot(id=spot_id(LOT, f"{kind}-{n}"), zone=ZoneId("P"), number=f"{kind}-{n}", type=kind)
        for kind, n in kinds
    )
    lanes = (Lane(id=LaneId("in"), kind=LaneKind.ENTRY), Lane(id=LaneId("out"), kind=LaneKind.EXIT))
    return Lot(
        id=LOT,
        name="Simulation",
        timezone=ZoneInfo("Europe/Berlin"),
        currency="EUR",
        latitude=52.5,
        longitude=13.4,
        zones=zones,
        spots=spots,
        lanes=lanes,
        policy=LotPolicy(assumed_stay=timedelta(hours=2)),
    )


def the_tariff() -> Tariff:
    """The same for everybody."""
    rate = [{"per_min": 60, "price": "2.50"}]
    top = {"id": "simulated", "version": 1, "currency": "EUR", "timezone": "Europe/Berlin"}
    return parse_tariff({**top, "rate": rate})


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Somebody without a booking: seconds into the day, and how long they stay."""

    at_s: float
    type: SpotType
    stays_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """Somebody who books: when, for which window, how the bank answers, and what they do then. None: they do not."""

    key: str
    at_s: float
    type: SpotType
    window: Interval
    thinks_s: float
    pays: bool
    asks_both_ways: bool
    cancels_after_s: float | None
    comes: bool
    overstays_s: float
    changes_to: Interval | None = None
    insists: bool = False
    """Comes although cancelled, or comes again with a used pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtKiosk:
    """Somebody who buys a place ahead at the entry's kiosk."""

    key: str
    at_s: float
    type: SpotType
    window: Interval
    overstays_s: float


def kiosk_orders(random: Random) -> list[AtKiosk]:
    """12."""
    return [_at_kiosk(random, n) for n in range(AT_KIOSK)]


def _at_kiosk(random: Random, n: int) -> AtKiosk:
    at_s = random.uniform(60, DAY_S - 2 * 3_600)
    return AtKiosk(
        key=f"kiosk-{n}",
        at_s=at_s,
        type=SpotType.EV if random.random() < 0.35 else SpotType.REGULAR,
        window=_window(random, at_s + random.choice((300.0, 1_800.0, 5_400.0))),
        overstays_s=random.choice((-600.0, 300.0)),
    )


def _window(random: Random, begins_s: float) -> Interval:
    starts_at = START_AT + timedelta(seconds=ceil(min(DAY_S - 3_600, begins_s) / 300) * 300)
    return Interval(starts_at, starts_at + timedelta(hours=random.choice((0.5, 1.0, 1.5, 2.0))))


def arrivals(random: Random) -> list[Arrival]:
    """300, in order."""
    drawn = [
        Arrival(
            at_s=random.uniform(0, DAY_S - 3_600),
            type=SpotType.EV if random.random() < 0.2 else SpotType.REGULAR,
            stays_s=min(4 * 3_600.0, 600 + random.expovariate(1 / 1_800)),
        )
        for _ in range(ARRIVALS)
    ]
    return sorted(drawn, key=lambda one: one.at_s)


def bookings(random: Random) -> list[Web]:
    """60, in order."""
    drawn = [_web(random, n) for n in range(BOOKINGS)]
    return sorted(drawn, key=lambda one: one.at_s)


def _web(random: Random, n: int) -> Web:
    at_s = random.uniform(60, DAY_S - 2 * 3_600)
    soon = random.random() < 0.3
    window = _window(random, at_s + (60.0 if soon else random.uniform(600, 3 * 3_600)))
    return Web(
        key=f"driver-{n}",
        at_s=at_s,
        type=SpotType.EV if random.random() < 0.35 else SpotType.REGULAR,
        window=window,
        thinks_s=random.uniform(3, 90) / (3 if soon else 1),
        pays=random.random() < 0.95,
        asks_both_ways=random.random() < 0.5,
        cancels_after_s=random.uniform(30, 5_400) if random.random() < 0.2 else None,
        comes=random.random() < 0.85,
        overstays_s=random.choice((-600.0, -60.0, 300.0, 2_400.0)),
        changes_to=_other(random, window) if random.random() < 0.3 else None,
        insists=random.random() < 0.3,
    )


def _other(random: Random, window: Interval) -> Interval:
    """A window changed at one end, by so much that the lot may have to be asked again."""
    assert window.ends_at is not None
    by = timedelta(minutes=random.choice((-15, 15, 60)))
    if random.random() < 0.7:
        return window.ending(window.ends_at + by)
    return Interval(window.starts_at - by / 2, window.ends_at)
