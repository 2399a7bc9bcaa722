"""Sparkplug B: a host application that listens to edge nodes and asks them for a birth where it does not understand them.

[drivers.levels]
kind = "sparkplug"
host_application = "lot-7"           # what we are called as a host application; nodes may wait for it (STATE)
nodes = ["parking/garage1"]          # GROUP/NODE of nodes that are asked for their birth whenever we connect
spots = ["spot/*/occupied"]          # metrics that say whether a spot is taken; others are passed over

[[sensors]]
device = "parking/garage1/level-1/spot/A17/occupied"    # GROUP/NODE[/DEVICE]/METRIC
spot = "A17"

What a node is and when it is believed: drivers/mqtt/sparkplug_node.py. Nodes publish with QoS 0, as Sparkplug asks, so a broker keeps
nothing for us while we are away: each connection begins with asking for births, which tell the present. A node that dies, or one of its
devices, takes what is known of its spots along: they are unknown until they are born again.

Source: Eclipse Sparkplug 3.0.0, chapters 4 to 6.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial

from pydantic import Field, field_validator

from drivers.errors import CommandRefused, MalformedInput
from drivers.mqtt.client import RAW_LIMIT, ConnectionSettings, MqttSource
from drivers.mqtt.dialect import Heard, Order, Saying
from drivers.mqtt.plain_json import FALSE_VALUES, TRUE_VALUES, Answer, answer_of
from drivers.mqtt.sparkplug_node import EdgeNode, Outcome, Said, Standing
from drivers.mqtt.sparkplug_payload import DataType, Metric, Payload, encode, parse
from drivers.mqtt.sparkplug_topic import NAMESPACE, STATE, MessageType, SparkplugTopic, host_of, parse_topic
from drivers.ports import Command, Driver, MalformedReading, Reading, SpotReading
from drivers.settings import read_settings

MOST_NODES = 1_000
REBIRTH = "Node Control/Rebirth"
COMMANDS = frozenset({MessageType.NCMD, MessageType.DCMD})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SparkplugSettings(ConnectionSettings):
    """The table of a Sparkplug driver."""

    topics: tuple[str, ...] = Field(
        default=(f"{NAMESPACE}/#",), min_length=1, description='topic filters, such as ["spBv1.0/parking/#"]'
    )
    host_application: str | None = Field(
        default=None,
        pattern=r"^[^/+#]{1,64}$",
        description="our name as a host application, without /, + and #; our STATE is published under it",
    )
    nodes: tuple[str, ...] = Field(
        default=(), description='nodes that are asked for their birth at start, such as ["parking/garage1"]'
    )
    spots: tuple[str, ...] = Field(
        min_length=1, description='names of metrics that tell of a spot, such as ["spot/*/occupied"]'
    )
    true_values: tuple[Answer, ...] = Field(
        default=TRUE_VALUES, description="values of such a metric that mean taken"
    )
    false_values: tuple[Answer, ...] = Field(
        default=FALSE_VALUES, description="values of such a metric that mean free"
    )
    ask_again_s: float = Field(
        default=10.0,
        gt=0,
        le=3_600,
        description="seconds before a node that is not understood is asked again",
    )

    @field_validator("nodes")
    @classmethod
    def _nodes_are_nodes(cls, nodes: tuple[str, ...]) -> tuple[str, ...]:
        for node in nodes:
            group, slash, name = node.partition("/")
            if not (group and slash and name) or set("/+#") & set(name) or set("+#") & set(group):
                raise ValueError(f"{node!r} is not GROUP/NODE")
        return nodes


def make(name: str, settings: Mapping[str, object]) -> Driver:
    """Make the driver of one broker connection, see `DriverFactory`."""
    table = read_settings(SparkplugSettings, settings)
    host = SparkplugHost(table, now=partial(datetime.now, UTC), monotonic=time.monotonic)
    return MqttSource(name, table, host)


class SparkplugHost:
    """The dialect of a host application, see `drivers.mqtt.dialect.Dialect`; `now` is aware UTC, `monotonic` in seconds."""

    topics: tuple[str, ...] = ()
    wants_retained = False

    def __init__(
        self, settings: SparkplugSettings, *, now: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._now = now
        self._monotonic = monotonic
        self._nodes: dict[str, EdgeNode] = {}
        self._asked: dict[str, float] = {}
        self._online_ms = 0

    def will(self) -> Saying | None:
        """We are off line, said by the broker; it carries the time of the connection, as our word at its start does."""
        self._online_ms = _milliseconds(self._now())
        return self._state(online=False)

    def greeting(self) -> Sequence[Saying]:
        """We are on line; and the nodes are asked for their births."""
        state = self._state(online=True)
        nodes = dict.fromkeys((*self._settings.nodes, *self._nodes))
        asking = [self._ask(node) for node in nodes]
        return [*([] if state is None else [state]), *asking]

    def farewell(self) -> Sequence[Saying]:
        """We leave."""
        state = self._state(online=False)
        return () if state is None else (state,)

    def order(self, command: Command) -> Order:
        """Refuse: what a node's devices could do is not described by Sparkplug."""
        raise CommandRefused(f"a Sparkplug connection cannot do {command}")

    def hear(self, topic: str, body: bytes, *, retained: bool) -> Heard:  # noqa: ARG002 - one signature for all dialects
        """Understand a message, see `Dialect.hear`."""
        if host_of(topic) is not None:
            return Heard()
        place = parse_topic(topic)
        if place.type in COMMANDS:
            return Heard()
        node = self._nodes.get(place.node_id)
        if node is None:
            if len(self._nodes) >= MOST_NODES:
                raise MalformedInput("topic", f"more than {MOST_NODES} edge nodes")
            node = EdgeNode()
        outcome = node.hear(place, parse(body))
        self._nodes[place.node_id] = node
        if outcome.standing is Standing.ALIVE:
            self._asked.pop(place.node_id, None)
        ask = outcome.ask and self._may_ask(place.node_id)
        return Heard(
            readings=list(self._readings(place, outcome, topic, body)),
            replies=(self._ask(place.node_id),) if ask else (),
        )

    def _readings(
        self, place: SparkplugTopic, outcome: Outcome, topic: str, body: bytes
    ) -> Iterator[Reading]:
        for problem in (outcome.problem, *outcome.wrong):
            if problem is not None:
                yield _malformed(topic, body, problem)
        for device, metric in outcome.lost:
            if self._is_spot(metric):
                name, at = _name(place, device, metric), _instant(outcome.lost_ms)
                yield SpotReading(device=name, occupied=None, occurred_at=at, lost=True)
        for said in outcome.said:
            if self._is_spot(said.metric):
                yield self._spot(place, said, topic, body)

    def _spot(self, place: SparkplugTopic, said: Said, topic: str, body: bytes) -> Reading:
        name = _name(place, said.device, said.metric)
        try:
            occupied = None
            if said.value is not None:
                value = said.value.hex() if isinstance(said.value, bytes) else said.value
                occupied = answer_of(
                    value, said.metric, true=self._settings.true_values, false=self._settings.false_values
                )
            return SpotReading(
                device=name,
                occupied=occupied,
                key=said.key,
                occurred_at=_instant(said.timestamp_ms),
                lost=occupied is None,
            )
        except MalformedInput as wrong:
            return _malformed(topic, body, wrong)

    def _is_spot(self, metric: str) -> bool:
        return any(fnmatchcase(metric, pattern) for pattern in self._settings.spots)

    def _may_ask(self, node: str) -> bool:
        asked = self._asked.get(node)
        return asked is None or self._monotonic() - asked >= self._settings.ask_again_s

    def _ask(self, node: str) -> Saying:
        """Ask a node for its births, as it will do in a moment or never: it is asked again with its next message that we cannot follow."""
        self._asked[node] = self._monotonic()
        group, _, name = node.partition("/")
        now_ms = _milliseconds(self._now())
        rebirth = Metric(
            name=REBIRTH, timestamp_ms=now_ms, datatype=DataType.BOOLEAN, field="boolean_value", value=True
        )
        topic = SparkplugTopic(group=group, type=MessageType.NCMD, node=name)
        return Saying(
            topic=topic.text(), body=encode(Payload(timestamp_ms=now_ms, metrics=(rebirth,))), qos=0
        )

    def _state(self, *, online: bool) -> Saying | None:
        if self._settings.host_application is None:
            return None
        said = {"online": online, "timestamp": self._online_ms}
        topic = f"{NAMESPACE}/{STATE}/{self._settings.host_application}"
        return Saying(topic=topic, body=json.dumps(said).encode(), retain=True)


def _name(place: SparkplugTopic, device: str | None, metric: str) -> str:
    return "/".join(part for part in (place.group, place.node, device, metric) if part is not None)


def _milliseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


def _instant(milliseconds: int | None) -> datetime | None:
    if milliseconds is None:
        return None
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError as wrong:
        raise MalformedInput("timestamp", f"{milliseconds} is no time of day") from wrong


def _malformed(topic: str, body: bytes, wrong: MalformedInput) -> MalformedReading:
    return MalformedReading(device=topic, field=wrong.field, problem=wrong.problem, raw=body[:RAW_LIMIT])
