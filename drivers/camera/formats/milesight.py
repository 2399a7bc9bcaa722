"""Milesight LPR: one flat JSON object with the picture as base64.

Source: a public webhook guide for these cameras; the camera has no offset, no confidence and no number of its events.
"""

from __future__ import annotations

from drivers.camera.json_part import object_of
from drivers.camera.parts import Part
from drivers.camera.sighting import Sighting, plate_or_none, stated_time
from drivers.errors import UnknownFormat
from drivers.mqtt.json_body import JsonObject

PICTURES = ("plate_image", "full_image", "vehicle_image", "evidence_image")
AS_BASE64 = ("/9j/", "iVBORw")  # how a JPEG's and a PNG's first bytes begin in base64


def decode(part: Part) -> list[Sighting]:
    """Understand one document."""
    said = object_of(part)
    if not said.has("plate"):
        raise UnknownFormat("plate", "missing: no event of a Milesight camera")
    time, occurred_at = stated_time(said.label("time"))
    direction = said.label("direction")
    terms = {
        "vehicle_type": said.label("vehicle_type"),
        "vehicle_color": said.label("vehicle_color"),
        **_pictures(said),
    }
    return [
        Sighting(
            written=plate_or_none(said.label("plate")),
            time=time,
            occurred_at=occurred_at,
            country=said.label("region"),
            direction=direction.lower() if direction else None,
            camera=said.label("device"),
            terms={name: value for name, value in terms.items() if value is not None},
        )
    ]


def _pictures(said: JsonObject) -> dict[str, object]:
    """How many pictures came along; they are looked at no further."""
    sent = [value for name in PICTURES if isinstance(value := said.get(name), str) and value]
    right = [value for value in sent if value.startswith(AS_BASE64)]
    return {"images": len(right), "image_base64_valid": len(right) == len(sent)} if sent else {}
