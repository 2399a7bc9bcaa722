"""Plates at the lane: a misread one is one car's or nobody's, and an event that is sent again is one reading."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from drivers.ports import PlateReading
from edge.lanes import LaneEvent
from edge.plate_events import PlateEvents, put_right
from edge.store.cipher import PlateKeys
from edge.store.store import NumberedChange
from edge.visit import Presented
from parking.decision import Reason
from parking.ids import StayId
from tests.unit.edge.lot_at_work import LotAtWork


async def inside(lot: LotAtWork, *plates: str) -> list[StayId]:
    stays = []
    for plate in plates:
        answered = await lot.come_in(Presented.plate(plate, 0.9))
        assert answered.stay is not None
        stays.append(answered.stay.id)
    return stays


async def test_a_plate_that_is_misread_at_the_exit_is_the_car_inside_that_it_can_only_be(
    lot: LotAtWork,
) -> None:
    (stay, _) = await inside(lot, "BD51 SMR", "KX07 LMN")
    lot.later(minutes=30)
    for read in ("8D5I 5MR", "BD51SMR", "bd51-smr"):
        _, answered = await lot.show_at_exit(Presented.plate(read, 0.9))
        assert answered.stay is not None
        assert answered.stay.id == stay


async def test_a_plate_that_two_cars_inside_could_have_is_nobodys(lot: LotAtWork) -> None:
    await inside(lot, "B8 1", "BB 1")
    _, answered = await lot.show_at_exit(Presented.plate("88 1", 0.9))
    assert (answered.event, answered.reason) == (LaneEvent.REFUSED, Reason.NO_SUCH_STAY)


async def test_a_misread_plate_is_still_found_after_the_power_came_back(lot: LotAtWork) -> None:
    (stay,) = await inside(lot, "BD51 SMR")
    await lot.restart()
    _, answered = await lot.show_at_exit(Presented.plate("8D51 SMR", 0.9))
    assert answered.stay is not None
    assert answered.stay.id == stay


async def test_a_car_that_has_left_is_no_candidate(lot: LotAtWork) -> None:
    await inside(lot, "BD51 SMR")
    visit, _ = await lot.show_at_exit(Presented.plate("BD51 SMR", 0.9))
    lot.leaving.passed(visit)
    _, answered = await lot.show_at_exit(Presented.plate("8D51 SMR", 0.9))
    assert answered.reason is Reason.NO_SUCH_STAY


def events(lot: LotAtWork) -> PlateEvents:
    return PlateEvents(ledger=lot.ledger, plates=PlateKeys(lot.premises.credential))


def reading(key: str | None, *, country: str | None = None, plate: str = "BD51 SMR") -> PlateReading:
    return PlateReading(device="camera-in", plate=plate, confidence=0.9, key=key, country=country)


async def test_an_event_that_is_sent_again_is_heard_once_over_a_restart_too(lot: LotAtWork) -> None:
    heard: list[Presented] = []
    for _ in range(2):
        told = events(lot)
        await told.take(reading("event-1"), heard.append)
        await told.take(reading("event-1"), heard.append)
        await lot.restart()
    await events(lot).take(reading("event-2"), heard.append)
    assert heard == [Presented.plate("BD51 SMR", 0.9)] * 2


async def test_an_event_without_a_name_is_heard_each_time(lot: LotAtWork) -> None:
    heard: list[Presented] = []
    told = events(lot)
    await asyncio.gather(*(told.take(reading(None), heard.append) for _ in range(2)))
    assert (len(heard), told.repeated) == (2, 0)


async def test_no_events_name_stands_in_the_ledger_as_the_camera_gave_it(lot: LotAtWork) -> None:
    await events(lot).take(reading("event-1"), lambda _presented: None)
    assert ("camera-in", "event-1") not in lot.ledger.keys
    assert len(lot.ledger.keys) == 1


@pytest.mark.parametrize(
    ("read", "country", "presented"),
    [
        ("8D51 SMR", "gb", "BD51SMR"),
        ("8D51 SMR", None, "8D51 SMR"),
        ("8D51 SMR", "xx", "8D51 SMR"),
        ("BD51 SMRX", "GBR", "BD51 SMRX"),
    ],
)
def test_a_plate_is_put_right_where_the_camera_says_whose_it_is(
    read: str, country: str | None, presented: str
) -> None:
    assert put_right(reading("event-1", country=country, plate=read)) == presented


async def test_what_the_lane_decides_at_once_is_written_before_the_events_name(lot: LotAtWork) -> None:
    """So no power cut leaves an event that counts as heard, and a car that was never let in."""
    written: list[str] = []
    deciding: list[asyncio.Task[object]] = []
    write = lot.disk._commit

    def noted(batch: Sequence[NumberedChange]) -> None:
        written.extend("name" if one.change.reading_keys else "stay" for one in batch)
        write(batch)

    def present(presented: Presented) -> None:
        deciding.append(asyncio.create_task(lot.come(presented)))

    lot.disk._commit = noted
    await events(lot).take(reading("event-1"), present)
    await asyncio.gather(*deciding)
    assert written == ["stay", "name"]
