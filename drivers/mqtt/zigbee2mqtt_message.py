"""A message of Zigbee2MQTT: what a Zigbee device, or the bridge itself, says. Next: drivers/mqtt/zigbee2mqtt.py.

A device's state is published whole, each time, with whatever the device has (its `exposes`); any field may be null until it was first
reported. A friendly name may hold slashes and blanks, so a topic is read from both ends. `contact: true` means closed.

Sources: Zigbee2MQTT documentation, "MQTT topics and messages", "Device availability" (since 2.0 states are JSON, before they were bare
words: both are read) and "Exposes".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from drivers.errors import MalformedInput
from drivers.mqtt.json_body import JsonObject, checked_instant, checked_text, kind_of, read_object

BASE = "zigbee2mqtt"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONLINE, OFFLINE = "online", "offline"


class ZigbeeKind(StrEnum):
    """What a message is; of a device, the weightiest of what it says."""

    CONTACT = "contact"
    VIBRATION = "vibration"
    OCCUPANCY = "occupancy"
    EVENT = "event"
    STATE = "state"
    TELEMETRY = "telemetry"
    AVAILABILITY = "availability"
    REMOVED = "removed"
    COMMAND = "command"
    BRIDGE_STATE = "bridge_state"
    BRIDGE_EVENT = "bridge_event"
    BRIDGE_LOG = "bridge_log"
    BRIDGE_RESPONSE = "bridge_response"
    BRIDGE_INFO = "bridge_info"


# Fields of a device's state, and our words for them.
FLAGS = {
    "contact": "closed",
    "vibration": "vibration",
    "occupancy": "occupied",
    "tamper": "tamper",
    "battery_low": "battery_low",
}
NUMBERS = {
    "battery": "battery_pct",
    "temperature": "temperature_c",
    "humidity": "humidity",
    "angle": "angle",
}
RANK = {
    "closed": ZigbeeKind.CONTACT,
    "vibration": ZigbeeKind.VIBRATION,
    "occupied": ZigbeeKind.OCCUPANCY,
    "action": ZigbeeKind.EVENT,
    "state": ZigbeeKind.STATE,
    "states": ZigbeeKind.STATE,
}

Term = bool | int | float | str | Mapping[str, str] | None
_Read = Callable[[JsonObject, str], Term]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZigbeeMessage:
    """One message; `device` is the friendly name, None for the bridge's own. `seen_at` is when the device spoke, aware UTC."""

    kind: ZigbeeKind
    device: str | None = None
    terms: Mapping[str, Term] = field(default_factory=dict)
    seen_at: datetime | None = None

    def flag(self, term: str) -> bool | None:
        """A term that is true or false; None where it is absent or not known."""
        said = self.terms.get(term)
        return said if isinstance(said, bool) else None

    def as_json(self) -> dict[str, object]:
        """The message as `lotgate decode` prints it."""
        device = {} if self.device is None else {"device": self.device}
        time = {} if self.seen_at is None else {"time": _written(self.seen_at)}
        return {**device, "kind": self.kind.value, **self.terms, **time}


def read_message(topic: str, body: bytes, *, base: str = BASE) -> ZigbeeMessage:
    """Read a message that came on `topic`, below `base`.

    Raises:
        MalformedInput: naming the field and what is wrong with it.
    """
    if not topic.startswith(f"{base}/"):
        raise MalformedInput("topic", f"{topic[:60]!r} does not begin with {base}/")
    rest = topic[len(base) + 1 :]
    if rest.startswith("bridge/"):
        return _bridge(rest.removeprefix("bridge/"), body)
    name, _, last = rest.rpartition("/")
    if name and last in {"set", "get"}:
        return ZigbeeMessage(kind=ZigbeeKind.COMMAND, device=_name(name))
    command, marked, _ = rest.partition("/set/")
    if marked:  # one attribute of a device
        return ZigbeeMessage(kind=ZigbeeKind.COMMAND, device=_name(command))
    if name and last == "availability":
        return _availability(_name(name), body)
    return _device(_name(rest), body)


def _name(text: str) -> str:
    return checked_text(text, "topic")


def _bridge(what: str, body: bytes) -> ZigbeeMessage:
    if what == "state":
        return ZigbeeMessage(kind=ZigbeeKind.BRIDGE_STATE, terms={"online": _online(body)})
    if what == "logging":
        return ZigbeeMessage(kind=ZigbeeKind.BRIDGE_LOG)
    if what == "event":
        return ZigbeeMessage(kind=ZigbeeKind.BRIDGE_EVENT, terms={"type": read_object(body).text("type")})
    if what.startswith("response/"):
        status = read_object(body).text("status")
        return ZigbeeMessage(kind=ZigbeeKind.BRIDGE_RESPONSE, terms={"status": status})
    return ZigbeeMessage(kind=ZigbeeKind.BRIDGE_INFO)


def _availability(device: str, body: bytes) -> ZigbeeMessage:
    if not body:
        return ZigbeeMessage(kind=ZigbeeKind.REMOVED, device=device)
    return ZigbeeMessage(kind=ZigbeeKind.AVAILABILITY, device=device, terms={"online": _online(body)})


def _online(body: bytes) -> bool:
    word: object = body.decode(errors="replace")
    if body.startswith(b"{"):
        word = read_object(body).text("state")
    if word not in {ONLINE, OFFLINE}:
        raise MalformedInput("state", f"{str(word)[:40]!r} is neither {ONLINE} nor {OFFLINE}")
    return word == ONLINE


def _device(device: str, body: bytes) -> ZigbeeMessage:
    if not body:  # the retained state is cleared when a device is removed or renamed
        return ZigbeeMessage(kind=ZigbeeKind.REMOVED, device=device)
    said = read_object(body)
    terms: dict[str, Term] = {}
    for key, term in FLAGS.items():
        _put(terms, said, key, term, _flag)
    for key, term in NUMBERS.items():
        _put(terms, said, key, term, JsonObject.number)
    for key in ("action", "state"):
        if said.has(key) and isinstance(said.get(key), str):
            terms[key] = said.text(key)
    states = {
        key.removeprefix("state_"): value
        for key, value in said.items()
        if key.startswith("state_") and isinstance(value, str)
    }
    if states:
        terms["states"] = states
    kind = next((kind for term, kind in RANK.items() if term in terms), ZigbeeKind.TELEMETRY)
    return ZigbeeMessage(kind=kind, device=device, terms=terms, seen_at=_seen_at(said))


def _put(terms: dict[str, Term], said: JsonObject, key: str, term: str, read: _Read) -> None:
    if said.has(key):
        terms[term] = read(said, key)


def _flag(said: JsonObject, key: str) -> bool | None:
    value = said.get(key)
    if value is not None and not isinstance(value, bool):
        raise MalformedInput(key, f"true or false is expected, not {kind_of(value)}")
    return value


def _seen_at(said: JsonObject) -> datetime | None:
    """`last_seen`: RFC 3339, or milliseconds since 1970, as the bridge is set."""
    value = said.get("last_seen")
    if value is None:
        return None
    if isinstance(value, str):
        return checked_instant(value, "last_seen")
    milliseconds = said.number("last_seen") or 0
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError as wrong:
        raise MalformedInput("last_seen", f"{milliseconds} is no time of day") from wrong


def _written(at: datetime) -> str:
    spec = "milliseconds" if at.microsecond else "seconds"
    return at.isoformat(timespec=spec).replace("+00:00", "Z")
