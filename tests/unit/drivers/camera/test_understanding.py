"""What plate cameras send: each vendor's words, and everything that a network and a stranger do to them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.camera.parts import LARGEST_DOCUMENT_BYTES, MOST_PARTS
from drivers.camera.sighting import Sighting, compact, plate_or_none
from drivers.camera.understanding import Understood, names, recognise, understand
from drivers.errors import MalformedInput, UnknownFormat
from simulators.wire.camera import CAMERAS, PICTURE, SIGN_OF_LIFE, Request, Seen, form

SEEN = Seen(plate="BD51 SMR", number=42)
ALERT = "<EventNotificationAlert><eventType>{kind}</eventType>{rest}</EventNotificationAlert>"


def _one(name: str, content_type: str, body: bytes | str) -> Sighting:
    data = body.encode() if isinstance(body, str) else body
    (sighting,) = understand(name, content_type, data).sightings
    return sighting


def _wrong(name: str, content_type: str, body: bytes) -> MalformedInput:
    with pytest.raises(MalformedInput) as wrong:
        understand(name, content_type, body)
    assert wrong.value.problem
    return wrong.value


def _answer(name: str, content_type: str, body: bytes) -> Understood | MalformedInput:
    try:
        return understand(name, content_type, body)
    except MalformedInput as wrong:
        return wrong


def test_every_format_has_a_camera_that_speaks_it() -> None:
    assert set(names()) == set(CAMERAS)


@pytest.mark.parametrize("name", names())
def test_every_camera_says_the_same_of_one_vehicle(name: str) -> None:
    sent = CAMERAS[name](SEEN)
    sighting = _one(name, sent.content_type, sent.body)
    assert (sighting.plate, sighting.new) == ("BD51SMR", True)
    assert (
        sighting.certainty is None
        if name == "milesight"
        else sighting.certainty == pytest.approx(0.93, abs=0.01)
    )
    assert sighting.time is not None or sighting.occurred_at == SEEN.at
    assert sighting.occurred_at in {None, SEEN.at}
    assert recognise(sent.content_type, sent.body).format == name


def test_pictures_are_counted_and_not_kept() -> None:
    sent = CAMERAS["hikvision"](SEEN)
    (picture,) = understand("hikvision", sent.content_type, sent.body).pictures
    assert (picture.name, picture.size) == ("licensePlatePicture.jpg", len(PICTURE))
    told = understand("milesight", "", CAMERAS["milesight"](SEEN).body).as_json()
    assert (told["images"], told["image_base64_valid"]) == (1, True)


def test_a_sign_of_life_is_no_vehicle() -> None:
    assert _one("dahua", "text/plain", SIGN_OF_LIFE.body).heartbeat
    alive = ALERT.format(kind="videoloss", rest="<eventState>inactive</eventState>")
    assert _one("hikvision", "", alive).heartbeat
    assert not _one("hikvision", "", ALERT.format(kind="VMD", rest="")).is_anpr
    assert _one("openalpr", "", b'{"data_type": "heartbeat", "timestamp": 1}').heartbeat


@pytest.mark.parametrize("word", ["unknown", "UNKNOWN", "no plate", "", "- -", "A" * 17])
def test_a_word_for_no_plate_is_no_plate(word: str) -> None:
    assert plate_or_none(word) is None


def test_what_stands_between_is_left_out_and_letters_are_left_alone() -> None:
    assert compact("ab–344 ca") == "AB344CA"
    assert compact("АÖ-к·1.2") == "АÖК12"


def test_a_vehicle_that_is_told_again_is_not_new() -> None:
    said = {"plateText": "OB2558AK", "carState": "update", "carID": "102"}
    assert not _one("axis", "", json.dumps(said)).new
    assert not _one("axis", "", json.dumps({**said, "carState": "lost"})).new


def test_a_clock_that_names_no_offset_gives_no_instant() -> None:
    sighting = _one("milesight", "", b'{"plate": "AB1", "time": "2024-01-15 10:30:00"}')
    assert (sighting.time, sighting.occurred_at) == ("2024-01-15T10:30:00", None)
    assert _one("milesight", "", b'{"plate": "AB1", "time": "yesterday"}').plate == "AB1"


def test_dahuas_utc_is_no_utc_where_it_says_the_real_one_besides() -> None:
    car = {"PlateNumber": "AB1", "Lane": 2}
    data = {"TrafficCar": car, "UTC": 1_706_625_295, "RealUTC": 1_706_600_095}
    line = "Code=TrafficJunction;action=Pulse;index=0;data=" + json.dumps(data)
    assert _one("dahua", "text/plain", line).occurred_at is not None
    assert _one("dahua", "text/plain", line).terms["time_unix"] == 1_706_600_095


def test_another_kind_of_event_tells_no_plate() -> None:
    lines = "Events[0].Code=VideoMotion\r\nEvents[0].TrafficCar.PlateNumber=AB1"
    assert _one("dahua", "text/plain", lines).plate is None


@pytest.mark.parametrize(
    ("name", "content_type", "body", "field"),
    [
        ("hikvision", "application/xml", b"<EventNotificationAlert><ANPR>", "XML"),
        ("hikvision", "application/xml", b"<!DOCTYPE x []><EventNotificationAlert/>", "XML"),
        ("hikvision", "application/xml", b"<Other/>", "XML"),
        ("hikvision", "application/xml", b'<?xml version="1.0" encoding="no-such"?><a/>', "XML"),
        ("dahua", "text/plain", b"Code=TrafficJunction;data={broken", "data"),
        ("dahua", "text/plain", b"hello", "body"),
        ("dahua", "text/plain", b"\xff\xfe", "body"),
        ("milesight", "application/json", b'{"plate": ', "body"),
        ("milesight", "application/json", b"[]", "body"),
        ("milesight", "application/json", b'{"time": "x"}', "plate"),
        ("axis", "application/json", b"{}", "body"),
        ("plate_recognizer", "application/json", b'{"results": {}}', "results"),
        ("openalpr", "application/json", b'{"data_type": "other"}', "data_type"),
        ("openalpr", "application/json", b"  ", "body"),
        ("hikvision", "multipart/form-data", b"--x\r\n", "Content-Type"),
        ("hikvision", "multipart/form-data; boundary=x", b"--y\r\n\r\n--y--", "body"),
        ("hikvision", "multipart/form-data; boundary=x", b"--x\r\nA: b\r\n\r\n<a", "body"),
        ("camera", "application/json", b"{}", "format"),
    ],
)
def test_what_no_camera_of_the_format_sends_is_refused_by_field(
    name: str, content_type: str, body: bytes, field: str
) -> None:
    assert _wrong(name, content_type, body).field == field


def test_bodies_and_parts_have_their_bounds() -> None:
    assert _wrong("milesight", "", b" " * (LARGEST_DOCUMENT_BYTES + 1)).field == "body"
    many = form({str(number): ("image/jpeg", b"x") for number in range(MOST_PARTS + 1)})
    assert "parts" in _wrong("hikvision", many.content_type, many.body).problem
    events = "".join(f"Events[{number}].Code=TrafficJunction\n" for number in range(65))
    assert _wrong("dahua", "text/plain", events.encode()).field == "Events"


def test_a_body_that_nobody_sends_is_told_by_the_format_that_came_closest() -> None:
    with pytest.raises(UnknownFormat):
        recognise("", b"hello")
    with pytest.raises(MalformedInput) as wrong:
        recognise("", b'{"plate": "AB1"')
    assert "not JSON" in wrong.value.problem


@pytest.mark.parametrize("name", names())
@given(data=st.data())
def test_any_bytes_and_any_damage_are_understood_or_refused_by_name(name: str, data: st.DataObject) -> None:
    sent = CAMERAS[name](SEEN)
    content_type = data.draw(st.sampled_from([sent.content_type, "", "multipart/mixed; boundary=lotgate"]))
    body = data.draw(st.binary(max_size=200) | _damaged(sent))
    answer = _answer(name, content_type, body)
    if isinstance(answer, MalformedInput):
        assert answer.field
        assert answer.problem
        return
    json.dumps(answer.as_json()).encode()
    for sighting in answer.sightings:
        assert sighting.plate is None or 1 <= len(sighting.plate) <= 16


@st.composite
def _damaged(draw: st.DrawFn, sent: Request) -> bytes:
    """A good body with a piece cut out and another put in."""
    start = draw(st.integers(0, len(sent.body)))
    end = draw(st.integers(start, min(len(sent.body), start + 40)))
    piece = draw(
        st.binary(max_size=8) | st.sampled_from([b"null", b"[]", b"{}", b"1e999", b'"', b"\r\n--lotgate--"])
    )
    return sent.body[:start] + piece + sent.body[end:]
