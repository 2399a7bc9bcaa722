"""What an installer decided for one lot, as the agent uses it. `edge/lot_reading.py` makes it from a TOML file, and is its only maker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from parking.ids import LaneId, SpotId
from parking.lot import LaneKind, Lot
from parking.tariff import Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """The ledger's file and how much it may hold."""

    path: Path
    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudSettings:
    """The centre's address."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Where the local API listens; `port` 0 takes a free one, written to `port_file`."""

    host: str
    port: int
    port_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSettings:
    """Who may speak to the local API; a token is known by its SHA-256 in hex only."""

    name: str
    role: Literal["kiosk", "camera", "staff"]
    token_sha256: str
    lane: LaneId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings:
    """One lane and the devices that stand at it; time-outs in real seconds."""

    id: LaneId
    kind: LaneKind
    barrier: str
    reader: str | None = None
    terminal: str | None = None
    printer: str | None = None
    closing: Literal["agent", "controller"] = "agent"
    reader_side: Literal["left", "right", "down"] = "right"
    open_s: float = 6.0
    close_s: float = 6.0
    passage_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverSettings:
    """One driver instance: its table without `kind` is its own."""

    name: str
    kind: str
    own: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the agent is told. `key_file` is the unit's key, outside the ledger."""

    file: Path
    lot: Lot
    anti_passback: Literal["soft", "hard"]
    store: StoreSettings
    cloud: CloudSettings | None
    key_file: Path
    api: ApiSettings
    devices: tuple[DeviceSettings, ...]
    tariff: Tariff
    lanes: tuple[LaneSettings, ...]
    drivers: tuple[DriverSettings, ...]
    sensors: Mapping[str, SpotId]

    @property
    def cameras(self) -> Mapping[str, LaneId]:
        """Which lane each plate camera stands at, by its name: that of its driver, where it has one, and of its token."""
        return {
            device.name: device.lane
            for device in self.devices
            if device.role == "camera" and device.lane is not None
        }
