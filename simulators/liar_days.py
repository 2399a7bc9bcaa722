"""Days of a lot whose sensors fail, with the truth known: what does `parking.liars` find, how soon, and whom does it wrong? Run by benchmarks/liars.py.

The vehicles are those of every simulation (simulators/traffic.py), their drivers choose their places (simulators/lot.py), civil time is the only time. Days
without faults come first, as in any lot that is put to work; then, day by day, one sensor of each kind fails at a drawn hour. A fault counts from the first
word of it that is false (or early, late, missing): a stuck sensor whose place does not change has not lied yet.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count
from random import Random

from parking.counter_drift import CounterDrift
from parking.ids import SpotId
from parking.liars import Liars, Lie, Word
from parking.lot import SpotType
from simulators.lot import PhysicalLot, walks
from simulators.traffic import Demand, Vehicle, traffic

MONDAY = datetime(2026, 3, 2, 0, tzinfo=UTC)
LEARNING = timedelta(days=3)
HEARTBEAT = timedelta(hours=1)
LOOK = timedelta(minutes=5)
CLEARS = timedelta(seconds=30)
"""A place is the next driver's so long after a car began to leave it; a sensor needs less to see it."""
SEARCH_S, WAY_OUT_S, SENSOR_S = (60, 180), (50, 120), (2, 20)
FLAP_S, LATE_S = (10, 90), (300, 1_800)
REPEATS = 0.8


class Fault(StrEnum):
    """How a sensor is made to fail."""

    STUCK_FREE = "stuck free"
    STUCK_TAKEN = "stuck taken"
    FLAPPING = "flapping"
    REPEATING = "repeating"
    LATE = "late"
    CONTRADICTING = "contradicting"
    SILENT = "silent"


@dataclass(slots=True, kw_only=True)
class Broken:
    """A sensor that fails from `at` on. `lied_at`: its first false word; `found_at`, `as_`: the first doubt after that."""

    spot: str
    fault: Fault
    at: datetime
    lied_at: datetime | None = None
    found_at: datetime | None = None
    found_as: frozenset[Lie] = frozenset()


@dataclass(slots=True, kw_only=True)
class Findings:
    """What came of one lot's days. `false_alarms` are doubts of sensors that did nothing wrong, each counted when it began."""

    broken: list[Broken] = field(default_factory=list)
    false_alarms: list[tuple[datetime, str, frozenset[Lie]]] = field(default_factory=list)
    sensor_days: float = 0.0
    words: int = 0
    drift_told_after: timedelta | None = None
    drift_told_falsely: bool = False


class LiarDays:
    """One lot with lanes (or a street without), a seed, and so many days with faults after those without."""

    def __init__(
        self,
        *,
        seed: int,
        spaces: int,
        days: int,
        has_lanes: bool = True,
        faults: Sequence[Fault] = tuple(Fault),
        unseen: bool = False,
    ) -> None:
        self._draw = Random(f"liar days {seed}")
        self._ends_at = MONDAY + LEARNING + timedelta(days=days)
        self._lot = PhysicalLot(walks({"0": [(f"{n:04}", SpotType.REGULAR) for n in range(spaces)]}))
        self._traffic = traffic(seed, MONDAY, Demand(spaces=spaces, timezone=UTC))
        self._liars = Liars(has_lanes=has_lanes)
        self._drift = CounterDrift()
        self._inside: dict[int, datetime] = {}
        self._unseen_at = MONDAY + LEARNING + timedelta(hours=self._draw.uniform(8, 18)) if unseen else None
        self._drifted_at: datetime | None = None
        self._said: dict[str, bool] = {}
        self._broken: dict[str, Broken] = {}
        self._accused: set[str] = set()
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()
        self._now = MONDAY
        self.findings = Findings()
        self._plan(days, faults)

    def run(self) -> Findings:
        """Let the days pass."""
        while self._agenda and (at := self._agenda[0][0]) < self._ends_at:
            self._now = at
            heapq.heappop(self._agenda)[2]()
        self.findings.broken = list(self._broken.values())
        healthy = len(self._lot.places) - len(self._broken) / 2
        self.findings.sensor_days = healthy * ((self._ends_at - MONDAY) / timedelta(days=1))
        return self.findings

    def _plan(self, days: int, faults: Sequence[Fault]) -> None:
        for spot in self._lot.places:
            self._said[spot] = False
            self._at(MONDAY + HEARTBEAT * self._draw.random(), lambda spot=spot: self._beat(spot))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        whole = iter(
            self._draw.sample(sorted(self._lot.places), k=min(len(self._lot.places), days * len(faults)))
        )
        for day in range(days):
            for fault in faults:
                failing = next(whole, None)
                if failing is not None:
                    spot = failing
                    at = MONDAY + LEARNING + timedelta(days=day, hours=self._draw.uniform(0, 24))
                    self._broken[spot] = Broken(spot=spot, fault=fault, at=at)
                    if fault is Fault.FLAPPING:
                        self._at(at, lambda spot=spot: self._flap(spot))  # type: ignore[misc]  # as above
        self._next_arrival()
        self._at(MONDAY + LOOK, self._look)

    def _at(self, at: datetime, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (at, next(self._order), act))

    def _after(self, seconds: tuple[float, float], act: Callable[[], None]) -> None:
        self._at(self._now + timedelta(seconds=self._draw.uniform(*seconds)), act)

    # Vehicles

    def _next_arrival(self) -> None:
        vehicle = next(self._traffic)
        self._at(max(vehicle.arrives_at, MONDAY), lambda: self._arrive(vehicle))

    def _arrive(self, vehicle: Vehicle) -> None:
        self._next_arrival()
        if len(self._lot.inside) >= len(self._lot.places):
            return
        self._lot.enter(vehicle)
        self._inside[vehicle.number] = self._now
        self._after(SEARCH_S, lambda: self._park(vehicle))

    def _park(self, vehicle: Vehicle) -> None:
        spot = self._lot.park(vehicle)
        if spot is not None:
            self._after(SENSOR_S, lambda: self._sense(spot, truth=True))
        self._at(max(vehicle.leaves_at, self._now + timedelta(minutes=3)), lambda: self._leave(vehicle))

    def _leave(self, vehicle: Vehicle) -> None:
        spot = self._lot.stands(vehicle)
        if spot is not None:
            self._after(SENSOR_S, lambda: self._sense(spot, truth=False))
            self._at(self._now + CLEARS, lambda: self._clear(vehicle))
        self._after(WAY_OUT_S, lambda: self._gone(vehicle))

    def _clear(self, vehicle: Vehicle) -> None:
        self._lot.unpark(vehicle)

    def _gone(self, vehicle: Vehicle) -> None:
        self._lot.leave(vehicle)
        if (
            self._unseen_at is not None and self._now >= self._unseen_at
        ):  # out under a raised arm: its stay stays open
            self._unseen_at, self._drifted_at = None, self._now
        else:
            del self._inside[vehicle.number]

    # Sensors

    def _fault_of(self, spot: str) -> Fault | None:
        broken = self._broken.get(spot)
        return broken.fault if broken is not None and self._now >= broken.at else None

    def _sense(self, spot: str, *, truth: bool) -> None:
        """What stands on the place changed."""
        fault = self._fault_of(spot)
        if fault in {Fault.STUCK_FREE, Fault.STUCK_TAKEN}:
            frozen = fault is Fault.STUCK_TAKEN
            if truth is not frozen:
                self._lies(spot)
            if self._said[spot] is frozen:
                return
            truth = frozen
        self._say(spot, truth)

    def _beat(self, spot: str) -> None:
        """Tell the state again, as sensors do once an hour."""
        self._at(self._now + HEARTBEAT, lambda: self._beat(spot))
        self._say(
            spot,
            self._said[spot] if self._fault_of(spot) is not Fault.CONTRADICTING else self._lot.taken(spot),
        )

    def _say(self, spot: str, occupied: bool) -> None:
        fault = self._fault_of(spot)
        if fault is Fault.SILENT:
            self._lies(spot)
            return
        if fault is Fault.CONTRADICTING:
            occupied = not occupied
            self._lies(spot)
        self._said[spot] = occupied
        if fault is Fault.LATE:
            self._lies(spot)
            said_at = self._now
            self._after(LATE_S, lambda: self._heard(spot, occupied, said_at))
            return
        self._heard(spot, occupied, self._now)
        if fault is Fault.REPEATING and self._draw.random() < REPEATS:
            self._lies(spot)
            self._heard(spot, occupied, self._now, repeated=True)

    def _flap(self, spot: str) -> None:
        self._lies(spot)
        self._said[spot] = not self._said[spot]
        self._heard(spot, self._said[spot], self._now)
        self._after(FLAP_S, lambda: self._flap(spot))

    def _heard(self, spot: str, occupied: bool, said_at: datetime, *, repeated: bool = False) -> None:
        word = Word(
            device=spot,
            spot=SpotId(spot),
            occupied=occupied,
            occurred_at=said_at,
            received_at=self._now,
            repeated=repeated,
        )
        self.findings.words += 1
        if self._liars.hear(word):
            self._note(spot)

    # Findings

    def _lies(self, spot: str) -> None:
        broken = self._broken[spot]
        broken.lied_at = broken.lied_at or self._now

    def _look(self) -> None:
        self._at(self._now + LOOK, self._look)
        for spot in self._liars.look(self._now, list(self._inside.values())):
            self._note(spot)
        doubted = self._liars.doubted()
        if any(not doubt.believed for doubt in doubted.values()):
            return
        taken = sum(self._said.values())
        if self._drift.note(self._now, taken=taken, inside=len(self._inside)) and self._drift.drift:
            if self._drifted_at is None:
                self.findings.drift_told_falsely = True
            elif self.findings.drift_told_after is None:
                self.findings.drift_told_after = self._now - self._drifted_at

    def _note(self, spot: str) -> None:
        doubt, broken = self._liars.doubt(spot), self._broken.get(spot)
        fails = broken is not None and broken.lied_at is not None
        if not doubt.lies:
            self._accused.discard(spot)
        elif broken is not None and fails and broken.found_at is None:
            broken.found_at, broken.found_as = self._now, doubt.lies
        elif not fails and spot not in self._accused:
            self._accused.add(spot)
            self.findings.false_alarms.append((self._now, spot, doubt.lies))


def liar_days(seeds: int, *, spaces: int, days: int, has_lanes: bool) -> Iterator[Findings]:
    """The findings of so many lots, one after the other."""
    for seed in range(1, seeds + 1):
        yield LiarDays(seed=seed, spaces=spaces, days=days, has_lanes=has_lanes).run()


def drift_days(seeds: int, *, spaces: int) -> Iterator[Findings]:
    """The findings of so many lots whose sensors are honest, and one of whose cars leaves unseen on the first day after those of learning."""
    for seed in range(1, seeds + 1):
        yield LiarDays(seed=seed, spaces=spaces, days=3, faults=(), unseen=True).run()
