"""What a camera's request says: format by format, part by part. Next: drivers/camera/driver.py, edge/decode_formats/anpr.py.

A camera is set up for one format. A format is a module in `drivers/camera/formats/` that offers `decode`; the folder is the table.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drivers.camera import formats
from drivers.camera.parts import LARGEST_DOCUMENT_BYTES, Part, Picture, parts_of
from drivers.camera.sighting import Sighting
from drivers.errors import MalformedInput, UnknownFormat

Decode = Callable[[Part], list[Sighting]]
MOST_SIGHTINGS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """What one request said. `format` is the one that understood it."""

    format: str
    sightings: tuple[Sighting, ...]
    pictures: tuple[Picture, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The request as `lotgate decode` prints it: the first vehicle's words, then everything that came."""
        anpr = [sighting for sighting in self.sightings if sighting.is_anpr]
        first = next((sighting for sighting in anpr if sighting.written is not None), None)
        chosen = first or (anpr or self.sightings)[0]
        said: dict[str, object] = {"format": "anpr", "vendor": self.format, **chosen.as_json()}
        if self.pictures:
            said["images"] = len(self.pictures)
            said["image_names"] = [picture.name for picture in self.pictures]
            said["image_sizes"] = [picture.size for picture in self.pictures]
        said["heartbeats"] = sum(sighting.heartbeat for sighting in self.sightings)
        said["readings"] = [sighting.as_json() for sighting in anpr if sighting.written is not None]
        said["events"] = [sighting.as_json() for sighting in self.sightings]
        return said


def _found() -> dict[str, Decode]:
    modules = sorted(module.name for module in pkgutil.iter_modules(formats.__path__))
    return {name: importlib.import_module(f"{formats.__name__}.{name}").decode for name in modules}


_DECODERS = _found()


def names() -> Sequence[str]:
    """The formats that are known."""
    return tuple(_DECODERS)


def understand(name: str, content_type: str, body: bytes) -> Understood:
    """Everything that a request says, in order.

    Raises:
        MalformedInput: it is larger than 4 MiB, empty, or not what the format sends; names the part and the problem.
    """
    if len(body) > LARGEST_DOCUMENT_BYTES:
        raise MalformedInput("body", f"{len(body)} bytes, {LARGEST_DOCUMENT_BYTES} are allowed")
    decode = _DECODERS.get(name)
    if decode is None:
        raise UnknownFormat("format", f"{name!r} is none of {', '.join(names())}")
    documents, pictures = parts_of(content_type, body)
    sightings: list[Sighting] = []
    for part in documents:
        if part.data.strip():
            sightings += decode(part)
        if len(sightings) > MOST_SIGHTINGS:
            raise MalformedInput("body", f"more than {MOST_SIGHTINGS} events")
    if not sightings:
        raise MalformedInput("body", "it holds no document")
    return Understood(format=name, sightings=tuple(sightings), pictures=tuple(pictures))


def recognise(content_type: str, body: bytes) -> Understood:
    """The same for a body of which nobody said who sent it: the first format that knows it.

    Raises:
        MalformedInput: as `understand`; where no format knows it, the complaint of the one that came closest.
    """
    complaints: list[MalformedInput] = []
    for name in names():
        try:
            return understand(name, content_type, body)
        except MalformedInput as wrong:
            complaints.append(wrong)
    raise max(complaints, key=_closeness)


def _closeness(complaint: MalformedInput) -> int:
    """How far a format came: a stranger's document, one that cannot be read, one whose own field is wrong."""
    if isinstance(complaint, UnknownFormat):
        return 0
    return 1 if complaint.field in {"body", "XML"} else 2
