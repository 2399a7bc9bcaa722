"""The table of a BLE receiver.

[drivers.ble-sensors]
kind = "ble"
adapter = "hci0"

[drivers.ble-sensors.devices.spot-17]
address = "A4:C1:38:8D:18:B2"
key_file = "${CREDENTIALS_DIRECTORY}/ble-spot-17"     # 32 hexadecimal digits, never in this file

[drivers.ble-sensors.devices.spot-18]
address = "A4:C1:38:8D:18:B3"
speech = "vendor"
vendor = "acme"
occupied_by = "car"

[drivers.ble-sensors.vendors.acme]
company = 0x0822
terms = { car = { at = 0, bit = 0 }, battery_v = { at = 1, size = 2, factor = 0.001 } }
"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from pydantic import Field, ValidationInfo, field_validator, model_validator

from drivers.ble.addresses import read_address
from drivers.ble.sightings import KnownDevice, Speech
from drivers.ble.vendor_data import Place, VendorLayout
from drivers.errors import DriverMisconfigured, MalformedInput
from drivers.key_file import read_key
from drivers.settings import DriverSettings


class PlaceSettings(DriverSettings):
    """Where a term is in a vendor's data, see `Place`."""

    at: int = Field(ge=0, le=250)
    size: int = Field(default=1, ge=1, le=8)
    big_endian: bool = False
    signed: bool = False
    bit: int | None = Field(default=None, ge=0, le=63)
    factor: float = 1


class VendorSettings(DriverSettings):
    """One vendor's frame, see `VendorLayout`."""

    company: int = Field(ge=0, le=0xFFFF)
    begins: str = Field(default="", pattern=r"^([0-9A-Fa-f]{2})*$")
    terms: dict[str, PlaceSettings] = Field(min_length=1)

    def layout(self) -> VendorLayout:
        """Return the layout that these settings describe."""
        terms = {name: Place(**place.model_dump()) for name, place in self.terms.items()}
        return VendorLayout(company=self.company, begins=bytes.fromhex(self.begins), terms=terms)


class DeviceSettings(DriverSettings):
    """One device; its name is what [[sensors]] calls it."""

    speech: Speech = Speech.BTHOME
    address: str | None = None
    beacon: str | None = None
    key_file: Path | None = None
    vendor: str | None = None
    occupied_by: str = "occupancy"
    inverted: bool = False
    counter_may_restart: bool = False

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, text: str | None) -> str | None:
        if text is not None:
            read_address(text)
        return text

    @field_validator("beacon")
    @classmethod
    def _is_a_beacon(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is None:
            return None
        uuid, *numbers = text.split("/")
        if len(numbers) != 2 or not all(number.isascii() and number.isdigit() for number in numbers):
            raise ValueError(f'{info.field_name} is "uuid/major/minor"')
        return "/".join([str(UUID(uuid)), *(str(int(number)) for number in numbers)])

    @model_validator(mode="after")
    def _belongs_together(self) -> DeviceSettings:
        if (self.speech is Speech.IBEACON) is not (self.beacon is not None):
            raise ValueError('speech = "ibeacon" and beacon belong together')
        if self.speech is not Speech.IBEACON and self.address is None:
            raise ValueError("address is missing")
        if (self.speech is Speech.VENDOR) is not (self.vendor is not None):
            raise ValueError('speech = "vendor" and vendor belong together')
        if self.key_file is not None and self.speech is not Speech.BTHOME:
            raise ValueError('key_file belongs to speech = "bthome"')
        return self


class BleSettings(DriverSettings):
    """What is listened to, and how long silence may last."""

    devices: dict[str, DeviceSettings] = Field(
        min_length=1,
        description=(
            'each device by the name that [[sensors]] uses: address (or, with speech = "ibeacon", beacon), speech '
            '("bthome", "ibeacon", "eddystone", "vendor"), key_file, vendor, occupied_by, inverted, counter_may_restart'
        ),
    )
    vendors: dict[str, VendorSettings] = Field(
        default={},
        description="each vendor's layout: company, begins, terms = { name = { at, size, bit, factor, … } }",
    )
    adapter: str | None = Field(
        default=None, pattern=r"^hci\d{1,2}$", description='"hci0", …; left out: the first that is on'
    )
    silent_s: float = Field(
        default=30,
        ge=0.1,
        le=3_600,
        description="seconds without any advertisement after which the scanner is restarted",
    )
    lost_s: float = Field(
        default=900, ge=0.1, le=604_800, description="seconds after which a device that is not heard is lost"
    )
    again_s: float = Field(
        default=300, ge=0, le=86_400, description="seconds after which an unchanged message is told again"
    )

    @model_validator(mode="after")
    def _vendors_exist(self) -> BleSettings:
        for name, device in self.devices.items():
            if device.vendor is not None and device.vendor not in self.vendors:
                raise ValueError(f"devices.{name} names vendor {device.vendor!r}, vendors does not")
        who = [device.beacon or (device.address or "").upper() for device in self.devices.values()]
        if len(set(who)) < len(who):
            raise ValueError("two devices share one address or beacon")
        return self

    def known_devices(self) -> list[KnownDevice]:
        """Return the devices with their keys.

        Raises:
            DriverMisconfigured: a key file holds no key.
        """
        return [self._known(name, device) for name, device in self.devices.items()]

    def _known(self, name: str, device: DeviceSettings) -> KnownDevice:
        return KnownDevice(
            name=name,
            speech=device.speech,
            address=None if device.address is None else read_address(device.address),
            beacon=device.beacon,
            key=None if device.key_file is None else _key(name, device.key_file),
            layout=None if device.vendor is None else self.vendors[device.vendor].layout(),
            occupied_by=device.occupied_by,
            inverted=device.inverted,
            counter_may_restart=device.counter_may_restart,
        )


def _key(name: str, file: Path) -> bytes:
    try:
        return read_key(file)
    except (OSError, MalformedInput) as wrong:
        fix = "name a file that the agent may read, with the device's 32 hexadecimal digits"
        raise DriverMisconfigured(f"devices.{name}.key_file", str(wrong), fix) from wrong
