"""Device words become the lot's: which lane a controller, a reader or a camera stands at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.ports import (
    CodeReading,
    Input,
    InputReading,
    MalformedReading,
    PlateReading,
    Reading,
    SpotReading,
)
from edge.lanes import Levels
from edge.translation import DeviceSink, Translation
from edge.visit import Presented


@dataclass(slots=True)
class Lane:
    heard: list[object] = field(default_factory=list)
    takes: bool = True

    def contacts(self, levels: Levels, *, button: bool | None) -> None:
        self.heard.append((levels, button))

    def present(self, presented: Presented) -> bool:
        self.heard.append(presented)
        return self.takes


@dataclass(slots=True)
class Observer:
    """Keeps its futures open, as a disk does that takes its time."""

    heard: list[Reading] = field(default_factory=list)

    def observe(self, reading: SpotReading) -> asyncio.Future[None]:
        return self._later(reading)

    def quarantine(self, reading: MalformedReading) -> asyncio.Future[None]:
        return self._later(reading)

    def _later(self, reading: Reading) -> asyncio.Future[None]:
        self.heard.append(reading)
        return asyncio.get_running_loop().create_future()


class Plates:
    """Lets every plate through, and keeps its future open."""

    def take(self, reading: PlateReading, present: Callable[[Presented], None]) -> asyncio.Future[None]:
        present(Presented.plate(reading.plate, reading.confidence or 1.0))
        return asyncio.get_running_loop().create_future()


def translation(lane: Lane, observer: Observer) -> Translation:
    return Translation(
        lanes_by_barrier={"gate-1": lane},
        lanes_by_reader={"reader-1": lane},
        observer=observer,
        plates=Plates(),
    )


async def test_contacts_reach_the_lane_of_their_controller_and_what_it_lacks_is_unknown() -> None:
    lane = Lane()
    closed = {Input.ARMING_LOOP: True, Input.SAFETY_LOOP: None, Input.ARM_UP: False, Input.BUTTON: True}
    done = translation(lane, Observer()).take(InputReading(device="gate-1", closed=closed, read_at=1.0))
    assert done.done()
    assert lane.heard == [(Levels(vehicle=True, safety=None, arm_up=False, arm_down=None), True)]


async def test_codes_and_plates_reach_the_lane_of_their_device_and_are_never_stripped() -> None:
    lane = Lane()
    told = translation(lane, Observer())
    told.take(CodeReading(device="reader-1", text=" LG1:A B "))
    told.take(PlateReading(device="reader-1", plate="AB12 CDE", confidence=0.4))
    assert lane.heard == [Presented.code(" LG1:A B "), Presented.plate("AB12 CDE", 0.4)]
    lane.takes = False
    told.take(CodeReading(device="reader-1", text="again"))
    assert told.ignored_codes == 1


async def test_a_device_that_nobody_configured_is_named_and_moves_nothing() -> None:
    lane = Lane()
    told = translation(lane, Observer())
    told.take(CodeReading(device="reader-9", text="x"))
    told.take(InputReading(device="gate-9", closed={}, read_at=1.0))
    assert told.unknown_devices == {"reader-9", "gate-9"}
    assert lane.heard == []


async def test_a_sensors_word_is_done_only_when_the_observer_says_so() -> None:
    observer = Observer()
    sink = DeviceSink(translation=translation(Lane(), observer))
    spot = SpotReading(device="sensor-1", occupied=True)
    rubbish = MalformedReading(device="sensor-1", field="data", problem="short", raw=b"x")
    assert not sink.deliver(spot).done()
    assert not sink.deliver(rubbish).done()
    sink.alive()
    assert observer.heard == [spot, rubbish]
