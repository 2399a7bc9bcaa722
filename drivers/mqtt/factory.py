"""Makes the MQTT driver of a lot's table: which envelope, which decoder for which device.

[drivers.sensors]
kind = "mqtt"
topics = ["application/+/device/+/event/up"]
format = "chirpstack"                            # or "tts", or "json" with a [drivers.sensors.json] table
decoder = "bosch/tps110"                         # for devices that are named nowhere below
profiles = { "Parking, PNI" = "pni/placepod" }   # by the network server's profile
devices = { "a84041000181c061" = "dragino/ldds75" }   # by the device's EUI
downlinks = true                                 # sensors may be told something (TellSensor)
occupied_within_mm = 1200                        # for sensors that measure a distance
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal
from uuid import uuid4

from pydantic import Field, model_validator

from drivers.errors import DriverMisconfigured, UnknownFormat
from drivers.mqtt.client import ConnectionSettings, MqttSource
from drivers.mqtt.decoder_registry import devices
from drivers.mqtt.dialect import Listening, Translate
from drivers.mqtt.envelopes import Uplink
from drivers.mqtt.network_server import NetworkServer
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
    downlinks: bool = Field(
        default=False, description="true: sensors may be told something; their answers are listened to"
    )
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
    if table.json_places:
        return MqttSource(name, table, Listening(_plain(table.json_places.mapping())))
    server = NetworkServer(
        table.format,
        model_of=_models(table),
        new_key=lambda: str(uuid4()),
        downlinks=table.downlinks,
        occupied_within_mm=table.occupied_within_mm,
    )
    return MqttSource(name, table, server)


def _plain(mapping: JsonMapping) -> Translate:
    def translate(topic: str, body: bytes) -> list[Reading]:
        return [read_plain_json(body, topic, mapping)]

    return translate


def _models(table: MqttSettings) -> Callable[[Uplink], str]:
    """Say whose a device is; its most particular name decides: its EUI, its name, its profile, then all."""
    by_device = {device.lower(): _known("devices", name) for device, name in table.devices.items()}
    by_profile = {profile: _known("profiles", name) for profile, name in table.profiles.items()}
    other = None if table.decoder is None else _known("decoder", table.decoder)

    def model_of(uplink: Uplink) -> str:
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

    return model_of


def _known(field: str, name: str) -> str:
    if name not in devices():
        raise DriverMisconfigured(field, f"{name!r} is unknown", f"choose one of {', '.join(devices())}")
    return name
