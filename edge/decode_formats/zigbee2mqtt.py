"""A message of Zigbee2MQTT: of a device or of its bridge."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.mqtt.zigbee2mqtt_message import BASE, read_message
from edge.decode_question import TOPIC, Format, Option, Question


def _answer(question: Question) -> Mapping[str, object]:
    base = question.option("--base") or BASE
    message = read_message(question.option("--topic") or "", question.data, base=base)
    return {"format": "zigbee2mqtt", **message.as_json()}


FORMAT = Format(
    answer=_answer,
    options=(TOPIC, Option(flag="--base", metavar="T", help=f"the bridge's base topic, {BASE} if left out")),
    needs=("--topic",),
    text=True,
)
