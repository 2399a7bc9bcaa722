"""A lot in motion: arrivals, lanes, places, sensors, as tasks of one loop. Next file: simulators/driving.py, then simulators/radio.py.

A vehicle that is through the entry looks for a place (real seconds), stays as long as it wants (civil), drives to the shortest exit and is gone. Its sensor notices
it a moment later, as sensors do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random

from parking.clock import Clock
from parking.lot import LaneKind, SpotType
from simulators.devices import Devices
from simulators.driving import LaneOfCars, Trip
from simulators.lot import PhysicalLot
from simulators.radio import Radio
from simulators.record import Record
from simulators.traffic import Vehicle, Way, ordered_vehicle

ORDERED_FROM = 1_000_001
"""Vehicles that come by order have numbers of their own."""
SEARCH_S = (1.0, 3.0)
WAY_OUT_S = (0.8, 2.0)
SENSOR_S = (0.1, 0.4)


@dataclass(slots=True, kw_only=True)
class RunningLot:
    """The lot at work. `warm` are the trips that are inside at the start, with what they hold.

    Vehicles come from `starts_at` on; where that has passed when the lot begins to run, all of them come so much later, not all at once.
    """

    truth: PhysicalLot
    lanes: Mapping[str, LaneOfCars]
    radio: Radio
    devices: Devices
    record: Record
    clock: Clock
    draw: Random
    starts_at: datetime | None = None
    entered: int = 0
    left: int = 0
    arrivals_stopped: asyncio.Event = field(default_factory=asyncio.Event)
    on_hold: asyncio.Event = field(default_factory=asyncio.Event)
    _late: timedelta = timedelta(0)
    _ordered: Iterator[int] = field(default_factory=lambda: count(ORDERED_FROM))
    _group: asyncio.TaskGroup | None = None

    def settle(self, warm: list[Trip]) -> None:
        """Put the cars that are inside at the start on their places, before any sensor speaks."""
        for trip in warm:
            vehicle = trip.vehicle
            self.truth.enter(vehicle)
            spot = self.truth.park(vehicle)
            self.record.note(
                "inside",
                vehicle=vehicle.number,
                type=vehicle.type.value,
                way=vehicle.way.value,
                stay=trip.stay,
                spot=spot,
            )
            if spot is not None and spot in self.radio.sensors:
                self.radio.sensors[spot].said = True

    async def run(self, warm: list[Trip], coming: Iterator[Vehicle]) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            if self.starts_at is not None:
                self._late = max(self._late, self.clock.now() - self.starts_at)
            group.create_task(self.radio.run())
            for lane in self.lanes.values():
                group.create_task(lane.run())
                if lane.eye is not None:
                    group.create_task(lane.eye.run())
                    group.create_task(lane.attend())
            for trip in warm:
                self.spawn(self._stay(trip))
            group.create_task(self._arrivals(coming))

    def spawn(self, what: Coroutine[object, object, None]) -> None:
        """Run something beside everything else; its failure ends the lot."""
        if self._group is None:
            what.close()
            return
        self._group.create_task(what)

    def hold(self) -> None:
        """Nobody arrives or sets off any more."""
        self.arrivals_stopped.set()
        self.on_hold.set()

    def arrive(
        self, kind: SpotType, stays: timedelta, *, code: str | None = None, reservation: str | None = None
    ) -> None:
        """One vehicle more comes now: for a ticket at the kiosk, or with the `code` of a pass."""
        way = Way.TOUCH if code is None else Way.PASS
        vehicle = ordered_vehicle(next(self._ordered), self.clock.now() - self._late, stays, kind, way)
        trip = Trip(vehicle=vehicle, ticket=code, reservation=reservation)
        self._to_a_lane(trip, LaneKind.ENTRY)

    @property
    def at_lanes(self) -> int:
        """How many vehicles are at a lane."""
        return sum(lane.length for lane in self.lanes.values())

    def status(self) -> dict[str, object]:
        """How things stand."""
        return {
            "entered": self.entered,
            "left": self.left,
            "inside": len(self.truth.inside),
            "parked": self.truth.parked,
            "queues": {name: lane.length for name, lane in self.lanes.items()},
            "readings_published": self.radio.published,
            "readings_waiting": self.radio.waiting,
        }

    def onward(self, trip: Trip, kind: LaneKind) -> None:
        """A vehicle is through a lane."""
        if kind is LaneKind.ENTRY:
            self.entered += 1
            self.truth.enter(trip.vehicle)
            self.spawn(self._inside(trip))
        else:
            self.left += 1
            self.truth.leave(trip.vehicle)

    async def _arrivals(self, coming: Iterator[Vehicle]) -> None:
        for vehicle in coming:
            if not await self._until(vehicle.arrives_at + self._late, self.arrivals_stopped):
                return
            self._to_a_lane(Trip(vehicle=vehicle), LaneKind.ENTRY)

    async def _inside(self, trip: Trip) -> None:
        await asyncio.sleep(self.draw.uniform(*SEARCH_S))
        spot = self.truth.park(trip.vehicle)
        if spot is None:  # around once more
            self.spawn(self._inside(trip))
            return
        self.record.note("parked", vehicle=trip.vehicle.number, spot=spot)
        self.spawn(self._notice(spot))
        await self._stay(trip)

    async def _stay(self, trip: Trip) -> None:
        if not await self._until(trip.vehicle.leaves_at + self._late, self.on_hold):
            return
        spot = self.truth.unpark(trip.vehicle)
        if spot is not None:
            self.record.note("unparked", vehicle=trip.vehicle.number, spot=spot)
            self.spawn(self._notice(spot))
        await asyncio.sleep(self.draw.uniform(*WAY_OUT_S))
        self._to_a_lane(trip, LaneKind.EXIT)

    async def _notice(self, spot: str) -> None:
        """The sensor sees what stands there a moment later: whoever came or went meanwhile included."""
        await asyncio.sleep(self.draw.uniform(*SENSOR_S))
        self.radio.sense(spot, occupied=self.truth.taken(spot))

    async def _until(self, instant: datetime, never: asyncio.Event) -> bool:
        """Wait for a civil instant; False where `never` was set before it came."""
        wait_s = self.clock.real_s(instant - self.clock.now())
        try:
            async with asyncio.timeout(max(0.0, wait_s)):
                await never.wait()
        except TimeoutError:
            return not never.is_set()
        return False

    def _to_a_lane(self, trip: Trip, kind: LaneKind) -> None:
        """To the shortest queue; in a street without barriers straight on."""
        lanes = [lane for lane in self.lanes.values() if lane.plan.kind is kind]
        if lanes:
            min(lanes, key=lambda lane: lane.length).join(trip)
        else:
            self.onward(trip, kind)
