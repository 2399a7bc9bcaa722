"""A request's body as the parts that say something; pictures are counted and dropped.

Cameras send one document, or a multipart body with documents and pictures (RFC 2046: form-data, mixed, x-mixed-replace). The boundary
alone ends a part: a boundary's text within a picture does not, and a part's Content-Length is not believed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from drivers.errors import MalformedInput

# It warns of a wrong body byte by byte; the refusal says it once, with its field.
logging.getLogger("python_multipart").setLevel(logging.ERROR)

LARGEST_DOCUMENT_BYTES = 4 * 1024 * 1024
MOST_PARTS = 64
JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One document. `media_type` in small letters without parameters, `name` of its form field; each "" where it is not said."""

    media_type: str = ""
    name: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that came and was dropped."""

    name: str
    size: int


@dataclass(slots=True)
class _Collector:
    """Takes what the parser finds: documents are kept, of pictures only their size."""

    documents: list[Part] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    _headers: dict[str, bytes] = field(default_factory=dict)
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _pieces: list[bytes] = field(default_factory=list)
    _size: int = 0
    ended: bool = False

    def begin(self) -> None:
        if len(self.documents) + len(self.pictures) >= MOST_PARTS:
            raise MalformedInput("body", f"more than {MOST_PARTS} parts")
        self._headers, self._pieces, self._size = {}, [], 0

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[self._header.decode("latin-1").lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if not self._is_picture(data[start : start + 4]):
            self._pieces.append(data[start:end])

    def end(self) -> None:
        media_type, _ = parse_options_header(self._headers.get("content-type"))
        _, options = parse_options_header(self._headers.get("content-disposition"))
        name = options.get(b"name", b"").decode("latin-1")
        data = b"".join(self._pieces)
        if self._is_picture(data[:4]):
            filename = options.get(b"filename", b"").decode("latin-1")
            self.pictures.append(Picture(name=filename or name, size=self._size))
        else:
            self.documents.append(Part(media_type=media_type.decode("latin-1"), name=name, data=data))

    def finish(self) -> None:
        self.ended = True

    def _is_picture(self, head: bytes) -> bool:
        media_type = self._headers.get("content-type", b"").strip().lower()
        return media_type.startswith((b"image/", b"video/")) or (
            not self._pieces and head.startswith((JPEG, PNG))
        )


def parts_of(content_type: str, body: bytes) -> tuple[list[Part], list[Picture]]:
    """The documents of a body in order, and the pictures that came with them.

    Raises:
        MalformedInput: a multipart body that names no boundary, breaks its own rules, ends early or has more than 64 parts.
    """
    media_type, options = parse_options_header(content_type)
    if not media_type.startswith(b"multipart/"):
        return [Part(media_type=media_type.decode("latin-1"), data=body)], []
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise MalformedInput("Content-Type", "a multipart body without its boundary")
    found = _Collector()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": found.begin,
                "on_header_field": found.header_name,
                "on_header_value": found.header_value,
                "on_header_end": found.header_end,
                "on_part_data": found.data,
                "on_part_end": found.end,
                "on_end": found.finish,
            },
        )
        parser.write(body.lstrip(b"\r\n"))
    except FormParserError as wrong:
        raise MalformedInput("body", f"not multipart as it says: {wrong}") from wrong
    if not found.ended:
        raise MalformedInput("body", "the last boundary is missing: the body ends early")
    return found.documents, found.pictures
