"""Makes the MQTT driver of a lot's table: which envelope, which decoder for which device.

[drivers.sensors]
kind = "mqtt"
topics = ["application/+/device/+/event/up"]
format = "chirpstack"                            # or "tts", or "json" with a [drivers.sensors.json] table
decoder = "bosch/tps110"                         # for devices that are named nowhere below
profiles = { "Parking, PNI" = "pni/placepod" }   # by the network server's profile
devices = { "a84041000181c061" = "dragino/ldds75" }   # by the device's EUI
occupied_within_mm = 1200                        # for sensors that measure a distance
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from drivers.errors import DriverMisconfigured, UnknownFormat
from drivers.mqtt.client import ConnectionSettings, MqttSource
from drivers.mqtt.decoded import Decoder
from drivers.mqtt.decoder_registry import decoder_of, devices
from drivers.mqtt.dialect import Listening, Translate
from drivers.mqtt.envelopes import ENVELOPES, Uplink, readings_of
from drivers.mqtt.plain_json import FALSE_VALUES, TRUE_VALUES, Answer, JsonMapping, Place, read_plain_json
from drivers.ports import Driver, Reading
from drivers.settings import DriverSettings, read_settings


class JsonSettings(DriverSettings):
    """Where a sensor's own JSON holds what; paths as in drivers/mqtt/plain_json.py."""

    device: str
    occupied: str
    true_values: tuple[Answer, ...] = TRUE_VALUES
    false_values: tuple[Answer, ...] = FALSE_VALUES
    key: str | None = None
    occurred_at: str | None = None
    attributes: dict[str, str] = Field(default={})

    def mapping(self) -> JsonMapping:
        """Return the mapping that these settings describe.

        Raises:
            ValueError: a path is none.
        """
        return JsonMapping(
            device=Place(self.device),
            occupied=Place(self.occupied),
            true_values=self.true_values,
            false_values=self.false_values,
            key=None if self.key is None else Place(self.key),
            occurred_at=None if self.occurred_at is None else Place(self.occurred_at),
            attributes={name: Place(path) for name, path in self.attributes.items()},
        )

    @model_validator(mode="after")
    def _paths_are_paths(self) -> JsonSettings:
        self.mapping()
        return self


class MqttSettings(ConnectionSettings):
    """The table of an MQTT driver."""

    format: Literal["chirpstack", "tts", "json"] = Field(description='"chirpstack", "tts" or "json"')
    decoder: str | None = Field(
        default=None, description="vendor/model of the devices that are named nowhere else"
    )
    profiles: dict[str, str] = Field(
        default={}, description="vendor/model by the network server's device profile"
    )
    devices: dict[str, str] = Field(default={}, description="vendor/model by device EUI or device name")
    occupied_within_mm: int | None = Field(
        default=None, gt=0, description="a distance sensor's spot is taken where something is as near as this"
    )
    json_places: JsonSettings | None = Field(
        default=None,
        alias="json",
        description='with format = "json": the paths of device and occupied, at least',
    )

    @model_validator(mode="after")
    def _json_has_its_places(self) -> MqttSettings:
        if (self.format == "json") is not (self.json_places is not None):
            raise ValueError('format = "json" and the table json belong together')
        return self


def make(name: str, settings: Mapping[str, object]) -> Driver:
    """Make the driver of one broker connection, see `DriverFactory`."""
    table = read_settings(MqttSettings, settings)
    translate = _plain(table.json_places.mapping()) if table.json_places else _enveloped(table)
    return MqttSource(name, table, Listening(translate))


def _plain(mapping: JsonMapping) -> Translate:
    def translate(topic: str, body: bytes) -> list[Reading]:
        return [read_plain_json(body, topic, mapping)]

    return translate


def _enveloped(table: MqttSettings) -> Translate:
    """Translate uplinks; the most particular name of a device decides: its EUI, its name, its profile, then all."""
    parse = ENVELOPES[table.format]
    by_device = {device.lower(): _decoder("devices", name) for device, name in table.devices.items()}
    by_profile = {profile: _decoder("profiles", name) for profile, name in table.profiles.items()}
    other = None if table.decoder is None else _decoder("decoder", table.decoder)

    def decoder(uplink: Uplink) -> Decoder:
        names = (uplink.device_eui, uplink.device_name)
        named = (by_device.get(name.lower()) for name in names if name is not None)
        found = next((each for each in named if each is not None), None) or by_profile.get(
            uplink.profile or "", other
        )
        if found is None:
            raise UnknownFormat(
                "device", f"no decoder is set for {uplink.device} of profile {uplink.profile!r}"
            )
        return found

    def translate(topic: str, body: bytes) -> list[Reading]:
        uplink = parse(body, topic)
        if not uplink.is_uplink:
            return []
        return [*readings_of(uplink, decoder(uplink), occupied_within_mm=table.occupied_within_mm)]

    return translate


def _decoder(field: str, name: str) -> Decoder:
    try:
        return decoder_of(name)
    except UnknownFormat as unknown:
        raise DriverMisconfigured(
            field, unknown.problem, f"choose one of {', '.join(devices())}"
        ) from unknown
