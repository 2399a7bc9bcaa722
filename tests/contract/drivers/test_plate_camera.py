"""A plate camera over HTTP: who may push, when it is answered, what it hears when something is wrong."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from drivers.camera.understanding import names
from drivers.errors import DriverMisconfigured
from drivers.ports import MalformedReading, PlateReading
from drivers.registry import make_driver
from edge.api.camera_endpoints import MOST_AT_ONCE, MOST_BODY_BYTES
from simulators.wire.camera import CAMERAS, PICTURE, Request, Seen, form
from tests.contract.drivers.camera_rig import NAME, TOKEN, CameraRig
from tests.contract.drivers.ears import Ears


@asynccontextmanager
async def at_work(ears: Ears, **rig_options: object) -> AsyncIterator[CameraRig]:
    rig = CameraRig(**{"heartbeat_s": None, **rig_options})  # type: ignore[arg-type]
    task = asyncio.create_task(rig.driver.run(ears))
    yield rig
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await rig.close()


@pytest.mark.parametrize("format_", names())
async def test_every_vendors_camera_is_read_over_the_wire(format_: str) -> None:
    ears = Ears()
    async with at_work(ears, format_=format_) as rig:
        assert await rig.wire.push(rig.request(7))
        (reading,) = ears.heard
        assert isinstance(reading, PlateReading)
        assert rig.said(reading, 7)
        assert reading.device == NAME
        assert reading.key is not None
        assert "AB07" not in reading.key


async def test_a_camera_is_answered_only_once_its_reading_is_durable() -> None:
    ears = Ears(hold=True)
    async with at_work(ears) as rig:
        pushed = asyncio.create_task(rig.wire.push(rig.request(7)))
        await ears.until(lambda: bool(ears.futures))
        assert rig.wire.answers == []
        ears.futures[0].set_result(None)
        assert await pushed
        assert rig.wire.answers == [200]


async def test_an_event_that_is_sent_again_has_the_key_that_it_had() -> None:
    ears = Ears()
    async with at_work(ears) as rig:
        request, other = rig.request(7), rig.request(7)
        for sent in (request, request, other):
            assert await rig.wire.push(sent)
        first, again, next_ = [reading.key for reading in ears.heard if isinstance(reading, PlateReading)]
        assert first == again != next_


async def test_what_no_camera_of_this_format_sends_is_refused_by_field_and_none_of_it_kept() -> None:
    ears = Ears()
    async with at_work(ears) as rig, httpx.AsyncClient() as client:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        answer = await client.post(rig.wire.url, content=b'{"plate": "AB07 CDE"', headers=headers)
        assert (answer.status_code, answer.json()["field"]) == (400, "body")
        (malformed,) = ears.heard
        assert isinstance(malformed, MalformedReading)
        assert (malformed.field, malformed.raw) == ("body", b"")


async def test_only_the_cameras_own_token_opens_its_address() -> None:
    ears = Ears()
    basic = base64.b64encode(f"camera:{TOKEN}".encode()).decode()
    async with at_work(ears) as rig, httpx.AsyncClient() as client:
        body = rig.request(7).body
        ways = {
            "header": (rig.wire.url, {"Authorization": f"Bearer {TOKEN}"}),
            "password": (rig.wire.url, {"Authorization": f"Basic {basic}"}),
            "address": (f"{rig.wire.url}?token={TOKEN}", {}),
            "fixed address": (
                rig.wire.url.replace(f"/api/v1/cameras/{NAME}", "/NotificationInfo/TollgateInfo"),
                {"Authorization": f"Basic {basic}"},
            ),
        }
        for url, headers in ways.values():
            assert (await client.post(url, content=body, headers=headers)).status_code == 200
        wrong = {"none": {}, "another": {"Authorization": "Bearer x"}, "broken": {"Authorization": "Basic x"}}
        for headers in wrong.values():
            answer = await client.post(rig.wire.url, content=body, headers=headers)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="lotgate"')
        other = rig.wire.url.replace(NAME, "camera-out")
        assert (await client.post(f"{other}?token={TOKEN}", content=body)).status_code == 401


async def test_a_picture_fits_and_a_film_does_not() -> None:
    ears = Ears()
    async with at_work(ears, format_="plate_recognizer") as rig:
        said = CAMERAS["plate_recognizer"](Seen(plate="AB07 CDE"))
        json_field = said.body.split(b"\r\n")[3]
        for size, status in ((1_000_000, 200), (MOST_BODY_BYTES, 413)):
            picture = PICTURE + bytes(size)
            await rig.wire.push(form({"json": (None, json_field), "upload": ("image/jpeg", picture)}))
            assert rig.wire.answers[-1] in {status, None if status == 413 else status}
        assert len(ears.heard) == 1


async def test_a_camera_whose_driver_does_not_come_back_is_told_to_send_again() -> None:
    rig = CameraRig(heartbeat_s=None)
    assert not await rig.wire.push(rig.request(7))
    assert rig.wire.answers == [503]
    await rig.close()


async def test_a_plate_that_is_not_sure_enough_or_goes_the_other_way_is_no_reading() -> None:
    ears = Ears()
    table = {"format": "hikvision", "least_confidence": 0.9, "directions": ["forward"]}
    driver = make_driver("plate_camera", NAME, table)
    task = asyncio.create_task(driver.run(ears))
    sure, unsure = (CAMERAS["hikvision"](Seen(plate="AB1", confidence_pct=pct)) for pct in (93, 89))
    away = Request(content_type=sure.content_type, body=sure.body.replace(b"forward", b"reverse"))
    for request in (unsure, away, sure):
        await driver.push(request)  # type: ignore[attr-defined]
    assert len(ears.heard) == 1
    assert ears.alive_count == 3
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({}, "format"),
        ({"format": "nikon"}, "format"),
        ({"format": "axis", "least_confidence": 93}, "least_confidence"),
        ({"format": "axis", "country": "England"}, "country"),
        ({"format": "axis", "heartbeat_s": 0}, "heartbeat_s"),
        ({"format": "axis", "port": 80}, "port"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_field_with_a_fix(
    table: dict[str, object], field: str
) -> None:
    with pytest.raises(DriverMisconfigured) as wrong:
        make_driver("plate_camera", NAME, table)
    assert wrong.value.field == field
    assert wrong.value.fix


async def test_more_cameras_at_once_than_memory_is_held_for_are_told_to_send_again() -> None:
    ears = Ears(hold=True)
    async with at_work(ears) as rig:
        held = [asyncio.create_task(rig.wire.push(rig.request(number))) for number in range(MOST_AT_ONCE)]
        await ears.until(lambda: len(ears.futures) == MOST_AT_ONCE)
        assert not await rig.wire.push(rig.request(9))
        assert rig.wire.answers == [503]
        for durable in ears.futures:
            durable.set_result(None)
        assert all(await asyncio.gather(*held))
        again = asyncio.create_task(rig.wire.push(rig.request(9)))
        await ears.until(lambda: len(ears.futures) > MOST_AT_ONCE)
        ears.futures[-1].set_result(None)
        assert await again
