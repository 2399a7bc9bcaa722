"""Reads a lot's TOML into settings, checks it as a whole, and names every fault with its line and its fix.

Paths that the agent writes (the ledger, the key, the port's file) are relative to ${STATE_DIRECTORY} where systemd gives one, else to the
TOML's folder; paths that it reads (tariff, sensors) are relative to the TOML's folder.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from edge.errors import SettingsProblem, SettingsRefused
from edge.lot_checks import check_cameras, check_devices, check_lanes
from edge.lot_file import WEEKDAYS, DriverTable, LaneTable, LotFile, PolicyTable
from edge.sensor_list import read_sensors
from edge.settings import (
    ApiSettings,
    CloudSettings,
    DeviceSettings,
    DriverSettings,
    LaneSettings,
    Settings,
    StoreSettings,
)
from edge.spot_numbers import numbered_spots
from edge.toml_lines import line_of, lines_of
from parking.errors import InvalidTariff
from parking.ids import LaneId, LotId, SpotId, ZoneId
from parking.lot import Lane, LaneKind, Lot, LotPolicy, OpeningHours, Zone
from parking.tariff import Tariff
from parking.tariff_document import parse_tariff

SYNTAX_LINE = " (at line "
Where = tuple[str | int, ...]


def read_settings_file(path: Path, environment: Mapping[str, str]) -> Settings:
    """The settings in `path`.

    Raises:
        SettingsRefused: with every problem that was found, in the order of the file.
    """
    text = _text(path)
    document = _document(path, text)
    reading = _Reading(path, text, environment)
    try:
        file = LotFile.model_validate(document)
    except ValidationError as refused:
        for error in refused.errors(include_url=False, include_context=False):
            reading.refuse_shape(error)
        raise reading.refused() from refused
    return reading.settings(file)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        problem = SettingsProblem(
            file=str(path),
            line=None,
            field="file",
            problem=f"{error.strerror}.",
            fix="name the lot's TOML with --config.",
        )
        raise SettingsRefused([problem]) from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        problem = SettingsProblem(
            file=str(path),
            line=line,
            field="file",
            problem="these bytes are no UTF-8.",
            fix="save the file as UTF-8.",
        )
        raise SettingsRefused([problem]) from error


def _document(path: Path, text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said, _, place = str(error).partition(SYNTAX_LINE)
        number = place.partition(",")[0]
        line = int(number) if number.isdigit() else text.count("\n") + 1
        problem = SettingsProblem(
            file=str(path),
            line=line,
            field="syntax",
            problem=f"{said}.",
            fix="write it as TOML wants it: key = value.",
        )
        raise SettingsRefused([problem]) from error


class _Reading:
    """One file on its way from tables to settings; collects what is wrong."""

    def __init__(self, path: Path, text: str, environment: Mapping[str, str]) -> None:
        self._path = path
        self._folder = path.resolve().parent
        self._state = (
            Path(environment["STATE_DIRECTORY"]) if environment.get("STATE_DIRECTORY") else self._folder
        )
        self._environment = environment
        self._lines = lines_of(text)
        self._problems: list[SettingsProblem] = []

    # What is wrong

    def refuse(self, where: Where, problem: str, fix: str) -> None:
        """Note one fault; lists are counted from 1 for people."""
        self._problems.append(
            SettingsProblem(
                file=str(self._path),
                line=line_of(self._lines, where),
                field=_named(where),
                problem=problem,
                fix=fix,
            )
        )

    def refuse_shape(self, error: Mapping[str, Any]) -> None:
        """Note a fault that the tables themselves found."""
        where = tuple(part for part in error["loc"] if part != "[key]")
        message = str(error["msg"]).removeprefix("Value error, ")
        given = error.get("input")
        if error["type"] == "missing":
            message = "is missing"
        elif error["type"] == "extra_forbidden":
            message = "is not known here"
        elif isinstance(given, (str, int, float)) and str(given) not in message:
            message = f"{given!r}: {message[0].lower()}{message[1:]}"
        self.refuse(where, f"{message}.", _fix(LotFile, where, unknown=error["type"] == "extra_forbidden"))

    def refused(self) -> SettingsRefused:
        """Everything that is wrong, in the order of the file."""
        return SettingsRefused(sorted(self._problems, key=lambda problem: problem.line or 0))

    # What it says

    def settings(self, file: LotFile) -> Settings:
        """The settings.

        Raises:
            SettingsRefused: something does not fit together.
        """
        tariff = self._tariff(file)
        lot = self._lot(file)
        sensors = {} if lot is None else self._sensors(file, lot)
        lanes = tuple(_lane(lane) for lane in file.lanes)
        check_lanes(file, self.refuse)
        check_devices(file, self.refuse)
        check_cameras(file, self.refuse)
        if self._problems or tariff is None or lot is None:
            raise self.refused()
        return Settings(
            file=self._path,
            lot=lot,
            anti_passback=file.policy.anti_passback,
            store=StoreSettings(
                path=self._written(file.store.path),
                max_bytes=file.store.max_bytes,
            ),
            cloud=None if file.cloud is None else CloudSettings(url=file.cloud.url),
            key_file=self._written("gateway.key" if file.cloud is None else file.cloud.key_file),
            api=ApiSettings(
                host=file.api.host, port=file.api.port, port_file=self._written(file.api.port_file)
            ),
            devices=tuple(
                DeviceSettings(
                    name=device.name,
                    role=device.role,
                    token_sha256=device.token_sha256,
                    lane=None if device.lane is None else LaneId(device.lane),
                )
                for device in file.devices
            ),
            tariff=tariff,
            lanes=lanes,
            drivers=tuple(
                DriverSettings(name=name, kind=table.kind, own=self._own(table))
                for name, table in file.drivers.items()
            ),
            sensors=sensors,
        )

    def _lot(self, file: LotFile) -> Lot | None:
        zone_ids = [zone.id for zone in file.zones]
        for index, zone in enumerate(zone_ids):
            if zone in zone_ids[:index]:
                self.refuse(("zones", index, "id"), f"{zone!r} stands twice.", "give each zone its own id.")
        spots, problems = numbered_spots(str(file.lot.id), file.spots, frozenset(zone_ids))
        for problem in problems:
            self.refuse(problem.where, problem.problem, problem.fix)
        if self._problems:
            return None
        return Lot(
            id=LotId(str(file.lot.id)),
            name=file.lot.name,
            timezone=ZoneInfo(file.lot.timezone),
            currency=file.lot.currency,
            latitude=file.lot.latitude,
            longitude=file.lot.longitude,
            address=file.lot.address,
            zones=tuple(
                Zone(id=ZoneId(z.id), level=z.level, kind=z.kind, enforced_by=z.enforced_by)
                for z in file.zones
            ),
            spots=spots,
            lanes=tuple(Lane(id=LaneId(lane.id), kind=LaneKind(lane.kind)) for lane in file.lanes),
            policy=_policy(file.policy),
            opening_hours=_hours(file),
        )

    def _tariff(self, file: LotFile) -> Tariff | None:
        where = ("tariff", "file")
        path = self._read(file.tariff.file)
        try:
            with path.open("rb") as opened:
                tariff = parse_tariff(tomllib.load(opened))
        except OSError as error:
            self.refuse(where, f"{path}: {error.strerror}.", "name the tariff's TOML, relative to this file.")
            return None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            self.refuse(where, f"{path}: {error}.", "write the tariff as TOML wants it.")
            return None
        except InvalidTariff as error:
            self.refuse(where, f"{path}: {error.field}: {error.problem}.", f"{error.fix}.")
            return None
        if tariff.currency != file.lot.currency:
            problem = f"the tariff is in {tariff.currency}, the lot takes {file.lot.currency}."
            self.refuse(where, problem, "use one currency for both.")
        return tariff

    def _sensors(self, file: LotFile, lot: Lot) -> Mapping[str, SpotId]:
        pairs: list[tuple[Where, str, str]] = [
            (("sensors", index), sensor.device, sensor.spot) for index, sensor in enumerate(file.sensors)
        ]
        by_number = {spot.number: spot.id for spot in lot.spots}
        if file.sensors_file is not None:
            pairs += self._listed_sensors(file.sensors_file)
        found: dict[str, SpotId] = {}
        for where, device, number in pairs:
            if number not in by_number:
                self.refuse(
                    (*where, "spot"), f"there is no spot {number!r}.", "use a number that [[spots]] paints."
                )
            elif device in found:
                self.refuse((*where, "device"), f"{device!r} stands twice.", "a sensor looks at one spot.")
            else:
                found[device] = by_number[number]
        return found

    def _listed_sensors(self, name: str) -> list[tuple[Where, str, str]]:
        path = self._read(name)
        where = ("sensors_file",)
        try:
            rows = read_sensors(path)
        except OSError as error:
            self.refuse(where, f"{path}: {error.strerror}.", "name a CSV file, relative to this file.")
            return []
        except ValueError as error:
            self.refuse(where, f"{path}: {error}.", "write the columns device and spot, one sensor a line.")
            return []
        return [(where, device, spot) for device, spot in rows]

    def _own(self, table: DriverTable) -> Mapping[str, Any]:
        return {key: self._expanded_within(value) for key, value in table.own.items()}

    def _expanded_within(self, value: Any) -> Any:
        """The value with every text in it expanded, however deep a driver's table is."""
        if isinstance(value, str):
            return self._expanded(value)
        if isinstance(value, Mapping):
            return {key: self._expanded_within(each) for key, each in value.items()}
        return [self._expanded_within(each) for each in value] if isinstance(value, list) else value

    def _read(self, name: str) -> Path:
        return self._folder / self._expanded(name)

    def _written(self, name: str) -> Path:
        return self._state / self._expanded(name)

    def _expanded(self, name: str) -> str:
        for variable in ("STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"):
            name = name.replace(f"${{{variable}}}", self._environment.get(variable, str(self._folder)))
        return name


def _policy(table: PolicyTable) -> LotPolicy:
    policy = LotPolicy(
        assumed_stay=timedelta(minutes=table.assumed_stay_min),
        extension_step=timedelta(minutes=table.extension_step_min),
        turnover_buffer=timedelta(minutes=table.turnover_buffer_min),
        early_arrival=timedelta(minutes=table.early_arrival_min),
        trouble_ahead=timedelta(minutes=table.trouble_ahead_min),
        overstay_factor_1e4=table.overstay_factor_1e4,
        when_full=table.when_full,
        stands_after=timedelta(seconds=table.stands_after_s),
        gone_after=timedelta(seconds=table.gone_after_s),
        exit_grace=timedelta(minutes=table.exit_grace_min),
        spare_spots=dict(table.spare_spots),
    )
    return policy if table.better_types is None else replace(policy, better_types=dict(table.better_types))


def _hours(file: LotFile) -> OpeningHours | None:
    if file.lot.opening_hours is None:
        return None
    return OpeningHours(
        by_weekday={WEEKDAYS.index(day): span for day, span in file.lot.opening_hours.items()}
    )


def _lane(lane: LaneTable) -> LaneSettings:
    return LaneSettings(
        id=LaneId(lane.id),
        kind=LaneKind(lane.kind),
        barrier=lane.barrier,
        reader=lane.reader,
        terminal=lane.terminal,
        printer=lane.printer,
        closing=lane.closing,
        reader_side=lane.reader_side,
        open_s=lane.timeouts.open_s,
        close_s=lane.timeouts.close_s,
        passage_s=lane.timeouts.passage_s,
    )


def _named(where: Where) -> str:
    """A path as people write it: lanes[2].barrier is that of the second lane."""
    text = ""
    for part in where:
        text += f"[{part + 1}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text or "file"


def _fix(model: type[BaseModel], where: Where, *, unknown: bool) -> str:
    """The description of the field that is wrong; the names that exist where it is not known."""
    fix = "see docs/configuration.md"
    here: type[BaseModel] | None = model
    for part in where:
        if here is None or isinstance(part, int):
            continue
        field = here.model_fields.get(part)
        if field is None:
            return f"use one of: {', '.join(here.model_fields)}." if unknown else f"{fix}."
        fix = field.description or fix
        here = _table_in(field.annotation)
    return f"{fix}."


def _table_in(annotation: Any) -> type[BaseModel] | None:
    """The table that a field's type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if (found := _table_in(inner)) is not None:
            return found
    return None


def place_of(path: Path, where: Where) -> int | None:
    """The line of a value in a file that was read before."""
    return line_of(lines_of(_text(path)), where)
