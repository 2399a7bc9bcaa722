from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import MalformedInput
from drivers.mqtt.plain_json import JsonMapping, Place, read_plain_json
from drivers.ports import SpotReading
from simulators.wire.envelopes import plain_json

AT = datetime(2026, 11, 24, 8, 15, 30, tzinfo=UTC)
MAPPING = JsonMapping(
    device=Place("$.id"),
    occupied=Place("$.state"),
    key=Place("$.message"),
    occurred_at=Place("$.at"),
    attributes={"battery_v": Place("$.battery.volts")},
)


def _read(mapping: JsonMapping = MAPPING, /, **message: object) -> SpotReading:
    body = json.dumps({"id": "a-12", "state": True, **message}).encode()
    return read_plain_json(body, "spots/a-12/state", mapping)


def test_a_gateways_own_json_is_read_where_the_mapping_says() -> None:
    published = plain_json("a-12", occupied=True, message_id="m1", sent_at=AT)
    reading = read_plain_json(published.body, published.topic, MAPPING)
    assert (reading.device, reading.occupied, reading.key, reading.occurred_at) == ("a-12", True, "m1", AT)


@pytest.mark.parametrize(
    ("said", "occupied"),
    [(True, True), (False, False), (1, True), (0, False), ("OCCUPIED", True), ("Free", False), ("on", True)],
)
def test_common_words_for_taken_and_free_need_no_list(said: object, occupied: bool) -> None:
    assert _read(state=said).occupied is occupied


@pytest.mark.parametrize("said", ["fault", "", 2, None, [], {}, float("1e300")])
def test_a_state_that_nobody_described_never_becomes_free(said: object) -> None:
    with pytest.raises(MalformedInput) as refused:
        _read(state=said)
    assert refused.value.field == "$.state"


def test_true_and_one_are_different_answers() -> None:
    mapping = JsonMapping(
        device=Place("$.id"), occupied=Place("$.state"), true_values=(0,), false_values=(1,)
    )
    assert _read(mapping, state=0).occupied is True
    with pytest.raises(MalformedInput):
        _read(mapping, state=True)


def test_a_value_may_not_mean_both() -> None:
    with pytest.raises(ValueError, match="true_values and in false_values"):
        JsonMapping(
            device=Place("$.id"), occupied=Place("$.state"), true_values=("Busy",), false_values=("busy",)
        )


def test_the_device_may_stand_in_the_topic() -> None:
    mapping = JsonMapping(device=Place("$topic[-2]"), occupied=Place("$.spots[1].taken"))
    body = b'{"spots": [{"taken": false}, {"taken": true}]}'
    reading = read_plain_json(body, "lot/level-1/17/state", mapping)
    assert (reading.device, reading.occupied, reading.key, reading.occurred_at) == ("17", True, None, None)
    with pytest.raises(MalformedInput) as refused:
        read_plain_json(body, "state", mapping)
    assert refused.value.field == "$topic[-2]"


def test_numbers_serve_as_names_keys_and_instants() -> None:
    reading = _read(id=17, message=4711, at=AT.timestamp(), battery={"volts": 3.1})
    assert reading.device == "17"
    assert reading.key == "4711"
    assert reading.occurred_at == AT


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"id": None}, "$.id"),
        ({"id": True}, "$.id"),
        ({"id": "x" * 300}, "$.id"),
        ({"message": []}, "$.message"),
        ({"at": "noon"}, "$.at"),
        ({"at": 1e17}, "$.at"),
        ({"battery": {"volts": 2**70}}, "$.battery.volts"),
        ({"battery": {"volts": []}}, "$.battery.volts"),
    ],
)
def test_a_wrong_value_is_named_by_its_place(changed: dict[str, object], field: str) -> None:
    with pytest.raises(MalformedInput) as refused:
        _read(MAPPING, **changed)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "text", ["id", "$id", "$.", "$.a[", "$.a[x]", "$topic", "$topic.a", "$topic[1][2]", ""]
)
def test_a_path_that_leads_nowhere_is_refused_when_it_is_written(text: str) -> None:
    with pytest.raises(ValueError, match=r"\$"):
        Place(text)


@given(
    message=st.dictionaries(
        st.sampled_from(["id", "state", "message", "at", "battery"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
    )
)
def test_any_json_is_understood_or_refused(message: dict[str, object]) -> None:
    problem = ""
    try:
        assert read_plain_json(json.dumps(message).encode(), "t", MAPPING).device.isprintable()
    except MalformedInput as refused:
        problem = str(refused)
    assert "\n" not in problem
