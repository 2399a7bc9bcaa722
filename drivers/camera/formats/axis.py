"""Axis: License Plate Verifier's JSON, the publisher application's JSON, and VAPIX events in XML.

Sources: FF Group's JSON protocol of License Plate Verifier (numbers arrive as text, times as `20190123 154156000`, the offset is optional);
Axis' VAPIX documentation of its events; pandosme/acaps (publisher). A vehicle is told as new, again as it moves, and once more when it is
lost: only the first is a reading. Confidence is 0 to 1.
"""

from __future__ import annotations

import re

from drivers.camera.json_part import number_or_none, object_of, whole_or_none
from drivers.camera.parts import Part
from drivers.camera.sighting import Sighting, plate_or_none, stated_time, unix_time
from drivers.camera.xml_body import every, local, number, read_xml
from drivers.errors import UnknownFormat
from drivers.mqtt.json_body import JsonObject

PACKED_TIME = re.compile(r"(\d{4})(\d\d)(\d\d) (\d\d)(\d\d)(\d\d)(\d{3})(?:([+-]\d\d):?(\d\d))?")
NO_DIRECTION = frozenset({"unk", "unknown"})
NEW = "new"


def decode(part: Part) -> list[Sighting]:
    """Understand one document."""
    if part.data.lstrip()[:1] == b"<":
        return _events(part)
    said = object_of(part)
    if said.has("plateText"):
        return [_verified(said)]
    if said.has("plate") and said.has("topic"):
        return [_published(said)]
    raise UnknownFormat("body", "neither License Plate Verifier (plateText) nor publisher (topic, plate)")


def _verified(said: JsonObject) -> Sighting:
    state, car, camera = said.label("carState"), said.label("carID"), said.label("cameraId")
    packed = said.label("datetime")
    time, occurred_at = stated_time(_unpacked(packed))
    terms = {"car_state": state, "car_id": car, "time_text": packed}
    return Sighting(
        written=plate_or_none(said.label("plateUTF8") or said.label("plateText")),
        confidence=number_or_none(said, "plateConfidence"),
        full=1.0,
        time=time,
        occurred_at=occurred_at,
        country=said.label("plateCountry"),
        direction=_direction(said.label("carMoveDirection")),
        camera=camera,
        event_id=None if car is None or packed is None else f"{car}@{packed}",
        new=state in {None, NEW},
        terms=terms,
    )


def _published(said: JsonObject) -> Sighting:
    at_ms = whole_or_none(said, "timestamp")
    time, _ = stated_time(said.label("localTime"))
    camera = said.label("device")
    return Sighting(
        written=plate_or_none(said.label("plate")),
        time=time,
        occurred_at=unix_time(None if at_ms is None else at_ms / 1000),
        camera=camera,
        event_id=None if at_ms is None else f"{camera}@{at_ms}",
        terms={} if at_ms is None else {"time_unix_ms": at_ms},
    )


def _events(part: Part) -> list[Sighting]:
    root = read_xml(part.data)
    messages = [message for message in every(root, "Message") if "UtcTime" in message.attrib]
    if local(root) != "MetadataStream" or not messages:
        raise UnknownFormat("XML", f"a MetadataStream with messages is expected, not {local(root)[:64]}")
    sightings = []
    for message in messages:
        items = {
            item.attrib.get("Name", ""): item.attrib.get("Value", "")[:256]
            for item in every(message, "SimpleItem")
        }
        time, occurred_at = stated_time(_in_milliseconds(message.attrib["UtcTime"]))
        if "text" not in items and "lpText" not in items and "plate" not in items and "carID" not in items:
            sightings.append(Sighting(is_anpr=False))
            continue
        state, car = items.get("carState"), items.get("carID")
        terms = {"car_state": state, "car_id": car, "vehicle_color": items.get("vehicleColor")}
        sightings.append(
            Sighting(
                written=plate_or_none(items.get("text") or items.get("lpText") or items.get("plate")),
                confidence=number(items.get("lpConfidence")),
                full=1.0,
                time=time,
                occurred_at=occurred_at,
                country=items.get("country") or None,
                direction=_direction(items.get("carMoveDirection")),
                event_id=None if not car or time is None else f"{car}@{time}",
                new=state in {None, NEW},
                terms={name: value for name, value in terms.items() if value},
            )
        )
    return sightings


def _unpacked(text: str | None) -> str | None:
    packed = None if text is None else PACKED_TIME.fullmatch(text)
    if packed is None:
        return None
    year, month, day, hour, minute, second, milli, offset_h, offset_min = packed.groups()
    offset = f"{offset_h}:{offset_min}" if offset_h else ""
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}.{milli}{offset}"


def _in_milliseconds(text: str) -> str:
    """VAPIX writes six digits of which three are meant."""
    return re.sub(r"(\.\d{3})000(?=Z|[+-]|$)", r"\1", text[:64])


def _direction(text: str | None) -> str | None:
    return None if not text or text in NO_DIRECTION else text
