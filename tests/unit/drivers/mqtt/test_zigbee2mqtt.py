"""What a Zigbee2MQTT bridge says, after its documentation ("MQTT topics and messages", "Device availability")."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from drivers.errors import MalformedInput
from drivers.mqtt.zigbee2mqtt import ZigbeeNetwork, ZigbeeSettings
from drivers.mqtt.zigbee2mqtt_message import read_message
from drivers.ports import SpotReading

MESSAGES: list[tuple[str, object, dict[str, object]]] = [
    ("spot-1", {"occupancy": True}, {"device": "spot-1", "kind": "occupancy", "occupied": True}),
    ("deck 2/spot 1", {"occupancy": None}, {"device": "deck 2/spot 1", "kind": "occupancy", "occupied": None}),
    (
        "gate",
        {"contact": False, "battery": None},
        {"device": "gate", "kind": "contact", "closed": False, "battery_pct": None},
    ),
    (
        "arm",
        {"vibration": True, "action": "tilt", "angle": 72, "angle_x": 1},
        {"device": "arm", "kind": "vibration", "vibration": True, "angle": 72, "action": "tilt"},
    ),
    ("relay", {"state_l1": "ON", "state_l2": "OFF"}, {"device": "relay", "kind": "state", "states": {"l1": "ON", "l2": "OFF"}}),
    ("store", {"temperature": 27.3}, {"device": "store", "kind": "telemetry", "temperature_c": 27.3}),
    (
        "gate",
        {"contact": True, "last_seen": 1710237618123},
        {"device": "gate", "kind": "contact", "closed": True, "time": "2024-03-12T10:00:18.123Z"},
    ),
    ("relay/set", {"state": "ON"}, {"device": "relay", "kind": "command"}),
    ("relay/set/state", "ON", {"device": "relay", "kind": "command"}),
    ("gate/availability", "offline", {"device": "gate", "kind": "availability", "online": False}),
    ("gate/availability", {"state": "online"}, {"device": "gate", "kind": "availability", "online": True}),
    ("gate", "", {"device": "gate", "kind": "removed"}),
    ("bridge/state", "online", {"kind": "bridge_state", "online": True}),
    ("bridge/devices", "[]", {"kind": "bridge_info"}),
]  # fmt: skip


def body(said: object) -> bytes:
    return said.encode() if isinstance(said, str) else json.dumps(said).encode()


@pytest.mark.parametrize(("topic", "said", "meant"), MESSAGES)
def test_a_message_means_what_the_bridge_documents(
    topic: str, said: object, meant: dict[str, object]
) -> None:
    assert read_message(f"zigbee2mqtt/{topic}", body(said)).as_json() == meant


@pytest.mark.parametrize(
    ("topic", "said", "field"),
    [
        ("spot-1", "{", "body"),
        ("spot-1", "[1]", "body"),
        ("spot-1", {"occupancy": "yes"}, "occupancy"),
        ("spot-1", {"battery": "full"}, "battery"),
        ("spot-1", {"battery": 10**400}, "battery"),
        ("spot-1", '{"battery": 1e999}', "battery"),
        ("spot-1", {"contact": True, "last_seen": "today"}, "last_seen"),
        ("spot-1", {"contact": True, "last_seen": 9e18}, "last_seen"),
        ("spot-1/availability", "perhaps", "state"),
        ("bridge/state", {"state": None}, "state"),
        ("", {}, "topic"),
    ],
)
def test_what_no_bridge_says_is_refused_by_field(topic: str, said: object, field: str) -> None:
    with pytest.raises(MalformedInput) as refused:
        read_message(f"zigbee2mqtt/{topic}", body(said))
    assert refused.value.field == field


class Network:
    def __init__(self, **settings: object) -> None:
        self._network = ZigbeeNetwork(ZigbeeSettings.model_validate({"sensors": ["spot-*"], **settings}))

    def hear(self, topic: str, said: object, *, retained: bool = False) -> list[bool | None]:
        heard = self._network.hear(f"zigbee2mqtt/{topic}", body(said), retained=retained)
        readings = [reading for reading in heard.readings if isinstance(reading, SpotReading)]
        assert all(reading.lost is (reading.occupied is None) for reading in readings)
        return [reading.occupied for reading in readings]


def test_a_spot_follows_its_sensor_and_other_devices_are_passed_over() -> None:
    network = Network()
    assert network.hear("spot-1", {"occupancy": True}) == [True]
    assert network.hear("lane-pir", {"occupancy": True}) == []
    assert network.hear("spot-1", {"battery": 5}) == []
    assert network.hear("spot-1", {"contact": True}) == [], "nobody said what a contact means"


@pytest.mark.parametrize(("meaning", "closed"), [("taken", True), ("free", False)])
def test_the_settings_say_what_a_closed_contact_means(meaning: str, closed: bool) -> None:
    network = Network(closed_contact=meaning)
    assert network.hear("spot-1", {"contact": True}) == [closed]
    assert network.hear("spot-1", {"contact": False}) == [not closed]


def test_what_is_retained_of_a_sensor_that_is_off_line_is_no_news_in_whatever_order_it_comes() -> None:
    first, second = Network(), Network()
    assert first.hear("spot-1", {"occupancy": True}, retained=True) == [True]
    assert first.hear("spot-1/availability", "offline", retained=True) == [None]
    assert second.hear("spot-1/availability", "offline", retained=True) == [None]
    assert second.hear("spot-1", {"occupancy": True}, retained=True) == [None]
    assert second.hear("spot-1", {"occupancy": False}) == [False], "it spoke, whatever was said of it"


def test_a_bridge_that_is_off_line_knows_nothing_of_its_spots() -> None:
    network = Network()
    network.hear("spot-1", {"occupancy": True})
    network.hear("spot-2", {"occupancy": False})
    assert network.hear("bridge/state", "offline") == [None, None]
    assert network.hear("spot-1", {"occupancy": True}, retained=True) == [None]
    assert network.hear("bridge/state", "online") == []
    assert network.hear("spot-1", {"occupancy": True}, retained=True) == [True]


def test_a_sensor_is_lost_since_it_was_last_seen_by_the_bridges_own_clock() -> None:
    network = ZigbeeNetwork(ZigbeeSettings(sensors=("spot-*",)))
    said = body({"occupancy": True, "last_seen": "2024-03-12T11:00:18+01:00"})
    network.hear("zigbee2mqtt/spot-1", said, retained=False)
    (lost,) = network.hear("zigbee2mqtt/spot-1/availability", b"offline", retained=False).readings
    assert lost == SpotReading(
        device="spot-1", occupied=None, occurred_at=datetime(2024, 3, 12, 10, 0, 18, tzinfo=UTC), lost=True
    )


def test_a_sensor_that_was_removed_leaves_its_spot_unknown() -> None:
    network = Network()
    network.hear("spot-1", {"occupancy": True})
    assert network.hear("spot-1", "") == [None]
    assert network.hear("bridge/state", "offline") == []
