"""Tattile: one flat message in XML.

Source: a public receiver's sample. Date and time stand apart and have no offset; the score is 0 to 100.
"""

from __future__ import annotations

from drivers.camera.parts import Part
from drivers.camera.sighting import Sighting, plate_or_none, stated_time
from drivers.camera.xml_body import local, number, read_xml, text_at, whole
from drivers.errors import UnknownFormat


def decode(part: Part) -> list[Sighting]:
    """Understand one document."""
    root = read_xml(part.data)
    if local(root) != "Msg":
        raise UnknownFormat("XML", f"a Msg is expected, not {local(root)[:64]}")
    day, clock = text_at(root, "DATE"), text_at(root, "TIME")
    time, occurred_at = stated_time(f"{day}T{clock}" if day and clock else None)
    direction = text_at(root, "DIRECTION")
    return [
        Sighting(
            written=plate_or_none(text_at(root, "PLATE_STRING")),
            confidence=number(text_at(root, "OCRSCORE")),
            time=time,
            occurred_at=occurred_at,
            direction=direction.lower() if direction else None,
            camera=text_at(root, "DEVICE_SN"),
            lane=whole(text_at(root, "LANE_ID")),
            country=text_at(root, "PLATE_COUNTRY_CODE"),
        )
    ]
