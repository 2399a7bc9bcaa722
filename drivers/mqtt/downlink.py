"""What a sensor can be told over LoRaWAN: its own frame, and what the network servers wrap around it. Used by drivers/mqtt/network_server.py.

A downlink is asked to be confirmed, so the sensor's own radio says whether it came: that is "done". A sensor of class A listens for a
moment after each of its own messages, so the answer may be hours away.

Sources: ChirpStack, "MQTT, scheduling a downlink" and the events ack and log; The Things Stack, "MQTT Server, scheduling downlinks" and
"Data formats" (downlink_ack, downlink_nack, downlink_failed).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from drivers.mqtt.dialect import Answer, Saying
from drivers.mqtt.json_body import JsonObject, read_object
from drivers.ports import SensorOrder

OURS = "lotgate:"
NOT_ACKNOWLEDGED = "the sensor did not acknowledge it"


@dataclass(frozen=True, slots=True)
class Downlink:
    """A frame to a sensor and the port that it goes to."""

    f_port: int
    payload: bytes


class Encoder(Protocol):
    """What a module in `drivers/mqtt/decoders` offers as `encode`, where its device can be told something."""

    def __call__(self, order: SensorOrder, seconds: int | None) -> Downlink | None:
        """The frame; None where the device knows no such order.

        Raises:
            ValueError: `seconds` is missing or not what the device takes; says what it takes.
        """
        ...


def require_seconds(seconds: int | None, smallest: int, largest: int) -> int:
    """Refuse a time that the device does not take."""
    if seconds is None or not smallest <= seconds <= largest:
        raise ValueError(f"{seconds} s: the device takes {smallest} to {largest}")
    return seconds


def chirpstack_down(uplink_topic: str, eui: str, key: str, downlink: Downlink) -> Saying:
    """Hand a downlink to ChirpStack, which queues it under `key`."""
    message = {
        "id": key,
        "devEui": eui,
        "confirmed": True,
        "fPort": downlink.f_port,
        "data": base64.b64encode(downlink.payload).decode(),
    }
    return Saying(topic=uplink_topic.removesuffix("event/up") + "command/down", body=_body(message))


def chirpstack_answers(event: str, body: bytes) -> Iterator[Answer]:
    """What became of a downlink: acknowledged or not, or thrown out of the queue, which the server tells as an error with the item's number."""
    message = read_object(body)
    if event == "ack":
        key = message.text("queueItemId")
        if key is not None:
            taken = message.get("acknowledged") is True  # false is left out
            yield Answer(key=key, refused=None if taken else NOT_ACKNOWLEDGED)
    elif event == "log" and message.get("level") == "ERROR":
        reason = f"{message.label('code')}: {message.label('description')}"
        for value in message.object("context").values():
            if isinstance(value, str):
                yield Answer(key=value, refused=reason)


def things_stack_down(uplink_topic: str, _eui: str, key: str, downlink: Downlink) -> Saying:
    """Hand a downlink to The Things Stack, at the end of its queue."""
    item = {
        "f_port": downlink.f_port,
        "frm_payload": base64.b64encode(downlink.payload).decode(),
        "priority": "NORMAL",
        "confirmed": True,
        "correlation_ids": [OURS + key],
    }
    return Saying(topic=uplink_topic.removesuffix("/up") + "/down/push", body=_body({"downlinks": [item]}))


def things_stack_answers(event: str, body: bytes) -> Iterator[Answer]:
    """What became of a downlink, found by our own correlation id."""
    if event not in {"downlink_ack", "downlink_nack", "downlink_failed"}:
        return
    said = read_object(body).object(event)
    refused = None if event == "downlink_ack" else NOT_ACKNOWLEDGED
    if event == "downlink_failed":
        refused = said.object("error").label("message_format") or "the network server could not send it"
        said = said.object("downlink")
    for key in _ours(said):
        yield Answer(key=key, refused=refused)


def _ours(said: JsonObject) -> Iterator[str]:
    found = said.get("correlation_ids")
    for each in found if isinstance(found, list) else ():
        if isinstance(each, str) and each.startswith(OURS):
            yield each.removeprefix(OURS)


def _body(message: Mapping[str, object]) -> bytes:
    return json.dumps(message).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class DownlinkWords:
    """How a network server is handed a downlink, how it answers, and on which topics."""

    down: Callable[[str, str, str, Downlink], Saying]
    answers: Callable[[str, bytes], Iterator[Answer]]
    topics: tuple[str, ...]
    uplink_suffix: str


DOWNLINKS: Mapping[str, DownlinkWords] = {
    "chirpstack": DownlinkWords(
        down=chirpstack_down,
        answers=chirpstack_answers,
        topics=("application/+/device/+/event/ack", "application/+/device/+/event/log"),
        uplink_suffix="event/up",
    ),
    "tts": DownlinkWords(
        down=things_stack_down,
        answers=things_stack_answers,
        topics=("v3/+/devices/+/down/ack", "v3/+/devices/+/down/nack", "v3/+/devices/+/down/failed"),
        uplink_suffix="/up",
    ),
}
