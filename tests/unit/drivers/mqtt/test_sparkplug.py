"""What a Sparkplug host believes, and when it asks for a birth. Topics and rules: Eclipse Sparkplug 3.0.0."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import CommandRefused, MalformedInput
from drivers.mqtt.dialect import Heard
from drivers.mqtt.sparkplug import SparkplugHost, SparkplugSettings
from drivers.mqtt.sparkplug_node import TABLE, Effect, NodeEvent, Standing
from drivers.mqtt.sparkplug_payload import DataType, Metric, Payload, encode, parse
from drivers.mqtt.sparkplug_topic import parse_topic
from drivers.ports import MalformedReading, Move, MoveArm, Reading, SpotReading
from simulators.wire.envelopes import Published
from simulators.wire.sparkplug_node import SparkplugNode

SPOT = "parking/garage/level-1/spot/A1/occupied"
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


class World:
    """A host and a node, message by message."""

    def __init__(self, **settings: object) -> None:
        self.ms = 1_732_435_200_000
        self.at_s = 0.0
        table = SparkplugSettings.model_validate({"spots": ["spot/*/occupied"], **settings})
        self.host = SparkplugHost(table, now=lambda: NOW, monotonic=lambda: self.at_s)
        self.node = SparkplugNode(now_ms=self._tick, spots=("A1", "A2"))

    def _tick(self) -> int:
        self.ms += 1
        return self.ms

    def tell(self, *messages: Published) -> Heard:
        """Tell the host; the answer holds all readings and replies."""
        heard = [self.host.hear(each.topic, each.body, retained=False) for each in messages]
        readings = [reading for each in heard for reading in each.readings]
        return Heard(readings=readings, replies=[reply for each in heard for reply in each.replies])


def states(heard: Heard) -> list[bool | str | None]:
    return [
        reading.occupied if isinstance(reading, SpotReading) else str(getattr(reading, "field", ""))
        for reading in heard.readings
    ]


def test_every_event_in_every_standing_has_its_row() -> None:
    assert set(TABLE) == set(product(Standing, NodeEvent))


def test_only_a_birth_ends_a_doubt_and_only_the_living_are_believed() -> None:
    for (standing, event), (after, effects) in TABLE.items():
        if after is Standing.ALIVE and standing is not Standing.ALIVE:
            assert event is NodeEvent.BIRTH
        if Effect.TAKE in effects and event not in {NodeEvent.BIRTH, NodeEvent.REPEATED}:
            assert standing is Standing.ALIVE
        if Effect.ASK in effects:
            assert after in {Standing.UNHEARD, Standing.IN_DOUBT, Standing.DEAD}


def test_a_birth_tells_each_spot_and_data_by_alias_change_it() -> None:
    world = World()
    assert states(world.tell(*world.node.birth())) == [False, False]
    heard = world.tell(world.node.data("A1", taken=True))
    (reading,) = heard.readings
    assert isinstance(reading, SpotReading)
    assert (reading.device, reading.occupied) == (SPOT, True)
    assert reading.key == f"0:{world.ms}:2"
    assert not heard.replies


def test_a_gap_is_told_and_one_birth_is_asked_for_and_nothing_believed_until_it_comes() -> None:
    world = World()
    world.tell(*world.node.birth())
    world.node.skip()
    heard = world.tell(world.node.data("A1", taken=True))
    assert states(heard) == ["seq"]
    (asked,) = heard.replies
    assert (asked.topic, asked.qos, asked.retain) == ("spBv1.0/parking/NCMD/garage", 0, False)
    (rebirth,) = parse(asked.body).metrics
    assert (rebirth.name, rebirth.value) == ("Node Control/Rebirth", True)
    again = world.tell(world.node.data("A2", taken=True))
    assert not again.readings
    assert not again.replies, "it is asked once in a while, not with each message"
    world.at_s = 10.0
    assert len(world.tell(world.node.data("A2", taken=True)).replies) == 1
    assert states(world.tell(*world.node.birth())) == [True, True]


def test_an_alias_of_an_earlier_birth_means_nothing() -> None:
    world = World()
    world.tell(*world.node.birth())
    old = Metric(alias=100, field="boolean_value", value=True)
    world.tell(*world.node.birth())
    body = encode(Payload(timestamp_ms=1, seq=2, metrics=(old,)))
    heard = world.tell(Published(world.node.topic("DDATA"), body))
    assert states(heard) == ["metric"]
    assert len(heard.replies) == 1


def test_the_sequence_comes_round_after_256_messages() -> None:
    world = World()
    world.tell(*world.node.birth())
    for number in range(600):
        assert states(world.tell(world.node.data("A1", taken=bool(number % 2)))) == [bool(number % 2)]


def test_a_message_that_comes_twice_is_no_gap_and_has_the_same_key() -> None:
    world = World()
    messages = [*world.node.birth(), world.node.data("A1", taken=True), world.node.data("A2", taken=True)]
    first = world.tell(*messages)
    second = world.tell(*messages[2:])
    assert list(second.readings) == list(first.readings[-2:])
    assert not second.replies
    assert states(world.tell(world.node.data("A1", taken=False))) == [False]


def test_a_death_of_an_earlier_connection_comes_late_and_changes_nothing() -> None:
    world = World()
    early = world.node.death()
    world.tell(*world.node.birth())
    world.node.bd_seq = 1
    world.tell(*world.node.birth())
    assert not world.tell(early).readings
    assert states(world.tell(world.node.data("A1", taken=True))) == [True]
    lost = world.tell(world.node.death()).readings
    assert [(reading.device, reading.lost) for reading in lost if isinstance(reading, SpotReading)] == [
        (SPOT, True),
        (SPOT.replace("A1", "A2"), True),
    ]


def test_what_is_lost_is_lost_since_the_nodes_last_word_by_its_own_clock() -> None:
    """Else a node whose clock is slow would be born before it died, and its spots stay unknown."""
    world = World()
    world.tell(*world.node.birth(), world.node.data("A1", taken=True))
    spoke_ms = world.ms
    (lost, _) = world.tell(world.node.death()).readings
    (born, _) = world.tell(*world.node.birth()).readings
    assert isinstance(lost, SpotReading)
    assert isinstance(born, SpotReading)
    assert lost.occurred_at == datetime.fromtimestamp(spoke_ms / 1000, UTC)
    assert born.occurred_at is not None
    assert born.occurred_at > lost.occurred_at


def test_a_devices_death_leaves_its_spots_unknown_and_its_data_are_strange() -> None:
    world = World()
    world.tell(*world.node.birth())
    assert states(world.tell(world.node.device_death())) == [None, None]
    assert states(world.tell(world.node.data("A1", taken=True))) == ["metric"]


def test_a_device_whose_death_was_missed_is_lost_when_the_node_is_born_without_it() -> None:
    world = World()
    world.tell(*world.node.birth())
    world.node.device_death()
    world.tell(world.node.data("A1", taken=True))
    birth, _ = world.node.birth()
    world.node.skip(-1)
    assert not world.tell(birth).readings
    data = Payload(timestamp_ms=9, seq=1, metrics=())
    heard = world.tell(Published(world.node.topic("NDATA"), encode(data)))
    assert [getattr(reading, "lost", None) for reading in heard.readings] == [True, True]


def test_what_a_node_stored_while_it_was_off_line_does_not_replace_the_present() -> None:
    world = World()
    world.tell(*world.node.birth())
    metric = Metric(alias=100, field="boolean_value", value=True, timestamp_ms=5, is_historical=True)
    body = encode(Payload(timestamp_ms=9, seq=2, metrics=(metric,)))
    assert not world.tell(Published(world.node.topic("DDATA"), body)).readings


def test_a_null_is_a_spot_of_which_nothing_is_known_and_a_strange_word_is_told() -> None:
    world = World()
    world.tell(*world.node.birth())
    null = Metric(alias=100, is_null=True)
    misfit = Metric(alias=101, field="int_value", value=1)
    body = encode(Payload(timestamp_ms=9, seq=2, metrics=(null, misfit)))
    readings: list[Reading] = list(world.tell(Published(world.node.topic("DDATA"), body)).readings)
    assert [type(reading) for reading in readings] == [MalformedReading, SpotReading]
    assert isinstance(readings[1], SpotReading)
    assert (readings[1].occupied, readings[1].lost) == (None, True)


def test_at_each_connection_the_nodes_are_asked_and_the_host_is_announced() -> None:
    world = World(host_application="lot-7", nodes=["parking/garage"])
    will = world.host.will()
    state, asked = world.host.greeting()
    assert will is not None
    assert (will.topic, will.retain, will.qos) == ("spBv1.0/STATE/lot-7", True, 1)
    assert (state.topic, state.retain) == (will.topic, True)
    assert will.body.replace(b"false", b"true") == state.body, "equal but for the word, time included"
    assert asked.topic == "spBv1.0/parking/NCMD/garage"
    assert [said.body for said in world.host.farewell()] == [will.body]


def test_other_hosts_and_commands_are_none_of_ours_and_nodes_take_no_orders() -> None:
    world = World()
    for topic in ("spBv1.0/STATE/other", "STATE/other", "spBv1.0/parking/NCMD/garage"):
        assert world.host.hear(topic, b"\xff", retained=True) == Heard()
    with pytest.raises(CommandRefused):
        world.host.order(MoveArm(device="garage", move=Move.OPEN))


@pytest.mark.parametrize(
    "topic",
    [
        "spAv1.0/g/NDATA/n",
        "spBv1.0/g/NDATA/n/d",
        "spBv1.0/g/DDATA/n",
        "spBv1.0/g/XDATA/n",
        "spBv1.0//NDATA/n",
        "spBv1.0/g/NDATA",
    ],
)
def test_a_topic_that_is_none_is_named(topic: str) -> None:
    with pytest.raises(MalformedInput) as refused:
        parse_topic(topic)
    assert refused.value.field == "topic"


@pytest.mark.parametrize(
    ("datatype", "field", "number", "value"),
    [
        (DataType.INT8, "int_value", 0xFF, -1),
        (DataType.INT8, "int_value", 0xFFFF_FFFF, -1),
        (DataType.INT32, "int_value", 0xFFFF_FFFF, -1),
        (DataType.INT64, "long_value", 2**64 - 9, -9),
        (DataType.UINT16, "int_value", 240, 240),
        (DataType.UINT64, "long_value", 2**64 - 1, 2**64 - 1),
    ],
)
def test_negative_numbers_travel_as_twos_complement(
    datatype: DataType, field: str, number: int, value: int
) -> None:
    assert Metric(name="n", datatype=datatype, field=field, value=number).read() == value


@pytest.mark.parametrize(
    ("datatype", "field", "number"),
    [
        (DataType.UINT8, "int_value", 256),
        (DataType.INT8, "int_value", 0x1FF),
        (DataType.BOOLEAN, "int_value", 1),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_refused(datatype: DataType, field: str, number: int) -> None:
    with pytest.raises(MalformedInput):
        Metric(name="n", datatype=datatype, field=field, value=number).read()


METRICS = st.builds(
    Metric,
    name=st.none() | st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20),
    alias=st.none() | st.integers(0, 2**64 - 1),
    timestamp_ms=st.none() | st.integers(0, 2**64 - 1),
    datatype=st.none() | st.integers(0, 2**32 - 1),
    is_historical=st.booleans(),
    is_null=st.booleans(),
) | st.builds(Metric, field=st.just("string_value"), value=st.text(max_size=20))


@given(
    timestamp_ms=st.none() | st.integers(0, 2**64 - 1),
    seq=st.none() | st.integers(0, 255),
    metrics=st.lists(METRICS, max_size=5),
)
def test_a_payload_that_is_written_reads_back(
    timestamp_ms: int | None, seq: int | None, metrics: list[Metric]
) -> None:
    payload = Payload(timestamp_ms=timestamp_ms, seq=seq, metrics=tuple(metrics))
    assert parse(encode(payload)) == payload


@settings(max_examples=40)
@given(st.data())
def test_however_messages_are_lost_what_is_believed_at_the_end_is_what_the_node_says(
    data: st.DataObject,
) -> None:
    """Any messages may be lost, births included; whenever the host asks, the node is born again, and that arrives."""
    world = World(ask_again_s=0.001)
    believed: dict[str, bool | None] = {}

    def deliver(*messages: Published) -> None:
        world.at_s += 1
        heard = world.tell(*messages)
        for reading in heard.readings:
            if isinstance(reading, SpotReading):
                believed[reading.device.split("/")[-2]] = reading.occupied
        if heard.replies:
            deliver(*world.node.birth())

    deliver(*world.node.birth())
    for _ in range(data.draw(st.integers(1, 30))):
        spot, taken = data.draw(st.sampled_from(("A1", "A2"))), data.draw(st.booleans())
        born = data.draw(st.integers(0, 9)) == 0
        messages = [*(world.node.birth() if born else ()), world.node.data(spot, taken=taken)]
        for message in messages:
            if data.draw(st.booleans()):
                deliver(message)
    deliver(world.node.data("A1", taken=True))
    assert believed == world.node.taken
