"""A camera's XML read with suspicion: no document types, no entities, bounded, and names without their namespaces.

Vendors change a document's namespace from firmware to firmware and say the same things in it, so elements are found by their own name.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from drivers.errors import MalformedInput, UnknownFormat

LARGEST_XML_BYTES = 256 * 1024
LONGEST_TEXT = 256


def read_xml(data: bytes) -> Element:
    """The root of a document.

    Raises:
        MalformedInput: it is larger than 256 KiB, not well formed, or declares a document type.
    """
    if len(data) > LARGEST_XML_BYTES:
        raise MalformedInput("XML", f"{len(data)} bytes, {LARGEST_XML_BYTES} are allowed")
    if not data.lstrip().removeprefix(b"\xef\xbb\xbf").startswith(b"<"):
        raise UnknownFormat("XML", "not XML: it does not begin with <")
    try:
        root: Element = fromstring(data.strip(), forbid_dtd=True)
    except DefusedXmlException as refused:
        raise MalformedInput("XML", "document type declarations and entities are refused") from refused
    except ParseError as wrong:
        raise MalformedInput("XML", f"not well formed: {wrong}") from wrong
    except (ValueError, LookupError) as wrong:  # an encoding that nobody has
        raise MalformedInput("XML", f"not well formed: {wrong}") from wrong
    return root


def local(element: Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def every(root: Element, name: str) -> Iterator[Element]:
    """The elements called `name` at any depth, the document's order."""
    return (element for element in root.iter() if local(element) == name)


def child(parent: Element | None, name: str) -> Element | None:
    """The first child called `name`."""
    if parent is None:
        return None
    return next((element for element in parent if local(element) == name), None)


def text_at(parent: Element | None, *path: str) -> str | None:
    """The text at a path of children; None where it is missing, empty or no short printable text."""
    element = parent
    for name in path:
        element = child(element, name)
    text = "" if element is None or element.text is None else element.text.strip()
    return text if text and len(text) <= LONGEST_TEXT and text.isprintable() else None


def whole(text: str | None) -> int | None:
    """A whole number of at most nine digits; None for all else."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 9 else None


def number(text: str | None) -> float | None:
    """A finite decimal number; None for all else."""
    try:
        value = float(text) if text is not None and len(text) <= 32 else None
    except ValueError:
        return None
    return value if value is not None and abs(value) < 1e9 else None
