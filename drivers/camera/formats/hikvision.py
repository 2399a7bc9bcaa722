"""Hikvision: ISAPI EventNotificationAlert in XML, alone, in a form with its pictures, or as an alert stream.

Source: ISAPI's EventNotificationAlert as public receivers of it keep it; the namespace changes with the firmware. Confidence is 0 to 100;
a value below 1 with a decimal point is a share that some firmware sends. The camera's word for a plate that it could not read is "unknown".
A stream's sign of life is a video loss that is inactive.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from drivers.camera.parts import Part
from drivers.camera.sighting import Sighting, plate_or_none, stated_time
from drivers.camera.xml_body import child, every, local, number, read_xml, text_at, whole
from drivers.errors import UnknownFormat

ALERT = "EventNotificationAlert"


def decode(part: Part) -> list[Sighting]:
    """Understand one document."""
    root = read_xml(part.data)
    if local(root) != ALERT:
        raise UnknownFormat("XML", f"an {ALERT} is expected, not {local(root)[:64]}")
    kind = (text_at(root, "eventType") or "").upper()
    if kind != "ANPR":
        alive = kind == "VIDEOLOSS" and text_at(root, "eventState") == "inactive"
        return [Sighting(is_anpr=False, heartbeat=alive)]
    return [_sighting(root, child(root, "ANPR"))]


def _sighting(root: Element, anpr: Element | None) -> Sighting:
    time, occurred_at = stated_time(text_at(root, "dateTime"))
    said = text_at(anpr, "confidenceLevel")
    confidence = number(said)
    as_share = said is not None and "." in said and confidence is not None and confidence <= 1
    uuid = text_at(root, "UUID")
    terms: dict[str, object] = {
        "channel": whole(text_at(root, "channelID")),
        "uuid": uuid,
        "vehicle_type": text_at(anpr, "vehicleType"),
        "vehicle_color": text_at(anpr, "vehicleInfo", "color"),
        "list_type": text_at(anpr, "vehicleListName") or _list_type(root),
        "country_code": text_at(anpr, "country"),
        "picture_files": [name for info in every(root, "pictureInfo") if (name := text_at(info, "fileName"))],
        "confidence_raw": confidence,
    }
    return Sighting(
        written=plate_or_none(text_at(anpr, "licensePlate")),
        confidence=_whole_where_it_is(confidence),
        full=1.0 if as_share else 100.0,
        time=time,
        occurred_at=occurred_at,
        direction=text_at(anpr, "direction"),
        camera=text_at(root, "macAddress") or text_at(root, "deviceID") or text_at(root, "ipAddress"),
        lane=whole(text_at(anpr, "line") or text_at(anpr, "laneNo")),
        event_id=uuid if uuid is not None and len(uuid) >= 8 else None,
        terms={name: value for name, value in terms.items() if value not in (None, [])},
    )


def _list_type(root: Element) -> str | None:
    """Older firmware has it beside the vehicle, newer one calls it the list's name."""
    listed = next(every(root, "listType"), None)
    return text_at(listed)


def _whole_where_it_is(value: float | None) -> float | None:
    return int(value) if value is not None and value.is_integer() else value
