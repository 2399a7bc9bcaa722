"""One Sparkplug edge node as a host application sees it: whether it is alive, what its aliases mean, whether a message is missing.

Theory. A node is born (NBIRTH), then its devices are (DBIRTH); a birth declares each metric with name, type, present value and, mostly, an
alias, and data carry the alias alone. All messages of a node but its death are numbered 0 to 255, over and over. So a number that is not the
next one means that something was missed, and that may have been a birth that gave our aliases another meaning: from then on nothing of the
node is believed until it has been born again, for which we ask (`ASK`). The same with an alias that no birth declared. A birth tells all
present values, so nothing is lost by it but the seconds in between. What was known before a birth and is not told again by the births that
follow it, up to the first data, is gone: the message that was missed told of its death.

The broker tells of a node's death (NDEATH), by a will that the node left when it connected. Both carry `bdSeq`, the number of that
connection: a death whose number is not that of the last birth is of an earlier connection, and comes late.

A broker delivers again what it thinks we did not take: a message that is equal in number and time to one of the last 256 that were
believed is repeated, no gap.

Source: Eclipse Sparkplug 3.0.0, chapter 5 "Operational Behavior" and 6.4.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from drivers.errors import MalformedInput
from drivers.mqtt.sparkplug_payload import Metric, Payload, Value
from drivers.mqtt.sparkplug_topic import MessageType, SparkplugTopic

MOST_METRICS = 20_000
BD_SEQ = "bdSeq"


class Standing(StrEnum):
    """What we think of a node."""

    UNHEARD = "unheard"
    ALIVE = "alive"
    IN_DOUBT = "in_doubt"
    DEAD = "dead"


class NodeEvent(StrEnum):
    """What a message is to us."""

    BIRTH = "birth"
    NEXT = "next"
    REPEATED = "repeated"
    GAP = "gap"
    STRANGE = "strange"  # the next one, but of a metric or a device that no birth declared
    DEATH = "death"
    OLD_DEATH = "old_death"


class Effect(StrEnum):
    """What is done about it."""

    BEGIN = "begin"  # forget what was declared before
    LEARN = "learn"  # take what is declared, and who has died
    TAKE = "take"  # believe the values
    ASK = "ask"  # ask for a birth
    LOSE = "lose"  # nothing is known any more of what the node watched


_S, _E, _F = Standing, NodeEvent, Effect

TABLE: Mapping[tuple[Standing, NodeEvent], tuple[Standing, tuple[Effect, ...]]] = {
    (_S.UNHEARD, _E.BIRTH): (_S.ALIVE, (_F.BEGIN, _F.LEARN, _F.TAKE)),
    (_S.UNHEARD, _E.NEXT): (_S.UNHEARD, (_F.ASK,)),
    (_S.UNHEARD, _E.REPEATED): (_S.UNHEARD, (_F.ASK,)),
    (_S.UNHEARD, _E.GAP): (_S.UNHEARD, (_F.ASK,)),
    (_S.UNHEARD, _E.STRANGE): (_S.UNHEARD, (_F.ASK,)),
    (_S.UNHEARD, _E.DEATH): (_S.DEAD, ()),
    (_S.UNHEARD, _E.OLD_DEATH): (_S.DEAD, ()),
    (_S.ALIVE, _E.BIRTH): (_S.ALIVE, (_F.BEGIN, _F.LEARN, _F.TAKE)),
    (_S.ALIVE, _E.NEXT): (_S.ALIVE, (_F.LEARN, _F.TAKE)),
    (_S.ALIVE, _E.REPEATED): (_S.ALIVE, (_F.TAKE,)),
    (_S.ALIVE, _E.GAP): (_S.IN_DOUBT, (_F.ASK,)),
    (_S.ALIVE, _E.STRANGE): (_S.IN_DOUBT, (_F.TAKE, _F.ASK)),
    (_S.ALIVE, _E.DEATH): (_S.DEAD, (_F.LOSE,)),
    (_S.ALIVE, _E.OLD_DEATH): (_S.ALIVE, ()),
    (_S.IN_DOUBT, _E.BIRTH): (_S.ALIVE, (_F.BEGIN, _F.LEARN, _F.TAKE)),
    (_S.IN_DOUBT, _E.NEXT): (_S.IN_DOUBT, (_F.ASK,)),
    (_S.IN_DOUBT, _E.REPEATED): (_S.IN_DOUBT, (_F.TAKE, _F.ASK)),
    (_S.IN_DOUBT, _E.GAP): (_S.IN_DOUBT, (_F.ASK,)),
    (_S.IN_DOUBT, _E.STRANGE): (_S.IN_DOUBT, (_F.ASK,)),
    (_S.IN_DOUBT, _E.DEATH): (_S.DEAD, (_F.LOSE,)),
    (_S.IN_DOUBT, _E.OLD_DEATH): (_S.IN_DOUBT, ()),
    (_S.DEAD, _E.BIRTH): (_S.ALIVE, (_F.BEGIN, _F.LEARN, _F.TAKE)),
    (_S.DEAD, _E.NEXT): (_S.DEAD, (_F.ASK,)),
    (_S.DEAD, _E.REPEATED): (_S.DEAD, ()),
    (_S.DEAD, _E.GAP): (_S.DEAD, (_F.ASK,)),
    (_S.DEAD, _E.STRANGE): (_S.DEAD, (_F.ASK,)),
    (_S.DEAD, _E.DEATH): (_S.DEAD, (_F.LOSE,)),
    (_S.DEAD, _E.OLD_DEATH): (_S.DEAD, ()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A metric's value as it is now; `metric` is its name and `device` the device that has it, None for the node's own."""

    device: str | None
    metric: str
    value: Value
    timestamp_ms: int | None
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one message of a node meant."""

    event: NodeEvent
    standing: Standing
    said: tuple[Said, ...] = ()
    wrong: tuple[MalformedInput, ...] = ()  # values that do not fit their type; the others stand
    lost: tuple[tuple[str | None, str], ...] = ()  # device and metric
    lost_ms: int | None = (
        None  # when they were last heard, by the node's own clock, for that is the clock of what follows
    )
    ask: bool = False
    problem: MalformedInput | None = None  # why nothing is believed from here on


@dataclass(frozen=True, slots=True)
class _Declared:
    device: str | None
    name: str
    datatype: int | None


@dataclass(slots=True)
class EdgeNode:
    """Follows one edge node."""

    standing: Standing = Standing.UNHEARD
    _bd_seq: int | None = None
    _seq: int | None = None
    _spoke_ms: int | None = None
    _recent: deque[tuple[MessageType, int | None, int | None]] = field(
        default_factory=lambda: deque(maxlen=256)
    )
    _by_alias: dict[int, _Declared] = field(default_factory=dict)
    _by_name: dict[tuple[str | None, str], _Declared] = field(default_factory=dict)
    _born: set[str | None] = field(default_factory=set)
    _awaited: set[tuple[str | None, str]] = field(default_factory=set)

    def hear(self, topic: SparkplugTopic, payload: Payload) -> Outcome:
        """Take a birth, a death or data.

        Raises:
            MalformedInput: it has no sequence number where it needs one, or declares too much; nothing changed.
        """
        self._require(topic, payload)
        expected = self._seq
        event = self._event(topic, payload)
        before = self.standing
        self.standing, effects = TABLE[before, event]
        if event not in {NodeEvent.REPEATED, NodeEvent.DEATH, NodeEvent.OLD_DEATH}:
            self._note(topic, payload, believed=Effect.TAKE in effects)
        lost: tuple[tuple[str | None, str], ...] = ()
        said: tuple[Said, ...] = ()
        wrong: tuple[MalformedInput, ...] = ()
        for effect in effects:
            match effect:
                case Effect.BEGIN:
                    self._begin(payload)
                case Effect.LEARN:
                    lost = self._learn(topic, payload)
                case Effect.TAKE:
                    said, wrong = self._take(topic, payload)
                case Effect.LOSE:
                    lost = tuple(self._by_name)
                case Effect.ASK:
                    pass
        return Outcome(
            event=event,
            standing=self.standing,
            said=said,
            wrong=wrong,
            lost=lost,
            lost_ms=self._spoke_ms,
            ask=Effect.ASK in effects,
            problem=self._problem(topic, payload, event, expected) if before is Standing.ALIVE else None,
        )

    def _require(self, topic: SparkplugTopic, payload: Payload) -> None:
        if topic.type is not MessageType.NDEATH and payload.seq is None:
            raise MalformedInput("seq", "missing")
        declares = topic.type in {MessageType.NBIRTH, MessageType.DBIRTH}
        if declares and any(metric.name is None for metric in payload.metrics):
            raise MalformedInput("name", f"missing in a metric of a {topic.type}")
        if topic.type is MessageType.DBIRTH and len(self._by_name) + len(payload.metrics) > MOST_METRICS:
            raise MalformedInput("metrics", f"more than {MOST_METRICS} metrics of one node")

    def _event(self, topic: SparkplugTopic, payload: Payload) -> NodeEvent:
        if topic.type is MessageType.NDEATH:
            return NodeEvent.DEATH if _bd_seq(payload) == self._bd_seq else NodeEvent.OLD_DEATH
        spoken = (topic.type, payload.seq, payload.timestamp_ms)
        if payload.timestamp_ms is not None and spoken in self._recent:
            return NodeEvent.REPEATED
        if topic.type is MessageType.NBIRTH:
            return NodeEvent.BIRTH
        if self._seq is None or payload.seq != (self._seq + 1) % 256:
            return NodeEvent.GAP
        return NodeEvent.STRANGE if self._is_strange(topic, payload) else NodeEvent.NEXT

    def _is_strange(self, topic: SparkplugTopic, payload: Payload) -> bool:
        if topic.type is MessageType.DBIRTH:
            return False
        if topic.device not in self._born:
            return True
        return any(self._declared(topic, metric) is None for metric in payload.metrics)

    def _declared(self, topic: SparkplugTopic, metric: Metric) -> _Declared | None:
        if metric.alias is None:
            return self._by_name.get((topic.device, metric.name or ""))
        declared = self._by_alias.get(metric.alias)
        return declared if declared is not None and declared.device == topic.device else None

    def _note(self, topic: SparkplugTopic, payload: Payload, *, believed: bool) -> None:
        if topic.type is MessageType.NBIRTH:
            self._recent.clear()
        if believed:
            self._recent.append((topic.type, payload.seq, payload.timestamp_ms))
            self._spoke_ms = payload.timestamp_ms
        self._seq = payload.seq

    def _begin(self, payload: Payload) -> None:
        self._bd_seq = _bd_seq(payload)
        self._awaited = set(self._by_name)
        self._by_alias.clear()
        self._by_name.clear()
        self._born.clear()

    def _learn(self, topic: SparkplugTopic, payload: Payload) -> tuple[tuple[str | None, str], ...]:
        """Take in what a birth declares. Lost is what a device had that died, and what was known and no birth has told again."""
        if topic.type in {MessageType.NBIRTH, MessageType.DBIRTH}:
            self._forget(topic.device)
            self._declare(topic.device, payload)
            return ()
        lost, self._awaited = tuple(self._awaited), set()
        return (*lost, *self._forget(topic.device)) if topic.type is MessageType.DDEATH else lost

    def _declare(self, device: str | None, payload: Payload) -> None:
        self._born.add(device)
        for metric in payload.metrics:
            declared = _Declared(device, metric.name or "", metric.datatype)
            self._by_name[device, declared.name] = declared
            self._awaited.discard((device, declared.name))
            if metric.alias is not None:
                self._by_alias[metric.alias] = declared

    def _forget(self, device: str | None) -> tuple[tuple[str | None, str], ...]:
        gone = tuple(name for name in self._by_name if name[0] == device)
        for name in gone:
            del self._by_name[name]
        self._by_alias = {alias: each for alias, each in self._by_alias.items() if each.device != device}
        self._born.discard(device)
        return gone

    def _take(
        self, topic: SparkplugTopic, payload: Payload
    ) -> tuple[tuple[Said, ...], tuple[MalformedInput, ...]]:
        said: list[Said] = []
        wrong: list[MalformedInput] = []
        for metric, declared in self._understood(topic, payload):
            try:
                value = metric.read(declared.datatype)
            except MalformedInput as misfit:
                wrong.append(misfit)
                continue
            said.append(
                Said(
                    device=declared.device,
                    metric=declared.name,
                    value=value,
                    timestamp_ms=_spoken_ms(topic, payload, metric),
                    key=self._key(payload),
                )
            )
        return tuple(said), tuple(wrong)

    def _understood(self, topic: SparkplugTopic, payload: Payload) -> Iterator[tuple[Metric, _Declared]]:
        """Metrics with what they were declared as; what a node stored while it was off line is history and not its present state."""
        for metric in payload.metrics:
            declared = self._declared(topic, metric)
            if declared is not None and not metric.is_historical:
                yield metric, declared

    def _key(self, payload: Payload) -> str | None:
        """The message's own number: seq alone comes round after 256."""
        if payload.timestamp_ms is None:
            return None
        return f"{self._bd_seq}:{payload.timestamp_ms}:{payload.seq}"

    def _problem(
        self, topic: SparkplugTopic, payload: Payload, event: NodeEvent, last: int | None
    ) -> MalformedInput | None:
        if event is NodeEvent.GAP:
            return MalformedInput("seq", f"{payload.seq} came after {last}: a birth was asked for")
        if event is NodeEvent.STRANGE:
            strange = next((m for m in payload.metrics if self._declared(topic, m) is None), None)
            named = f"device {topic.device}" if strange is None else f"metric {strange.name or strange.alias}"
            return MalformedInput("metric", f"{named} is in no birth: a birth was asked for")
        return None


def _bd_seq(payload: Payload) -> int | None:
    metric = payload.named(BD_SEQ)
    value = None if metric is None else metric.read()
    return value if isinstance(value, int) else None


def _spoken_ms(topic: SparkplugTopic, payload: Payload, metric: Metric) -> int | None:
    """When the value was so: a birth says what is so when it is made, whenever it became so."""
    if topic.type in {MessageType.NBIRTH, MessageType.DBIRTH} or metric.timestamp_ms is None:
        return payload.timestamp_ms
    return metric.timestamp_ms
