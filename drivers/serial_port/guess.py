"""Which style a line most likely is of, for whoever holds a capture and not the reader: `lotgate decode`. An agent never guesses.

The styles are not told apart by looking in every case (eight digits may be a card's number or a code), so this is a guess and is called one.
"""

from __future__ import annotations

import re

from drivers.serial_port.framing import ETX, STX
from drivers.serial_port.lines import FACILITY_AND_CARD, ReaderStyle

TAG = re.compile(rb"\x02([^\x02\x03]{0,16})\x03")
TAG_DIGITS = 12
NEARLY = 10  # so many hexadecimal digits of twelve: a tag with a wrong one rather than a code
HEX = frozenset(b"0123456789abcdefABCDEF")
WIEGAND_DIGITS = frozenset({7, 9})
UID_DIGITS = frozenset({8, 14, 20})


def likely_style(data: bytes) -> ReaderStyle:
    """The style of what a read brought; a code where nothing speaks for another."""
    if _is_counted(data):
        return ReaderStyle.EM4100_BINARY
    tag = TAG.search(data)
    if tag is not None:
        return ReaderStyle.EM4100 if _is_tag(tag[1].rstrip(b"\r\n")) else ReaderStyle.CODE
    line = re.split(rb"[\r\n]", data.lstrip(b"\r\n"), maxsplit=1)[0]
    if FACILITY_AND_CARD.fullmatch(line.decode("latin-1")):
        return ReaderStyle.WIEGAND_TEXT
    if HEX.issuperset(line) and len(line) in WIEGAND_DIGITS:
        return ReaderStyle.WIEGAND
    if HEX.issuperset(line) and len(line) in UID_DIGITS:
        return ReaderStyle.UID
    return ReaderStyle.CODE


def _is_counted(data: bytes) -> bool:
    """STX, the length, and ETX where the length says."""
    return len(data) > 1 and data[0] == STX and 5 <= data[1] <= len(data) and data[data[1] - 1] == ETX


def _is_tag(content: bytes) -> bool:
    digits = sum(byte in HEX for byte in content)
    return bool(content) and (digits == len(content) or (len(content) == TAG_DIGITS and digits >= NEARLY))
