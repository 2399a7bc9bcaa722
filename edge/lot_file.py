"""The lot's TOML as an installer writes it: every table, every key, and what each may be. Next: edge/settings.py.

A field's description is the fix that a person is told where its value is wrong.
"""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any, Literal, Self
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from parking.lot import Enforcement, SpotType, ZoneKind

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_SPOTS = 20_000


class Table(BaseModel):
    """A table refuses what it does not know: a misspelt key must not silently mean its default."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _a_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone of the IANA list") from error
    return name


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Minutes = Annotated[int, Field(ge=0, le=10_080)]
Seconds = Annotated[float, Field(gt=0, le=600)]
NAME_FIX = "letters, digits, '-', '_' and '.', at most 63, beginning with a letter or digit"


class LotTable(Table):
    """[lot]: what the lot is and where."""

    id: UUID = Field(description="a UUID of this lot alone, such as uuidgen prints; it never changes")
    name: str = Field(min_length=1, max_length=200, description="the name that drivers know")
    timezone: Annotated[str, AfterValidator(_a_timezone)] = Field(description='such as "Europe/London"')
    currency: str = Field(
        pattern=r"^[A-Z]{3}$", description='three capital letters of ISO 4217, such as "GBP"'
    )
    latitude: float = Field(ge=-90, le=90, description="degrees north, -90 to 90")
    longitude: float = Field(ge=-180, le=180, description="degrees east, -180 to 180")
    address: str = Field(default="", max_length=500, description="street, number, town")
    opening_hours: (
        dict[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], tuple[time, time]] | None
    ) = Field(
        default=None,
        description='by weekday, such as mon = ["06:00", "22:00"]; a weekday that is absent is closed; leave all out for always',
    )


class PolicyTable(Table):
    """[policy]: the rules the lot is run by; civil minutes, and seconds where a name ends so."""

    assumed_stay_min: Minutes = Field(
        default=240, description="minutes that a walk-in is assumed to stay, such as 240"
    )
    extension_step_min: Minutes = Field(
        default=30, ge=1, description="minutes by which an open stay's claim grows"
    )
    turnover_buffer_min: Minutes = Field(default=15, description="minutes between two claims of one place")
    early_arrival_min: Minutes = Field(
        default=15, description="minutes before a booking at which it may come"
    )
    trouble_ahead_min: Minutes = Field(
        default=30, description="minutes before a booking at which it is looked whether it can be kept"
    )
    overstay_factor_1e4: int = Field(
        default=10_000,
        ge=10_000,
        le=100_000,
        description="what a car pays after its booking's end, in ten-thousandths of the price: 15000 is half as much again",
    )
    when_full: str = Field(
        default="",
        max_length=120,
        description='where a driver goes whose booking finds no free place, such as "Car park Nord, 200 m on the left"',
    )
    stands_after_s: Seconds = Field(
        default=60.0,
        description="without lanes: seconds that a space is occupied until a car stands there on record, such as 60",
    )
    gone_after_s: Seconds = Field(
        default=10.0, description="without lanes: seconds that it is free until that car has left, such as 10"
    )
    exit_grace_min: Minutes = Field(default=15, description="minutes between paying and leaving")
    spare_spots: dict[SpotType, Annotated[int, Field(ge=0, le=MOST_SPOTS)]] = Field(
        default={}, description="places of a type that are never sold, such as { regular = 3 }"
    )
    better_types: dict[SpotType, tuple[SpotType, ...]] | None = Field(
        default=None,
        description='where a promise may go when its type is full, such as { compact = ["regular"] }',
    )
    anti_passback: Literal["soft", "hard"] = Field(
        default="soft", description='"soft" lets a second entry in and says so, "hard" refuses it'
    )


class StoreTable(Table):
    """[store]: the ledger's file."""

    path: str = Field(
        default="ledger.sqlite", min_length=1, description="the ledger's file, made where it is missing"
    )
    max_bytes: int = Field(
        default=2_000_000_000, ge=1_000_000, description="bytes that the ledger may hold, at least 1000000"
    )


class CloudTable(Table):
    """[cloud]: the centre. Leave the table out for a lot that has none."""

    url: str = Field(
        pattern=r"^wss?://", description="begins with wss:// (or ws:// in a test), ends with /api/v1/link"
    )
    key_file: str = Field(
        default="gateway.key", min_length=1, description="the unit's key, made by lotgate edge enrol"
    )


class ApiTable(Table):
    """[api]: where kiosks, cameras and the status page reach the agent."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="an address of this computer; 0.0.0.0 for all"
    )
    port: int = Field(default=0, ge=0, le=65_535, description="0 takes a free one and writes it to port_file")
    port_file: str = Field(default="api.port", min_length=1, description="where the port taken is written")


class DeviceTable(Table):
    """[[devices]]: who may speak to the local API."""

    name: Name = Field(description=NAME_FIX)
    role: Literal["kiosk", "camera", "staff"] = Field(description='"kiosk", "camera" or "staff"')
    lane: str | None = Field(default=None, description="the lane that a kiosk or camera stands at")
    token_sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        description="64 hex digits: printf %s TOKEN | sha256sum; the token itself stays out of this file",
    )

    @model_validator(mode="after")
    def _stands_somewhere(self) -> Self:
        if (self.lane is None) is not (self.role == "staff"):
            raise ValueError("a kiosk or camera names its lane, staff does not")
        return self


class TariffTable(Table):
    """[tariff]: what a stay costs until the centre says otherwise."""

    file: str = Field(min_length=1, description="a tariff's TOML (docs/tariffs.md), relative to this file")


class ZoneTable(Table):
    """[[zones]]: a part of one level."""

    id: Name = Field(description=NAME_FIX)
    level: str = Field(
        min_length=1, max_length=64, description='the level as its signs say, such as "0" or "roof"'
    )
    kind: ZoneKind = Field(default=ZoneKind.FREE_CHOICE, description='"free_choice" or "assigned"')
    enforced_by: Enforcement | None = Field(
        default=None,
        description='of an assigned zone: "sign", "lamp", "bollard", "nested_gate" or "attendant"',
    )

    @model_validator(mode="after")
    def _is_enforced(self) -> Self:
        if (self.kind is ZoneKind.ASSIGNED) is not (self.enforced_by is not None):
            raise ValueError("an assigned zone names enforced_by, a free_choice zone does not")
        return self


class SpotsTable(Table):
    """[[spots]]: painted places of one type in one zone."""

    zone: str = Field(description="the id of one of the [[zones]]")
    type: SpotType = Field(default=SpotType.REGULAR, description=f"one of {', '.join(SpotType)}")
    prefix: str = Field(default="", max_length=16, description='put before every number, such as "A-"')
    numbers: tuple[Annotated[str, StringConstraints(pattern=r"^(\d{1,6}-\d{1,6}|.{1,32})$")], ...] = Field(
        min_length=1, description='single numbers and ranges, such as ["001-120", "200"]'
    )


class TimeoutsTable(Table):
    """lanes.timeouts: real seconds."""

    open_s: Seconds = Field(default=6.0, description="seconds the arm may take up, such as 6")
    close_s: Seconds = Field(
        default=6.0, description="seconds the arm may take down, a closing controller's own waiting included"
    )
    passage_s: Seconds = Field(default=30.0, description="seconds a vehicle may take to pass, such as 30")


class LaneTable(Table):
    """[[lanes]]: one way through a barrier, and the devices that stand at it."""

    id: Name = Field(description=NAME_FIX)
    kind: Literal["entry", "exit"] = Field(description='"entry" or "exit"')
    barrier: str = Field(min_length=1, description="the name of a unit of a barrier driver")
    reader: str | None = Field(default=None, description="the name of a reader's driver")
    terminal: str | None = Field(default=None, description="the name of a payment terminal's driver")
    printer: str | None = Field(default=None, description="the name of a ticket printer's driver")
    closing: Literal["agent", "controller"] = Field(
        default="agent", description='"agent": we close; "controller": it closes by itself, we only open'
    )
    reader_side: Literal["left", "right", "down"] = Field(
        default="right", description='where the driver finds the reader: "left", "right" or "down"'
    )
    timeouts: TimeoutsTable = Field(
        default=TimeoutsTable(), description="open_s, close_s, passage_s in seconds"
    )


class DriverTable(BaseModel):
    """[drivers.NAME]: one piece of hardware; all keys but `kind` are the driver's own."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(min_length=1, description='the kind of driver, such as "mqtt" or "modbus_barrier"')

    @property
    def own(self) -> dict[str, Any]:
        """The driver's own settings."""
        return dict(self.model_extra or {})


class SensorTable(Table):
    """[[sensors]]: which sensor looks at which spot."""

    device: str = Field(min_length=1, max_length=128, description="the sensor's id as the wire has it")
    spot: str = Field(min_length=1, description="the painted number, prefix included")


class LotFile(Table):
    """The whole file."""

    lot: LotTable = Field(
        description="a table [lot] with id, name, timezone, currency, latitude and longitude"
    )
    policy: PolicyTable = Field(default=PolicyTable(), description="a table [policy]")
    store: StoreTable = Field(default=StoreTable(), description="a table [store]")
    cloud: CloudTable | None = Field(default=None, description="a table [cloud] with url")
    api: ApiTable = Field(default=ApiTable(), description="a table [api]")
    devices: tuple[DeviceTable, ...] = Field(default=(), description="tables [[devices]]")
    tariff: TariffTable = Field(description="a table [tariff] with file")
    zones: tuple[ZoneTable, ...] = Field(min_length=1, description="at least one table [[zones]]")
    spots: tuple[SpotsTable, ...] = Field(min_length=1, description="at least one table [[spots]]")
    lanes: tuple[LaneTable, ...] = Field(default=(), description="tables [[lanes]]")
    drivers: dict[Name, DriverTable] = Field(default={}, description="tables [drivers.NAME] with kind")
    sensors: tuple[SensorTable, ...] = Field(
        default=(), description="tables [[sensors]] with device and spot"
    )
    sensors_file: str | None = Field(default=None, description="a CSV file with the columns device and spot")
