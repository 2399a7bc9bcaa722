"""Sensors and gateways that publish JSON of their own making: a mapping in the lot's settings says where things are.

A place is a dotted path from the top of the body (`$.spot.state`, `$.spots[0].id`) or a level of the topic counted from 0
or, negative, from its end (`$topic[-1]`). Such messages carry no identity of their own, so a reading has a key only where the
mapping names a field that is different in each message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from drivers.errors import MalformedInput
from drivers.mqtt.json_body import checked_instant, checked_number, checked_text, kind_of, read_json
from drivers.ports import SpotReading

Answer = bool | int | float | str

TRUE_VALUES: tuple[Answer, ...] = (True, 1, "1", "true", "on", "yes", "occupied")
FALSE_VALUES: tuple[Answer, ...] = (False, 0, "0", "false", "off", "no", "free", "vacant", "empty")
STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<index>-?\d{1,6})\]")
TOPIC = "$topic"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is: `$.a.b[0]` in the body or `$topic[1]`.

    Raises:
        ValueError: the text is no such path.
    """

    text: str
    steps: tuple[str | int, ...] = field(init=False)

    def __post_init__(self) -> None:
        root = TOPIC if self.text.startswith(TOPIC) else "$"
        found = list(STEP.finditer(self.text, len(root)))
        if not self.text.startswith(root) or "".join(step[0] for step in found) != self.text[len(root) :]:
            raise ValueError(f"{self.text!r} is no path like $.spot.state or $topic[1]")
        steps = tuple(step["name"] or int(step["index"]) for step in found)
        if root == TOPIC and not (len(steps) == 1 and isinstance(steps[0], int)):
            raise ValueError(f"{self.text!r} must name one level of the topic, such as $topic[1]")
        object.__setattr__(self, "steps", steps)

    def look(self, body: object, topic: str) -> object:
        """The value there; None where the body has no such place."""
        value: object = topic.split("/") if self.text.startswith(TOPIC) else body
        for step in self.steps:
            if isinstance(step, str) and isinstance(value, dict):
                value = value.get(step)
            elif isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
                value = value[step]
            else:
                return None
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonMapping:
    """Where a sensor's words are, and which of its values mean that the spot is taken or free.

    Texts are compared without regard to case. A value in neither list is malformed: a state that nobody described must
    not become "free". `occurred_at` is RFC 3339 or seconds since 1970.
    """

    device: Place
    occupied: Place
    true_values: tuple[Answer, ...] = TRUE_VALUES
    false_values: tuple[Answer, ...] = FALSE_VALUES
    key: Place | None = None
    occurred_at: Place | None = None
    attributes: Mapping[str, Place] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for answer in self.true_values:
            if _is_one_of(answer, self.false_values):
                raise ValueError(f"{answer!r} is in true_values and in false_values")


def read_plain_json(body: bytes, topic: str, mapping: JsonMapping) -> SpotReading:
    """The reading in a message.

    Raises:
        MalformedInput: naming the place by its path and what is wrong there.
    """
    message = read_json(body)
    device = mapping.device.look(message, topic)
    if isinstance(device, int) and not isinstance(device, bool):
        device = str(device)
    key = None if mapping.key is None else mapping.key.look(message, topic)
    if isinstance(key, int | float) and not isinstance(key, bool):
        key = str(key)
    return SpotReading(
        device=_required_text(device, mapping.device),
        occupied=_occupied(mapping, mapping.occupied.look(message, topic)),
        key=None if mapping.key is None or key is None else checked_text(key, mapping.key.text),
        occurred_at=None if mapping.occurred_at is None else _instant(mapping.occurred_at, message, topic),
        attributes=_attributes(mapping, message, topic),
    )


def _required_text(value: object, place: Place) -> str:
    if value is None:
        raise MalformedInput(place.text, "missing")
    return checked_text(value, place.text)


def _occupied(mapping: JsonMapping, said: object) -> bool:
    if said is None:
        raise MalformedInput(mapping.occupied.text, "missing")
    if isinstance(said, bool | int | float | str):
        return answer_of(said, mapping.occupied.text, true=mapping.true_values, false=mapping.false_values)
    raise MalformedInput(mapping.occupied.text, f"a single value is expected, not {kind_of(said)}")


def answer_of(said: Answer, field: str, *, true: tuple[Answer, ...], false: tuple[Answer, ...]) -> bool:
    """Whether a value is one of those that mean taken.

    Raises:
        MalformedInput: it is in neither list.
    """
    if _is_one_of(said, true):
        return True
    if _is_one_of(said, false):
        return False
    raise MalformedInput(field, f"{str(said)[:40]!r} is in neither true_values nor false_values")


def _is_one_of(said: Answer, answers: tuple[Answer, ...]) -> bool:
    """Whether `said` is listed; true and 1 are different answers, as they are in JSON."""
    if isinstance(said, str):
        return any(isinstance(answer, str) and answer.casefold() == said.casefold() for answer in answers)
    return any(isinstance(said, bool) == isinstance(answer, bool) and said == answer for answer in answers)


def _instant(place: Place, message: object, topic: str) -> datetime | None:
    said = place.look(message, topic)
    if said is None:
        return None
    if isinstance(said, str):
        return checked_instant(said, place.text)
    seconds = checked_number(said, place.text)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as wrong:
        raise MalformedInput(place.text, f"{seconds} are no seconds since 1970") from wrong


def _attributes(mapping: JsonMapping, message: object, topic: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, place in mapping.attributes.items():
        said = place.look(message, topic)
        if isinstance(said, bool):
            found[name] = said
        elif isinstance(said, str):
            found[name] = checked_text(said, place.text)
        elif said is not None:
            found[name] = checked_number(said, place.text)
    return found
