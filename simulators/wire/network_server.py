"""A LoRaWAN network server at a broker that takes downlinks: it hands them on at once, and its sensors acknowledge or do not.

`format_name` is "chirpstack" or "tts". Sources: as in drivers/mqtt/downlink.py.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

TOPICS = {"chirpstack": "application/+/device/+/command/down", "tts": "v3/+/devices/+/down/push"}


class NetworkServerWire:
    """Answers downlinks; `taken` holds the payloads that the sensors took, `deaf` sensors acknowledge nothing, `silent` servers say nothing."""

    def __init__(self, format_name: str) -> None:
        self.taken: list[bytes] = []
        self.deaf = False
        self.silent = False
        self._format = format_name
        self._client: mqtt.Client | None = None

    def start(self, host: str, port: int) -> None:
        """Connect, and answer in a thread of the client's own."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.on_message = self._heard
        client.connect(host, port)
        client.subscribe(TOPICS[self._format], qos=1)
        client.loop_start()
        self._client = client

    def stop(self) -> None:
        """Leave."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def _heard(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if self.silent:
            return
        said = json.loads(message.payload)
        if self._format == "chirpstack":
            self._chirpstack(client, message.topic, said)
        else:
            for item in said["downlinks"]:
                self._things_stack(client, message.topic, item)

    def _chirpstack(self, client: mqtt.Client, topic: str, said: dict[str, Any]) -> None:
        self._take(said["data"])
        answer: dict[str, object] = {
            "deviceInfo": {"devEui": said["devEui"]},
            "queueItemId": said["id"],
            "fCntDown": len(self.taken),
        }
        if not self.deaf:
            answer["acknowledged"] = True
        client.publish(topic.replace("command/down", "event/ack"), json.dumps(answer), qos=1)

    def _things_stack(self, client: mqtt.Client, topic: str, item: dict[str, Any]) -> None:
        self._take(item["frm_payload"])
        word = "nack" if self.deaf else "ack"
        device = topic.split("/")[3]
        answer = {"end_device_ids": {"device_id": device}, f"downlink_{word}": item}
        client.publish(topic.replace("down/push", f"down/{word}"), json.dumps(answer), qos=1)

    def _take(self, data: str) -> None:
        if not self.deaf:
            self.taken.append(base64.b64decode(data))
