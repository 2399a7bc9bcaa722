"""Where a Sparkplug message belongs: `spBv1.0/GROUP/TYPE/NODE[/DEVICE]`, and the state of a host application.

Source: Eclipse Sparkplug 3.0.0, chapter 4 "Topics and Messages"; 2.2 for the older `STATE/HOST`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from drivers.errors import MalformedInput
from drivers.mqtt.json_body import checked_text

NAMESPACE = "spBv1.0"
STATE = "STATE"


class MessageType(StrEnum):
    """What kind of message it is: N of the edge node, D of one of its devices."""

    NBIRTH = "NBIRTH"
    NDEATH = "NDEATH"
    NDATA = "NDATA"
    NCMD = "NCMD"
    DBIRTH = "DBIRTH"
    DDEATH = "DDEATH"
    DDATA = "DDATA"
    DCMD = "DCMD"


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkplugTopic:
    """Whose message it is; `device` is None for the edge node's own."""

    group: str
    type: MessageType
    node: str
    device: str | None = None

    @property
    def node_id(self) -> str:
        """The edge node's name: unique over all groups."""
        return f"{self.group}/{self.node}"

    def text(self) -> str:
        """The topic as it is published on."""
        end = "" if self.device is None else f"/{self.device}"
        return f"{NAMESPACE}/{self.group}/{self.type}/{self.node}{end}"


def parse_topic(topic: str) -> SparkplugTopic:
    """Read a topic.

    Raises:
        MalformedInput: it is none of Sparkplug B's.
    """
    levels = topic.split("/")
    if levels[0] != NAMESPACE:
        raise MalformedInput("topic", f"{topic[:60]!r} does not begin with {NAMESPACE}")
    if len(levels) not in {4, 5} or levels[2] not in set(MessageType):
        raise MalformedInput("topic", f"{topic[:60]!r} is not {NAMESPACE}/GROUP/TYPE/NODE[/DEVICE]")
    kind = MessageType(levels[2])
    if kind.startswith("D") is not (len(levels) == 5):
        raise MalformedInput("topic", f"{kind} names {'a' if kind.startswith('D') else 'no'} device")
    group, node, *device = (checked_text(level, "topic") for level in (levels[1], *levels[3:]))
    return SparkplugTopic(group=group, type=kind, node=node, device=device[0] if device else None)


def host_of(topic: str) -> str | None:
    """The host application whose state a topic carries; None where it is another topic."""
    levels = topic.split("/")
    if levels[0] == NAMESPACE:
        levels = levels[1:]
    return levels[1] if len(levels) == 2 and levels[0] == STATE else None
