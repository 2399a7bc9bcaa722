from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import MalformedInput
from drivers.mqtt.decoder_registry import decoder_of
from drivers.mqtt.envelopes import (
    CHIRPSTACK_EVENTS,
    ENVELOPES,
    Uplink,
    parse_chirpstack,
    parse_things_stack,
    readings_of,
)
from drivers.ports import SpotReading
from simulators.wire.envelopes import Transmission, chirpstack_up, things_stack_up
from simulators.wire.sensor_frames import SensorFrame

AT = datetime(2026, 11, 24, 8, 15, 30, 250_000, tzinfo=UTC)
EUI = "0004a30b001c0530"
BUILDERS = {"chirpstack": chirpstack_up, "tts": things_stack_up}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def _sent(**changed: object) -> Transmission:
    fields: dict[str, object] = {
        "device_eui": EUI,
        "device": "bosch/tps110",
        "frame": SensorFrame(1, b"\x01"),
        "f_cnt": 7,
        "received_at": AT,
        "identity": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
    }
    return Transmission(**{**fields, **changed})  # type: ignore[arg-type]  # a test's shorthand over one record


def _message(envelope: str, **changed: object) -> dict[str, object]:
    message: dict[str, object] = json.loads(BUILDERS[envelope](_sent(**changed)).body)
    return message


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_an_uplink_comes_out_as_it_was_published(envelope: str) -> None:
    published = BUILDERS[envelope](_sent())
    uplink = ENVELOPES[envelope](published.body, published.topic)
    assert uplink.is_uplink
    assert (uplink.device, uplink.profile) == (EUI, "bosch/tps110")
    assert (uplink.f_port, uplink.f_cnt, uplink.payload) == (1, 7, b"\x01")
    assert (uplink.received_at, uplink.rssi_dbm, uplink.snr_db) == (AT, -87, 7.5)


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_second_copy_has_the_same_key_and_the_next_message_another(envelope: str) -> None:
    def key(**changed: object) -> str | None:
        return ENVELOPES[envelope](BUILDERS[envelope](_sent(**changed)).body, None).duplicate_key

    assert key() == key()
    assert key() is not None
    assert key(f_cnt=8, identity="00000000-0000-0000-0000-000000000008") != key()


def test_a_things_stack_session_and_its_counter_together_are_the_key() -> None:
    def key(session: str, f_cnt: int) -> str | None:
        return parse_things_stack(things_stack_up(_sent(identity=session, f_cnt=f_cnt)).body).duplicate_key

    assert len({key("a", 1), key("a", 2), key("b", 1), key("b", 2)}) == 4


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_counter_that_is_left_out_is_zero(envelope: str) -> None:
    assert ENVELOPES[envelope](BUILDERS[envelope](_sent(f_cnt=0)).body, None).f_cnt == 0


def test_without_a_gateway_that_knows_the_time_the_servers_own_counts_and_else_none() -> None:
    message = _message("chirpstack")
    for missing in ({"time": None}, {}):
        del message["time"]
        message |= missing
        assert _chirpstack(message).received_at is None
        message["rxInfo"] = [{"rssi": -90}, {"rssi": -80, "nsTime": "2026-11-24T09:15:30.25+01:00"}]
        assert _chirpstack(message).received_at == AT
        message |= {"time": None, "rxInfo": None}


def test_digits_below_a_microsecond_are_kept_as_text_and_cut_from_the_instant() -> None:
    message = _message("tts") | {"received_at": "2026-11-24T08:15:30.250000999Z"}
    uplink = parse_things_stack(json.dumps(message).encode())
    assert (uplink.received_at, uplink.received_text) == (AT, "2026-11-24T08:15:30.250000999Z")


@pytest.mark.parametrize("event", sorted(CHIRPSTACK_EVENTS - {"up"}))
def test_an_event_that_is_no_uplink_is_named_by_its_topic_and_gives_no_reading(event: str) -> None:
    body = json.dumps({"deviceInfo": {"devEui": EUI}, "time": "a placeholder"}).encode()
    uplink = parse_chirpstack(body, f"application/1/device/{EUI}/event/{event}")
    assert (uplink.event, uplink.is_uplink) == (event, False)
    assert readings_of(uplink, decoder_of("bosch/tps110")) == []


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("integration", {"integrationName": "loracloud", "location": None}),
        ("log", {"level": "ERROR", "code": "UPLINK_MIC"}),
        ("txack", {"downlinkId": 1, "queueItemId": "1", "fCntDown": 2, "gatewayId": "1"}),
        ("ack", {"queueItemId": "1", "fCntDown": 3}),
        ("status", {"margin": 10, "batteryLevel": 88.3}),
        ("location", {"location": {"latitude": 1.0}}),
        ("up", {"devAddr": "00189440", "rxInfo": []}),
        ("join", {"devAddr": "00189440"}),
    ],
)
def test_an_event_on_a_topic_of_the_operators_own_is_known_by_its_fields(
    event: str, fields: dict[str, object]
) -> None:
    body = json.dumps({"deviceInfo": {"devEui": EUI}, **fields}).encode()
    assert parse_chirpstack(body, "my/own/topic").event == event
    assert parse_chirpstack(body).event == event


@pytest.mark.parametrize(
    "event", ["join_accept", "downlink_ack", "downlink_failed", "downlinks", "uplink_normalized"]
)
def test_an_event_of_the_things_stack_is_named_by_its_key(event: str) -> None:
    body = json.dumps({"end_device_ids": {"device_id": "dev1"}, event: {}}).encode()
    uplink = parse_things_stack(body)
    assert (uplink.event, uplink.device, uplink.device_eui) == (event, "dev1", None)
    assert readings_of(uplink, decoder_of("bosch/tps110")) == []


def _chirpstack(message: dict[str, object]) -> Uplink:
    return parse_chirpstack(json.dumps(message).encode())


WRONG: list[tuple[str, dict[str, object], str]] = [
    ("chirpstack", {"deviceInfo": None}, "deviceInfo.devEui"),
    ("chirpstack", {"deviceInfo": []}, "deviceInfo"),
    ("chirpstack", {"deviceInfo": {"devEui": "123"}}, "deviceInfo.devEui"),
    ("chirpstack", {"data": "AQ="}, "data"),
    ("chirpstack", {"data": "AQ==é"}, "data"),
    ("chirpstack", {"data": 1}, "data"),
    ("chirpstack", {"data": "A" * 1000}, "data"),
    ("chirpstack", {"fPort": "1"}, "fPort"),
    ("chirpstack", {"fPort": 256}, "fPort"),
    ("chirpstack", {"fCnt": True}, "fCnt"),
    ("chirpstack", {"time": "yesterday"}, "time"),
    ("chirpstack", {"time": "2026-11-24T08:15:30"}, "time"),
    ("chirpstack", {"time": "0001-01-01T00:00:00+14:00"}, "time"),
    ("chirpstack", {"deduplicationId": "a\x00b"}, "deduplicationId"),
    ("chirpstack", {"deduplicationId": "\ud800"}, "deduplicationId"),
    ("chirpstack", {"rxInfo": [1]}, "rxInfo[0]"),
    ("chirpstack", {"rxInfo": [{"rssi": "loud"}]}, "rxInfo[0].rssi"),
    ("tts", {"end_device_ids": {}}, "end_device_ids.dev_eui"),
    ("tts", {"uplink_message": 3}, "uplink_message"),
    ("tts", {"uplink_message": {"f_port": -1}}, "uplink_message.f_port"),
    ("tts", {"uplink_message": {"frm_payload": "?"}}, "uplink_message.frm_payload"),
    ("tts", {"received_at": 5}, "received_at"),
]


@pytest.mark.parametrize(("envelope", "changed", "field"), WRONG)
def test_a_wrong_field_is_named_by_its_path(envelope: str, changed: dict[str, object], field: str) -> None:
    with pytest.raises(MalformedInput) as refused:
        ENVELOPES[envelope](json.dumps(_message(envelope) | changed).encode(), None)
    assert refused.value.field == field


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b"null", b"{", b"[" * 100_000, b'{"a": NaN}', b'{"a":' + b"9" * 5000 + b"}", b" " * 300_000]
)  # fmt: skip
def test_a_body_that_is_no_object_of_json_is_refused_in_one_line(envelope: str, body: bytes) -> None:
    with pytest.raises(MalformedInput, match=r"^body: .+$"):
        ENVELOPES[envelope](body, None)


def test_an_event_that_nobody_knows_is_refused() -> None:
    for parse in (parse_chirpstack, parse_things_stack):
        with pytest.raises(MalformedInput, match="event"):
            parse(b"{}")


def test_a_name_that_a_person_gave_never_costs_a_reading() -> None:
    message = _message("chirpstack")
    message["deviceInfo"] = {"devEui": EUI, "deviceName": "a\nname" * 100, "deviceProfileName": 7}
    uplink = _chirpstack(message)
    assert (uplink.device_name, uplink.profile, uplink.payload) == (None, None, b"\x01")


@pytest.mark.parametrize("envelope", ENVELOPES)
@given(data=st.data(), value=JSON_VALUES)
def test_any_value_anywhere_in_an_envelope_is_understood_or_refused(
    envelope: str, data: st.DataObject, value: object
) -> None:
    message = _message(envelope)
    at = message
    while True:
        key = data.draw(st.sampled_from(sorted(at)))
        inner = at[key]
        if not isinstance(inner, dict) or not inner or data.draw(st.booleans()):
            break
        at = inner
    at[key] = value
    _understood_or_refused(envelope, json.dumps(message).encode())


@pytest.mark.parametrize("envelope", ENVELOPES)
@given(body=st.binary(max_size=60))
def test_no_bytes_make_an_envelope_fail_in_a_way_of_its_own(envelope: str, body: bytes) -> None:
    _understood_or_refused(envelope, body)


def _understood_or_refused(envelope: str, body: bytes) -> None:
    problem, readings = "", list[SpotReading]()
    try:
        readings = readings_of(ENVELOPES[envelope](body, None), decoder_of("bosch/tps110"))
    except MalformedInput as refused:
        problem = str(refused)
    assert "\n" not in problem
    for reading in readings:
        assert reading.device.isprintable()
        assert (reading.key or "").isprintable()


def test_a_reading_carries_key_time_and_terms() -> None:
    uplink = _chirpstack(_message("chirpstack", frame=SensorFrame(2, b"\x00\xf6")))
    (reading,) = readings_of(uplink, decoder_of("bosch/tps110"))
    assert (reading.device, reading.occupied, reading.occurred_at) == (EUI, False, AT)
    assert reading.key == _sent().identity
    assert reading.attributes == {"kind": "heartbeat", "temperature_c": -10}


def test_a_message_with_commands_only_gives_no_reading() -> None:
    uplink = _chirpstack(_message("chirpstack", frame=SensorFrame(0, b"")))
    assert readings_of(uplink, decoder_of("pni/placepod")) == []


def test_an_empty_frame_on_a_port_is_a_frame() -> None:
    uplink = _chirpstack(_message("chirpstack", frame=SensorFrame(2, b"")))
    (reading,) = readings_of(uplink, decoder_of("pni/placepod"))
    assert (reading.occupied, reading.attributes) == (None, {"kind": "startup"})


@pytest.mark.parametrize(
    ("distance_mm", "within_mm", "occupied"), [(2116, 1500, False), (1500, 1500, True), (300, None, None)]
)
def test_a_distance_becomes_a_state_by_the_lots_own_threshold(
    distance_mm: int, within_mm: int | None, occupied: bool | None
) -> None:
    frame = SensorFrame(85, b"\x04\x82" + distance_mm.to_bytes(2, "little"))
    uplink = _chirpstack(_message("chirpstack", frame=frame))
    (reading,) = readings_of(uplink, decoder_of("milesight/udl"), occupied_within_mm=within_mm)
    assert (reading.occupied, reading.attributes["distance_mm"]) == (occupied, distance_mm)


def test_an_echo_that_is_no_distance_leaves_the_spot_unknown() -> None:
    uplink = _chirpstack(_message("chirpstack", frame=SensorFrame(2, bytes.fromhex("0d0a001400000001"))))
    (reading,) = readings_of(uplink, decoder_of("dragino/ldds75"), occupied_within_mm=1500)
    assert reading.occupied is None


def test_an_offset_is_turned_into_utc() -> None:
    message = _message("chirpstack") | {"time": "2026-11-24T10:15:30.25+02:00"}
    at = _chirpstack(message).received_at
    assert at == AT
    assert at.utcoffset() == timedelta(0)
