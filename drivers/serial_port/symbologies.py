"""What a scanner puts before a code to say which kind of code it saw, and what GS1 codes hold.

Sources: ISO/IEC 15424 (AIM identifiers: `]`, letter, modifier); Honeywell's table of code identifiers (one letter, only
where the scanner is set to send it); GS1 General Specifications (application identifiers, FNC1 sent as GS).
"""

from __future__ import annotations

import re

AIM = re.compile(r"\][A-Za-z][0-9A-Za-z]")
AIM_EXACT = {
    "]C1": "GS1-128",
    "]E0": "EAN-13",
    "]E4": "EAN-8",
    "]Q3": "GS1 QR",
    "]d2": "GS1 Data Matrix",
    "]e0": "GS1 DataBar",
}
AIM_LETTER = {
    "A": "Code 39",
    "C": "Code 128",
    "E": "EAN/UPC",
    "F": "Codabar",
    "G": "Code 93",
    "I": "Interleaved 2 of 5",
    "L": "PDF417",
    "Q": "QR",
    "U": "MaxiCode",
    "X": "other",
    "d": "Data Matrix",
    "e": "GS1 DataBar",
    "z": "Aztec",
}
HONEYWELL = {
    "D": "EAN-8",
    "I": "GS1-128",
    "a": "Codabar",
    "b": "Code 39",
    "d": "EAN-13",
    "e": "Interleaved 2 of 5",
    "i": "Code 93",
    "j": "Code 128",
    "r": "PDF417",
    "s": "QR",
    "w": "Data Matrix",
    "z": "Aztec",
}
GS1_SYMBOLOGIES = frozenset({"GS1-128", "GS1 QR", "GS1 Data Matrix", "GS1 DataBar"})
GROUP_SEPARATOR = "\x1d"
# application identifier: its name and its length, None where it runs to the next separator
GS1_ELEMENTS: dict[str, tuple[str, int | None]] = {
    "00": ("sscc", 18),
    "01": ("gtin", 14),
    "10": ("batch", None),
    "11": ("produced", 6),
    "15": ("best_before", 6),
    "17": ("expires", 6),
    "21": ("serial", None),
}


def aim_identifier(text: str) -> tuple[str, str] | None:
    """The AIM identifier at the head of `text` and the symbology it names; None where there is none that is known."""
    if not AIM.match(text):
        return None
    symbology = AIM_EXACT.get(text[:3]) or AIM_LETTER.get(text[1])
    return None if symbology is None else (text[:3], symbology)


def gs1_elements(text: str) -> dict[str, str]:
    """The elements of a GS1 code up to the first that is not described here."""
    elements: dict[str, str] = {}
    while (known := GS1_ELEMENTS.get(text[:2])) is not None:
        name, length = known
        if length is None:
            value, _, text = text[2:].partition(GROUP_SEPARATOR)
        else:
            value, text = text[2 : 2 + length], text[2 + length :].removeprefix(GROUP_SEPARATOR)
        if not value or (length is not None and len(value) < length):
            break
        elements[name] = value
    return elements
