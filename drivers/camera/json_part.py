"""A camera's JSON document: the product's own suspicious reader, with room for the pictures that some cameras put into it as base64."""

from __future__ import annotations

from drivers.camera.parts import LARGEST_DOCUMENT_BYTES, Part
from drivers.camera.xml_body import number
from drivers.errors import UnknownFormat
from drivers.mqtt.json_body import JsonObject, read_object


def object_of(part: Part) -> JsonObject:
    """The document as one JSON object.

    Raises:
        MalformedInput: it is larger than 4 MiB, not JSON, or no object.
    """
    if not part.data.lstrip().startswith(b"{"):
        raise UnknownFormat("body", "not JSON: an object begins with {")
    return read_object(part.data, most_bytes=LARGEST_DOCUMENT_BYTES)


def number_or_none(said: JsonObject, key: str) -> float | None:
    """A number, which many cameras send as text; None where it is missing or none."""
    value = said.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return number(value) if isinstance(value, str) else value


def whole_or_none(said: JsonObject, key: str) -> int | None:
    """A whole number from 0; None where it is missing or none."""
    value = number_or_none(said, key)
    return int(value) if value is not None and 0 <= value < 2**53 and value == int(value) else None
