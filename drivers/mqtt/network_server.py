"""A LoRaWAN network server over MQTT: uplinks become readings, orders become downlinks. Story "stuck sensor", next file: drivers/mqtt/envelopes.py.

Where a device is reached is learnt from its uplinks: the topic of its next downlink is that of its last word. A device that has said nothing
since we started cannot be told anything; it would not have listened anyhow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.errors import CommandRefused, DeviceUnreachable
from drivers.mqtt.decoder_registry import decoder_of, encoder_of
from drivers.mqtt.dialect import Heard, Listening, Order
from drivers.mqtt.downlink import DOWNLINKS, Downlink
from drivers.mqtt.envelopes import ENVELOPES, Uplink, readings_of
from drivers.ports import Command, TellSensor

MOST_DEVICES = 20_000


@dataclass(frozen=True, slots=True)
class _Reached:
    """How a device is reached: the topic of its uplinks, its EUI, and whose it is."""

    topic: str
    eui: str
    model: str


class NetworkServer(Listening):
    """The dialect of ChirpStack (`chirpstack`) or The Things Stack (`tts`)."""

    def __init__(
        self,
        format_name: str,
        *,
        model_of: Callable[[Uplink], str],
        new_key: Callable[[], str],
        downlinks: bool = False,
        occupied_within_mm: int | None = None,
    ) -> None:
        """`model_of` names the decoder of an uplink's device, or raises `UnknownFormat`; `new_key` makes a UUID for each downlink."""
        super().__init__(lambda _topic, _body: [])
        self._parse = ENVELOPES[format_name]
        self._words = DOWNLINKS[format_name]
        self._model_of = model_of
        self._new_key = new_key
        self._occupied_within_mm = occupied_within_mm
        self._downlinks = downlinks
        self._reached: dict[str, _Reached] = {}
        if downlinks:
            self.topics = self._words.topics

    def hear(self, topic: str, body: bytes, *, retained: bool) -> Heard:  # noqa: ARG002 - one signature for all dialects
        """Understand a message, see `Dialect.hear`."""
        uplink = self._parse(body, topic)
        if not uplink.is_uplink:
            return Heard(answers=list(self._words.answers(uplink.event, body)) if self._downlinks else ())
        model = self._model_of(uplink)
        if self._downlinks and topic.endswith(self._words.uplink_suffix):
            self._note(uplink, topic, model)
        return Heard(
            readings=readings_of(uplink, decoder_of(model), occupied_within_mm=self._occupied_within_mm)
        )

    def order(self, command: Command) -> Order:
        """Put a command into a downlink, see `Dialect.order`."""
        if not isinstance(command, TellSensor):
            raise CommandRefused(f"a network server cannot do {command}")
        if not self._downlinks:
            raise CommandRefused("downlinks are switched off: set downlinks = true in the driver's table")
        reached = self._reached.get(command.device.lower())
        if reached is None:
            raise DeviceUnreachable(f"{command.device} has said nothing since the driver started")
        key = self._new_key()
        downlink = self._downlink(command, reached.model)
        return Order(key=key, saying=self._words.down(reached.topic, reached.eui, key, downlink))

    def _downlink(self, command: TellSensor, model: str) -> Downlink:
        encode = encoder_of(model)
        try:
            downlink = None if encode is None else encode(command.order, command.seconds)
        except ValueError as wrong:
            raise CommandRefused(f"{command.order}: {wrong}") from wrong
        if downlink is None:
            raise CommandRefused(f"{model} knows no order {command.order}")
        return downlink

    def _note(self, uplink: Uplink, topic: str, model: str) -> None:
        device = uplink.device.lower()
        if device not in self._reached and len(self._reached) >= MOST_DEVICES:
            del self._reached[next(iter(self._reached))]
        self._reached[device] = _Reached(topic, uplink.device_eui or "", model)
