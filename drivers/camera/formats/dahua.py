"""Dahua: lines of the event manager, indexed lines of the snapshot manager, ITSAPI and RPC2 in JSON.

Sources: Dahua HTTP API (snapManager attachFileProc, eventManager attach), public receivers of ITSAPI's TollgateInfo and KeepAlive, and a public
capture of RPC2. Traps: `UTC` of RPC2 is the local wall clock read as if it were UTC, `RealUTC` is the instant; PTS is no clock; a
confidence is 0 to 255; events of other kinds carry a plate that is not theirs to tell.
"""

from __future__ import annotations

import re
from collections import defaultdict

from drivers.camera.json_part import number_or_none, object_of, whole_or_none
from drivers.camera.parts import Part
from drivers.camera.sighting import Sighting, plate_or_none, stated_time, unix_time
from drivers.camera.xml_body import whole
from drivers.errors import MalformedInput, UnknownFormat
from drivers.mqtt.json_body import JsonObject, read_object

LINE = re.compile(r"(?:Return)?Events\[([0-9]{1,3})\]\.([A-Za-z0-9_.\[\]]{1,100})=(.*)")
LARGEST_TEXT_BYTES = 256 * 1024
MOST_EVENTS = 64
FULL = 255.0


def decode(part: Part) -> list[Sighting]:
    """Understand one document."""
    if part.data.lstrip()[:1] == b"{":
        return _json(part)
    if len(part.data) > LARGEST_TEXT_BYTES:
        raise MalformedInput("body", f"{len(part.data)} bytes, {LARGEST_TEXT_BYTES} are allowed")
    try:
        text = part.data.decode().strip()
    except UnicodeDecodeError as wrong:
        raise MalformedInput("body", f"not UTF-8 at byte {wrong.start}") from wrong
    if text == "Heartbeat":
        return [Sighting(is_anpr=False, heartbeat=True)]
    if text.startswith("Code="):
        return [_managed(text)]
    return _indexed(text)


def _managed(text: str) -> Sighting:
    """`Code=…;action=…;index=…;data={…}`: one event of the event manager."""
    head, _, data = text.partition(";data=")
    code = head.partition(";")[0].removeprefix("Code=")
    if not _is_anpr(code):
        return Sighting(is_anpr=False)
    try:
        said = read_object(data.encode())
    except MalformedInput as wrong:
        raise MalformedInput("data", wrong.problem) from wrong
    return _event(said)


def _indexed(text: str) -> list[Sighting]:
    """`Events[0].TrafficCar.PlateNumber=…`: the fields of several events, one a line."""
    events: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for line in text.splitlines():
        field = LINE.fullmatch(line.strip())
        if field is None:
            continue
        events[int(field[1])][field[2].removeprefix("EventBaseInfo.")] = field[3].strip()
        if len(events) > MOST_EVENTS:
            raise MalformedInput("Events", f"more than {MOST_EVENTS} events")
    if not events:
        raise UnknownFormat("body", "neither an event of Dahua nor a sign of life")
    return [_fields(events[index]) for index in sorted(events)]


def _fields(said: dict[str, str]) -> Sighting:
    if not _is_anpr(said.get("Code", "")):
        return Sighting(is_anpr=False)
    time = _whole_or_none(said.get("RealUTC") or said.get("UTC"))
    terms = {"channel": whole(said.get("Channel")), "time_unix": time}
    return Sighting(
        written=plate_or_none(said.get("TrafficCar.PlateNumber")),
        occurred_at=unix_time(time),
        camera=_short(said.get("TrafficCar.MachineName")),
        lane=whole(said.get("Lane")),
        event_id=_id(said.get("GroupID"), time),
        terms={name: value for name, value in terms.items() if value is not None},
    )


def _json(part: Part) -> list[Sighting]:
    said = object_of(part)
    if said.has("Picture"):
        return [_tollgate(said.object("Picture"))]
    if said.has("Active"):
        return [Sighting(is_anpr=False, heartbeat=True)]
    if said.has("params"):
        return [
            _event(event.object("Data")) if _is_anpr(event.label("Code") or "") else Sighting(is_anpr=False)
            for _, event in zip(range(MOST_EVENTS), said.object("params").objects("eventList"), strict=False)
        ]
    raise UnknownFormat("body", "neither TollgateInfo nor KeepAlive nor an event stream of Dahua")


def _event(said: JsonObject) -> Sighting:
    """The fields of an event as the event manager and RPC2 have them."""
    car = said.object("TrafficCar")
    time = whole_or_none(said, "RealUTC") or whole_or_none(said, "UTC")
    local_time, _ = stated_time(said.label("LocaleTime"))
    directions = car.get("DrivingDirection")
    first = directions[0] if isinstance(directions, list) and directions else None
    terms = {
        "time_unix": time,
        "local_time": local_time,
        "vehicle_color": car.label("VehicleColor"),
    }
    return Sighting(
        written=plate_or_none(car.label("PlateNumber") or said.object("Object").label("Text")),
        occurred_at=unix_time(time) if said.has("RealUTC") else None,
        country=car.label("Country"),
        direction=_short(first) if isinstance(first, str) else None,
        camera=car.label("MachineName"),
        lane=whole_or_none(car, "Lane") if car.has("Lane") else whole_or_none(said, "Lane"),
        event_id=_id(whole_or_none(said, "GroupID") or whole_or_none(said, "EventID"), time),
        terms={name: value for name, value in terms.items() if value is not None},
    )


def _tollgate(picture: JsonObject) -> Sighting:
    """ITSAPI's TollgateInfo; its pictures are not looked at."""
    plate, snap = picture.object("Plate"), picture.object("SnapInfo")
    confidence = number_or_none(plate, "Confidence")
    time, occurred_at = stated_time(snap.label("AccurateTime"))
    terms = {
        "confidence_raw_255": confidence,
        "vehicle_type": picture.object("Vehicle").label("VehicleType"),
        "vehicle_color": picture.object("Vehicle").label("VehicleColor"),
    }
    return Sighting(
        written=None if plate.get("IsExist") is False else plate_or_none(plate.label("PlateNumber")),
        confidence=confidence,
        full=FULL,
        time=time,
        occurred_at=occurred_at,
        direction=snap.label("Direction"),
        camera=snap.label("DeviceID"),
        lane=whole_or_none(snap, "LaneNo"),
        terms={name: value for name, value in terms.items() if value is not None},
    )


def _is_anpr(code: str) -> bool:
    return code.startswith("Traffic")


def _whole_or_none(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 12 else None


def _short(text: str | None) -> str | None:
    return text if text and len(text) <= 64 and text.isprintable() else None


def _id(number: str | int | None, time: int | None) -> str | None:
    """A group's number starts anew with the camera; with its time it names the event."""
    text = _short(None if number is None else str(number))
    return None if text is None or time is None else f"{text}@{time}"
