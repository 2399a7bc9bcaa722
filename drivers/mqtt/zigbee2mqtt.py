"""Zigbee2MQTT: spot sensors of a Zigbee network, by their friendly names.

[drivers.indoors]
kind = "zigbee2mqtt"
base = "zigbee2mqtt"            # the bridge's base_topic
sensors = ["spot-*"]            # friendly names of the sensors that watch a spot; other devices are passed over
closed_contact = "taken"        # what a closed contact means; left out: contacts are none of ours

Such messages carry no identity: at least once on the wire, and taking one twice changes nothing. The bridge publishes a device's whole
state each time and, where it is set to, retained: what is retained is the last that was heard, and no news of a device that is off line
(`availability` and state come in any order). It is asked for at each connection, so that a restart misses nothing. A sensor that is off line or removed, and each one while the bridge is off line, leaves its
spot unknown until it speaks. Set `mqtt.force_disable_retain: false` and QoS 1 in the bridge's `device_options`: with QoS 0 the broker
keeps nothing while we are away.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field

from drivers.errors import MalformedInput
from drivers.mqtt.client import ConnectionSettings, MqttSource
from drivers.mqtt.dialect import Heard, Listening
from drivers.mqtt.zigbee2mqtt_message import BASE, ZigbeeKind, ZigbeeMessage, read_message
from drivers.ports import Driver, SpotReading
from drivers.settings import read_settings

MOST_DEVICES = 5_000  # a Zigbee network holds some hundreds
TOLD = ("battery_pct", "battery_low", "temperature_c", "tamper")


class ZigbeeSettings(ConnectionSettings):
    """The table of a Zigbee2MQTT driver."""

    topics: tuple[str, ...] = Field(
        default=(), description="topic filters; left out: all that is below base", validate_default=False
    )
    base: str = Field(
        default=BASE, pattern=r"^[^+#]{1,128}$", description="the bridge's base_topic, without + and #"
    )
    sensors: tuple[str, ...] = Field(
        min_length=1, description='friendly names of spot sensors, such as ["spot-*"]'
    )
    closed_contact: Literal["taken", "free"] | None = Field(
        default=None, description='"taken" or "free": what a closed contact says of its spot'
    )


def make(name: str, settings: Mapping[str, object]) -> Driver:
    """Make the driver of one bridge, see `DriverFactory`."""
    table = read_settings(ZigbeeSettings, settings)
    if not table.topics:
        table = table.model_copy(update={"topics": (f"{table.base}/#",)})
    return MqttSource(name, table, ZigbeeNetwork(table))


class ZigbeeNetwork(Listening):
    """The dialect of one bridge."""

    wants_retained = True

    def __init__(self, settings: ZigbeeSettings) -> None:
        super().__init__(lambda _topic, _body: [])
        self._settings = settings
        self._heard: dict[str, datetime | None] = {}  # when it was last seen, by the bridge's clock
        self._offline: set[str] = set()
        self._bridge_online = True

    def hear(self, topic: str, body: bytes, *, retained: bool) -> Heard:
        """Understand a message, see `Dialect.hear`."""
        message = read_message(topic, body, base=self._settings.base)
        if message.kind is ZigbeeKind.BRIDGE_STATE:
            self._bridge_online = bool(message.flag("online"))
            return Heard(readings=() if self._bridge_online else [self._lost(name) for name in self._heard])
        if message.device is None or not self._is_sensor(message.device):
            return Heard()
        match message.kind:
            case ZigbeeKind.AVAILABILITY:
                return self._availability(message.device, online=bool(message.flag("online")))
            case ZigbeeKind.REMOVED:
                return self._removed(message.device)
            case ZigbeeKind.COMMAND:
                return Heard()
            case _:
                return self._state(message.device, message, retained=retained)

    def _is_sensor(self, device: str) -> bool:
        return any(fnmatchcase(device, pattern) for pattern in self._settings.sensors)

    def _availability(self, device: str, *, online: bool) -> Heard:
        if online:
            self._offline.discard(device)
            return Heard()
        self._note(device, self._heard.get(device))
        self._offline.add(device)
        return Heard(readings=(self._lost(device),))

    def _removed(self, device: str) -> Heard:
        self._offline.discard(device)
        lost = self._lost(device)
        self._heard.pop(device, None)
        return Heard(readings=(lost,))

    def _state(self, device: str, message: ZigbeeMessage, *, retained: bool) -> Heard:
        occupied = self._occupied(message)
        if occupied is None:
            return Heard()
        self._note(device, message.seen_at)
        if retained and (device in self._offline or not self._bridge_online):
            return Heard(readings=(self._lost(device),))
        self._offline.discard(device)
        told = {term: message.terms[term] for term in TOLD if message.terms.get(term) is not None}
        reading = SpotReading(device=device, occupied=occupied, occurred_at=message.seen_at, attributes=told)
        return Heard(readings=(reading,))

    def _occupied(self, message: ZigbeeMessage) -> bool | None:
        closed = message.flag("closed")
        if closed is not None and self._settings.closed_contact is not None:
            return closed is (self._settings.closed_contact == "taken")
        return message.flag("occupied")

    def _note(self, device: str, seen_at: datetime | None) -> None:
        if device not in self._heard and len(self._heard) >= MOST_DEVICES:
            raise MalformedInput("topic", f"more than {MOST_DEVICES} devices")
        self._heard[device] = seen_at

    def _lost(self, device: str) -> SpotReading:
        """Not heard since it was last seen: by the clock of what follows, or the next word might seem older than the loss."""
        return SpotReading(device=device, occupied=None, occurred_at=self._heard.get(device), lost=True)
