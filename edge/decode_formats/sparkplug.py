"""A Sparkplug B message: a payload with its metrics, or a host application's state.

A metric that has its alias alone gets its name and type from `--birth`, the payload that declared it.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.errors import MalformedInput
from drivers.mqtt.json_body import LARGEST_INTEGER, JsonObject, read_object
from drivers.mqtt.sparkplug_payload import Metric, parse
from drivers.mqtt.sparkplug_topic import host_of, parse_topic
from edge.decode_question import TOPIC, Format, Option, Question, WrongUsage

Declared = Mapping[int, Metric]
STATE_WORDS = {b"ONLINE": True, b"OFFLINE": False}


def _answer(question: Question) -> Mapping[str, object]:
    topic = question.option("--topic")
    host = None if topic is None else host_of(topic)
    if host is not None:
        return {"format": "sparkplug", "host": host, **_state(question.data)}
    place: Mapping[str, object] = {}
    if topic is not None:
        said = parse_topic(topic)
        place = {"type": said.type.value, "group": said.group, "node": said.node, "device": said.device}
    payload = parse(question.data)
    declared = _declared(question.option("--birth"))
    metrics = [_metric(metric, declared) for metric in payload.metrics]
    return {
        "format": "sparkplug",
        **place,
        "timestamp": payload.timestamp_ms,
        "seq": payload.seq,
        "metrics": metrics,
    }


def _state(body: bytes) -> Mapping[str, object]:
    if body in STATE_WORDS:  # Sparkplug 2.2
        return {"online": STATE_WORDS[body]}
    said: JsonObject = read_object(body)
    online = said.get("online")
    if not isinstance(online, bool):
        raise MalformedInput("online", "true or false is expected")
    return {"online": online, "timestamp": said.integer("timestamp", largest=LARGEST_INTEGER)}


def _declared(birth: str | None) -> Declared:
    if birth is None:
        return {}
    try:
        payload = parse(bytes.fromhex(birth))
    except ValueError:
        raise WrongUsage("--birth is not hexadecimal, two digits a byte") from None
    return {metric.alias: metric for metric in payload.metrics if metric.alias is not None}


def _metric(metric: Metric, declared: Declared) -> Mapping[str, object]:
    birth = None if metric.alias is None else declared.get(metric.alias)
    declared_type = None if birth is None else birth.datatype
    datatype = metric.type_of(declared_type)
    value = metric.read(declared_type)
    return {
        "name": metric.name if birth is None else birth.name,
        "alias": metric.alias,
        "datatype": None if datatype is None else datatype.name,
        "value": value.hex() if isinstance(value, bytes) else value,
        "timestamp": metric.timestamp_ms,
        "is_null": metric.is_null,
        "is_historical": metric.is_historical,
    }


FORMAT = Format(
    answer=_answer,
    options=(TOPIC, Option(flag="--birth", metavar="HEX", help="the birth that declared the aliases")),
)
