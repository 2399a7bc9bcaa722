"""Plate Recognizer: Stream's webhook and Snapshot's answer, JSON, alone or as the field `json` of a form with its picture.

Source: the vendor's documentation of webhooks as public receivers keep it. Scores are 0 to 1, plates are in small letters, regions are
ISO 3166 codes. An empty list of results is a frame in which no plate was found.
"""

from __future__ import annotations

from drivers.camera.json_part import number_or_none, object_of
from drivers.camera.parts import Part
from drivers.camera.sighting import Sighting, plate_or_none, stated_time
from drivers.errors import UnknownFormat
from drivers.mqtt.json_body import JsonObject

MOST_RESULTS = 64


def decode(part: Part) -> list[Sighting]:
    """Understand one document."""
    said = object_of(part)
    data = said.object("data") if said.has("data") else said
    if not data.has("results"):
        raise UnknownFormat("results", "missing: neither a webhook of Stream nor an answer of Snapshot")
    found = [result for _, result in zip(range(MOST_RESULTS), data.objects("results"), strict=False)]
    return [_sighting(data, result) for result in found] or [_sighting(data, None)]


def _sighting(data: JsonObject, result: JsonObject | None) -> Sighting:
    time, occurred_at = stated_time(data.label("timestamp"))
    file = data.label("filename")
    camera = data.label("camera_id")
    if result is None:
        return Sighting(time=time, occurred_at=occurred_at, camera=camera)
    plate = result.label("plate")
    vehicle = result.object("vehicle").label("type")
    return Sighting(
        written=plate_or_none(plate),
        confidence=number_or_none(result, "score"),
        full=1.0,
        time=time,
        occurred_at=occurred_at,
        country=result.object("region").label("code"),
        direction=result.label("direction"),
        camera=camera,
        event_id=None if file is None or time is None else f"{camera}/{file}@{time}",
        terms={} if vehicle is None else {"vehicle_type": vehicle},
    )
