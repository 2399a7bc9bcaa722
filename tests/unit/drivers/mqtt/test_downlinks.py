"""What sensors can be told, and how a network server answers. Frames from the makers' own documents, see each decoder."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime

import pytest

from drivers.errors import CommandRefused, DeviceUnreachable
from drivers.mqtt.decoded import Kind
from drivers.mqtt.decoder_registry import decoder_of, devices, encoder_of
from drivers.mqtt.dialect import Answer
from drivers.mqtt.downlink import Downlink
from drivers.mqtt.network_server import NetworkServer
from drivers.ports import SensorOrder, TakePayment, TellSensor
from simulators.wire.envelopes import Published, Transmission, chirpstack_up, things_stack_up
from simulators.wire.sensor_frames import SensorFrame

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
EUI = "24e124713b493000"
REPORT = TellSensor(device=EUI, order=SensorOrder.REPORT_EVERY, seconds=1_200)
SENT = Transmission(
    device_eui=EUI,
    device="milesight/udl",
    frame=SensorFrame(85, bytes.fromhex("0482c201")),
    f_cnt=1,
    received_at=AT,
    identity="s",
)


@pytest.mark.parametrize(
    ("device", "order", "seconds", "f_port", "payload"),
    [
        ("dragino/ldds75", SensorOrder.REPORT_EVERY, 60, 2, "0100003c"),
        ("dragino/ldds75", SensorOrder.RESTART, None, 2, "04ff"),
        ("milesight/udl", SensorOrder.REPORT_EVERY, 1_200, 85, "ff03b004"),
        ("milesight/udl", SensorOrder.RESTART, None, 85, "ff10ff"),
        ("netvox/r719a", SensorOrder.REPORT_EVERY, 900, 7, "0159038403840100000000"),
    ],
)
def test_an_order_is_the_frame_that_the_maker_shows(
    device: str, order: SensorOrder, seconds: int | None, f_port: int, payload: str
) -> None:
    encode = encoder_of(device)
    assert encode is not None
    assert encode(order, seconds) == Downlink(f_port, bytes.fromhex(payload))


@pytest.mark.parametrize("device", devices())
@pytest.mark.parametrize("order", SensorOrder)
@pytest.mark.parametrize("seconds", [None, 0, 1, 600, 65_535, 2**24, 2**40])
def test_a_device_takes_an_order_or_says_why_not(
    device: str, order: SensorOrder, seconds: int | None
) -> None:
    encode = encoder_of(device)
    if encode is None:
        return
    if order is SensorOrder.REPORT_EVERY and seconds not in {600, 65_535}:
        with contextlib.suppress(ValueError):
            encode(order, seconds)
        return
    downlink = encode(order, min(seconds or 0, 600))
    assert downlink is None or (1 <= downlink.f_port <= 223 and 1 <= len(downlink.payload) <= 51)


def test_what_goes_down_to_a_netvox_is_no_report_of_it() -> None:
    encode = encoder_of("netvox/r719a")
    assert encode is not None
    downlink = encode(SensorOrder.REPORT_EVERY, 900)
    assert downlink is not None
    assert decoder_of("netvox/r719a")(downlink.payload, downlink.f_port).kind is Kind.DOWNLINK


def server(format_name: str, *, downlinks: bool = True, model: str = "milesight/udl") -> NetworkServer:
    return NetworkServer(format_name, model_of=lambda _: model, new_key=lambda: "k-1", downlinks=downlinks)


def hear(listening: NetworkServer, sent: Published) -> None:
    assert len(listening.hear(sent.topic, sent.body, retained=False).readings) == 1


def test_chirpstack_is_handed_a_downlink_on_the_devices_own_topic() -> None:
    listening = server("chirpstack")
    hear(listening, chirpstack_up(SENT))
    order = listening.order(REPORT)
    assert order.key == "k-1"
    assert order.saying.topic == f"application/lotgate-simulation/device/{EUI}/command/down"
    assert json.loads(order.saying.body) == {
        "id": "k-1",
        "devEui": EUI,
        "confirmed": True,
        "fPort": 85,
        "data": "/wOwBA==",
    }


def test_the_things_stack_is_handed_a_downlink_behind_those_that_wait() -> None:
    listening = server("tts")
    hear(listening, things_stack_up(SENT))
    order = listening.order(REPORT)
    assert order.saying.topic == f"v3/lotgate-simulation@lotgate/devices/eui-{EUI}/down/push"
    (item,) = json.loads(order.saying.body)["downlinks"]
    assert (item["f_port"], item["frm_payload"], item["confirmed"]) == (85, "/wOwBA==", True)
    assert item["correlation_ids"] == ["lotgate:k-1"]


CHIRPSTACK = f"application/a/device/{EUI}/event"
THINGS_STACK = "v3/a@t/devices/d/down"


@pytest.mark.parametrize(
    ("format_name", "topic", "said", "answer"),
    [
        ("chirpstack", f"{CHIRPSTACK}/ack", {"queueItemId": "k-1", "acknowledged": True}, None),
        ("chirpstack", f"{CHIRPSTACK}/ack", {"queueItemId": "k-1"}, "did not acknowledge"),
        (
            "chirpstack",
            f"{CHIRPSTACK}/log",
            {"level": "ERROR", "code": "DOWNLINK_PAYLOAD_SIZE", "description": "too long", "context": {"queue_item_id": "k-1"}},
            "DOWNLINK_PAYLOAD_SIZE: too long",
        ),
        ("tts", f"{THINGS_STACK}/ack", {"downlink_ack": {"correlation_ids": ["as:1", "lotgate:k-1"]}}, None),
        ("tts", f"{THINGS_STACK}/nack", {"downlink_nack": {"correlation_ids": ["lotgate:k-1"]}}, "did not acknowledge"),
        (
            "tts",
            f"{THINGS_STACK}/failed",
            {"downlink_failed": {"downlink": {"correlation_ids": ["lotgate:k-1"]}, "error": {"message_format": "too long"}}},
            "too long",
        ),
    ],
)  # fmt: skip
def test_the_servers_answer_is_found_by_the_downlinks_own_number(
    format_name: str, topic: str, said: dict[str, object], answer: str | None
) -> None:
    who = {"deviceInfo": {"devEui": EUI}, "end_device_ids": {"device_id": "d"}}
    heard = server(format_name).hear(topic, json.dumps({**who, **said}).encode(), retained=False)
    (found,) = heard.answers
    assert isinstance(found, Answer)
    assert found.key == "k-1"
    assert (found.refused is None) if answer is None else (answer in str(found.refused))


def test_what_cannot_be_told_is_refused_with_the_reason() -> None:
    listening = server("chirpstack")
    with pytest.raises(DeviceUnreachable, match="said nothing"):
        listening.order(REPORT)
    hear(listening, chirpstack_up(SENT))
    with pytest.raises(CommandRefused, match="takes 60 to 64800"):
        listening.order(TellSensor(device=EUI, order=SensorOrder.REPORT_EVERY, seconds=1))
    with pytest.raises(CommandRefused, match="knows no order"):
        listening.order(TellSensor(device=EUI, order=SensorOrder.RECALIBRATE))
    with pytest.raises(CommandRefused):
        listening.order(TakePayment(device=EUI, key="k", amount_minor=1, currency="EUR"))
    with pytest.raises(CommandRefused, match="switched off"):
        server("chirpstack", downlinks=False).order(REPORT)
