"""What the simulation needs to know of a lot: read from the agent's own lot.toml, and from simulation.toml beside it.

The agent keeps only hashes of its devices' tokens; a simulated kiosk needs the token itself, which simulation.toml holds:

    [tokens]                     # by the name in [[devices]]
    kiosk-entry-1 = "…"
    [traffic]                    # optional
    factor = 1.0                 # 1.0: what the fitted car parks have for each space
    plates = 0.25
    back_outs = 0.01

lot.toml was checked by the agent (`lotgate edge check`); here it is only read.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from parking.lot import LaneKind, SpotType
from simulators.lot import Place, walks
from simulators.traffic import Demand
from simulators.wire.sensor_frames import FRAMES

SIDECAR = "simulation.toml"
SPOKEN = frozenset({"chirpstack", "tts"})
"""The network servers that simulators/radio.py stands for."""


class PlanRefused(Exception):
    """The lot cannot be simulated as it is configured; the message names the file, the table and what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraPlan:
    """A camera that pushes to the agent in its vendor's own words."""

    name: str
    token: str
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePlan:
    """One lane: its devices' names, and the tokens of those that speak to the local API. `camera` is set where a driver stands for it."""

    id: str
    kind: LaneKind
    barrier: str
    reader: str | None
    terminal: str | None
    kiosk_token: str | None
    camera_token: str | None
    camera: CameraPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BusPlan:
    """One RS-485 bus: where the agent opens it, and its units by name."""

    port: Path
    units: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorPlan:
    """One spot sensor: what it is, over which network server it is heard, and on which broker."""

    device: str
    spot: str
    model: str
    envelope: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LotPlan:
    """The whole lot."""

    id: str
    places: tuple[Place, ...]
    demand: Demand
    lanes: tuple[LanePlan, ...]
    buses: Mapping[str, BusPlan]
    readers: Mapping[str, Path]
    terminals: Mapping[str, Path]
    sensors: tuple[SensorPlan, ...]
    staff_token: str | None
    api_port_file: Path
    folder: Path


def read_plan(path: Path) -> LotPlan:
    """The plan of the lot in `path`.

    Raises:
        PlanRefused: a file is missing, is no TOML, or lacks what a simulation needs.
    """
    lot, sidecar = _toml(path), _toml(path.with_name(SIDECAR))
    folder = path.resolve().parent
    drivers: Mapping[str, Mapping[str, Any]] = lot.get("drivers", {})
    try:
        places = tuple(walks(_painted_by_level(lot)))
        traffic = sidecar.get("traffic", {})
        return LotPlan(
            id=lot["lot"]["id"],
            places=places,
            demand=Demand(spaces=len(places), timezone=ZoneInfo(lot["lot"]["timezone"]), **traffic),
            lanes=tuple(_lanes(lot, sidecar)),
            buses={
                name: BusPlan(port=folder / table["port"], units=table["units"])
                for name, table in drivers.items()
                if table["kind"] == "modbus_barrier"
            },
            readers=_ports(drivers, "serial_reader", folder),
            terminals=_ports(drivers, "payment_terminal", folder),
            sensors=tuple(_sensors(lot, drivers, folder)),
            staff_token=next(iter(_tokens(lot, sidecar, "staff", None)), None),
            api_port_file=folder / lot.get("api", {}).get("port_file", "api.port"),
            folder=folder,
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise PlanRefused(f"{path}: {type(wrong).__name__} {wrong}: run lotgate edge check first") from wrong


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as wrong:
        raise PlanRefused(f"{path}: {wrong}") from wrong


def _painted_by_level(lot: Mapping[str, Any]) -> dict[str, list[tuple[str, SpotType]]]:
    level_of = {zone["id"]: zone["level"] for zone in lot["zones"]}
    by_level: dict[str, list[tuple[str, SpotType]]] = {level: [] for level in level_of.values()}
    for table in lot["spots"]:
        kind = SpotType(table.get("type", SpotType.REGULAR))
        numbers = by_level[level_of[table["zone"]]]
        for entry in table["numbers"]:
            numbers += [(f"{table.get('prefix', '')}{number}", kind) for number in _range(entry)]
    return by_level


def _range(entry: str) -> Iterator[str]:
    first, dash, last = entry.partition("-")
    if not (dash and first.isdigit() and last.isdigit()):
        yield entry
        return
    for number in range(int(first), int(last) + 1):
        yield f"{number:0{len(first)}}"


def _lanes(lot: Mapping[str, Any], sidecar: Mapping[str, Any]) -> Iterator[LanePlan]:
    for lane in lot.get("lanes", ()):
        yield LanePlan(
            id=lane["id"],
            kind=LaneKind(lane["kind"]),
            barrier=lane["barrier"],
            reader=lane.get("reader"),
            terminal=lane.get("terminal"),
            kiosk_token=next(_tokens(lot, sidecar, "kiosk", lane["id"]), None),
            camera_token=next(_tokens(lot, sidecar, "camera", lane["id"]), None),
            camera=next(_cameras(lot, sidecar, lane["id"]), None),
        )


def _cameras(lot: Mapping[str, Any], sidecar: Mapping[str, Any], lane: str) -> Iterator[CameraPlan]:
    known, drivers = sidecar.get("tokens", {}), lot.get("drivers", {})
    for device in lot.get("devices", ()):
        name = device["name"]
        driver = drivers.get(name, {})
        if device.get("lane") == lane and driver.get("kind") == "plate_camera" and name in known:
            yield CameraPlan(name=name, token=known[name], format=driver["format"])


def _tokens(lot: Mapping[str, Any], sidecar: Mapping[str, Any], role: str, lane: str | None) -> Iterator[str]:
    known = sidecar.get("tokens", {})
    for device in lot.get("devices", ()):
        if device["role"] == role and device.get("lane") == lane and device["name"] in known:
            yield known[device["name"]]


def _ports(drivers: Mapping[str, Mapping[str, Any]], kind: str, folder: Path) -> dict[str, Path]:
    return {name: folder / table["port"] for name, table in drivers.items() if table["kind"] == kind}


def _sensors(
    lot: Mapping[str, Any], drivers: Mapping[str, Mapping[str, Any]], folder: Path
) -> Iterator[SensorPlan]:
    """Each sensor of the lot whose model an MQTT driver names, in its table `devices` or as the `decoder` of all others, and that can be simulated."""
    spot_of = {sensor["device"]: sensor["spot"] for sensor in lot.get("sensors", ())}
    if "sensors_file" in lot:
        with (folder / lot["sensors_file"]).open(newline="", encoding="utf-8") as file:
            spot_of |= {row["device"]: row["spot"] for row in csv.DictReader(file)}
    brokers = [table for table in drivers.values() if table["kind"] == "mqtt" and table["format"] in SPOKEN]
    named = {device for table in brokers for device in table.get("devices", {})}
    for table in brokers:
        models = dict(table.get("devices", {}))
        if "decoder" in table:
            models |= {device: table["decoder"] for device in spot_of if device not in named}
            named |= set(models)
        for device, model in models.items():
            if model not in FRAMES:
                continue
            yield SensorPlan(
                device=device,
                spot=spot_of[device],
                model=model,
                envelope=table["format"],
                host=table.get("host", "127.0.0.1"),
                port=table.get("port", 1883),
            )
