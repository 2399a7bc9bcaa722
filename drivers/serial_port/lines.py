"""What line-oriented readers say. Story "pass at the lane", next file: edge/translation.py.

Codes are scanned, cards are held to the reader. A reader is set up for one style; the styles cannot be told apart by
looking (`04A1B2C3` is a card's number to one reader and a Wiegand word to another), so the lot's settings name it. The
text of a code is passed on as it was scanned and never stripped: base45, in which our tickets are written, contains
spaces.

Sans-IO: bytes in, readings out, independent of read boundaries (see framing.py).

Sources: RDM6300 and ID-12 data sheets (STX, ten hexadecimal digits, their XOR in two more, ETX; some put CR LF before
ETX); a counted binary frame with block check of EM4100 readers; Wiegand 26 and 34 (even parity over the first half, odd
over the second); factory settings of Honeywell and Datalogic scanners (suffix CR, or STX and ETX around).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from operator import xor

from drivers.errors import MalformedInput
from drivers.ports import CodeReading, MalformedReading
from drivers.serial_port.framing import CR, ETX, LF, Broken, CountedFramer, DelimitedFramer, Framer
from drivers.serial_port.symbologies import GS1_SYMBOLOGIES, HONEYWELL, aim_identifier, gs1_elements
from drivers.serial_port.wrapping import BARE, Wrapping
from drivers.wiegand import read_wiegand

HEX = re.compile(r"[0-9A-Fa-f]+")
FACILITY_AND_CARD = re.compile(r"([0-9]{1,5}),([0-9]{1,5})")
CONTROLS_IN_CODES = frozenset(
    "\t\x04\x1c\x1d\x1e\x1f"
)  # separators that ISO/IEC 15434 and GS1 put into codes
UID_DIGITS = (8, 14, 20)  # ISO/IEC 14443-3: 4, 7 or 10 bytes
EM4100_CARD = 2


class ReaderStyle(StrEnum):
    """How a reader talks."""

    CODE = "code"
    EM4100 = "em4100"
    EM4100_BINARY = "em4100-binary"
    WIEGAND = "wiegand"
    WIEGAND_TEXT = "wiegand-text"
    UID = "uid"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderTalk:
    """How one reader is set up: its style, what it puts around a line, whether a code identifier letter leads, what it sends for a failed trigger."""

    style: ReaderStyle = ReaderStyle.CODE
    wrapping: Wrapping = BARE
    code_id: bool = False
    no_read: tuple[str, ...] = ("NOREAD", "NR")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRead:
    """The reader was triggered and saw nothing: it lives, and there is no code."""

    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scan:
    text: str
    symbology: str | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)


Heard = CodeReading | MalformedReading | NoRead


class LineReader:
    """Understands the stream of one reader."""

    def __init__(self, device: str, talk: ReaderTalk) -> None:
        self._device = device
        self._talk = talk
        self._framer = _framer(talk.style)
        self._understand = UNDERSTAND[talk.style]

    @property
    def skipped(self) -> int:
        """How many bytes belonged to no frame so far."""
        return self._framer.skipped

    @property
    def waiting(self) -> int:
        """How many bytes of an unfinished frame are held; bounded by one frame."""
        return self._framer.waiting

    def feed(self, data: bytes) -> list[Heard]:
        """Take what a read brought; return what is complete by now, in order."""
        return [self._heard(frame) for frame in self._framer.feed(data)]

    def quiet(self) -> list[Heard]:
        """The line went quiet: an unfinished frame is given up and reported as malformed."""
        return [self._heard(frame) for frame in self._framer.quiet()]

    def _heard(self, frame: bytes | Broken) -> Heard:
        if isinstance(frame, Broken):
            return MalformedReading(
                device=self._device, field=frame.field, problem=frame.problem, raw=frame.raw
            )
        if any(frame == word.encode() for word in self._talk.no_read):
            return NoRead(device=self._device)
        try:
            scan = self._understand(self._talk.wrapping.taken_off(frame), self._talk)
        except MalformedInput as wrong:
            return MalformedReading(device=self._device, field=wrong.field, problem=wrong.problem, raw=frame)
        return CodeReading(
            device=self._device, text=scan.text, symbology=scan.symbology, attributes=scan.attributes
        )


def _framer(style: ReaderStyle) -> Framer:
    match style:
        case ReaderStyle.EM4100:
            return DelimitedFramer(ends=(ETX,), begins=True)
        case ReaderStyle.EM4100_BINARY:
            return CountedFramer()
        case _:
            return DelimitedFramer(ends=(CR, LF, ETX), begins=False)


def _code(frame: bytes, talk: ReaderTalk) -> _Scan:
    try:
        text = frame.decode()
    except UnicodeDecodeError as wrong:
        raise MalformedInput("code", f"not UTF-8 at byte {wrong.start}") from wrong
    for at, character in enumerate(text):
        if ord(character) < 0x20 and character not in CONTROLS_IN_CODES:
            raise MalformedInput("code", f"control character 0x{ord(character):02x} at {at}")
    attributes: dict[str, object] = {"format": "code"}
    symbology: str | None = None
    if (aim := aim_identifier(text)) is not None:
        attributes["aim"], symbology = aim
        text = text[3:]
    elif talk.code_id:
        attributes["code_id"], symbology = text[:1], HONEYWELL.get(text[:1])
        text = text[1:]
    if not text:
        raise MalformedInput("code", "nothing follows the symbology identifier")
    if symbology in GS1_SYMBOLOGIES:
        attributes["gs1"] = gs1_elements(text)
    return _Scan(text=text, symbology=symbology, attributes=attributes)


def _em4100(frame: bytes, _talk: ReaderTalk) -> _Scan:
    digits = _hexadecimal(frame.removesuffix(b"\r\n"), (12,))
    tag = bytes.fromhex(digits)
    check = reduce(xor, tag[:5])
    if check != tag[5]:
        raise MalformedInput("checksum", f"mismatch: {tag[5]:02x} received, {check:02x} computed")
    return _Scan(
        text=digits[:10], attributes={"format": "em4100", **_em4100_card(tag[:5]), "checksum_ok": True}
    )


def _em4100_binary(frame: bytes, _talk: ReaderTalk) -> _Scan:
    check = reduce(xor, frame[:-1])
    if check != frame[-1]:
        raise MalformedInput("BCC", f"mismatch: {frame[-1]:02x} received, {check:02x} computed")
    if len(frame) != 8:
        raise MalformedInput("length", f"{frame[0]} is declared, 10 expected")
    if frame[1] != EM4100_CARD:
        raise MalformedInput("card type", f"{frame[1]} is not EM4100 (2)")
    card = _em4100_card(frame[2:7])
    attributes = {"format": "em4100-binary", "card_type": "em4100", "batch": frame[2], **card, "bcc_ok": True}
    return _Scan(text=str(card["tag"]), attributes=attributes)


def _em4100_card(tag: bytes) -> dict[str, object]:
    """The five bytes of an EM4100 tag: a version or customer byte, then the number that is printed on the card."""
    number = int.from_bytes(tag[1:], "big")
    return {
        "tag": tag.hex().upper(),
        "version": tag[0],
        "card_number": number,
        "printed": f"{number:010d}",
        "facility": number >> 16 & 0xFF,
        "card": number & 0xFFFF,
    }


def _wiegand(frame: bytes, _talk: ReaderTalk) -> _Scan:
    digits = _hexadecimal(frame, range(1, 10))
    word = int(digits, 16)
    bits = 26 if len(digits) <= 7 else 34
    card = read_wiegand(word, bits)
    attributes = {
        "format": "wiegand",
        "bits": bits,
        "raw": f"{word:X}",
        "facility": card.facility,
        "card": card.card,
        "parity_ok": True,
    }
    return _Scan(text=digits, attributes=attributes)


def _wiegand_text(frame: bytes, _talk: ReaderTalk) -> _Scan:
    text = _ascii(frame)
    printed = FACILITY_AND_CARD.fullmatch(text)
    if printed is None:
        raise MalformedInput("card", "facility and card number with a comma between are expected")
    facility, card = int(printed[1]), int(printed[2])
    if facility > 0xFFFF or card > 0xFFFF:
        raise MalformedInput("card", "facility and card number end at 65535")
    return _Scan(text=text, attributes={"format": "wiegand-text", "facility": facility, "card": card})


def _uid(frame: bytes, _talk: ReaderTalk) -> _Scan:
    digits = _hexadecimal(frame, UID_DIGITS)
    attributes: dict[str, object] = {"format": "uid", "uid": digits}
    if (
        len(digits) == UID_DIGITS[0]
    ):  # only these are printed in decimal anywhere, and readers differ in byte order
        uid = bytes.fromhex(digits)
        attributes["decimal_be"] = int.from_bytes(uid, "big")
        attributes["decimal_le"] = int.from_bytes(uid, "little")
    return _Scan(text=digits, attributes=attributes)


UNDERSTAND: dict[ReaderStyle, Callable[[bytes, ReaderTalk], _Scan]] = {
    ReaderStyle.CODE: _code,
    ReaderStyle.EM4100: _em4100,
    ReaderStyle.EM4100_BINARY: _em4100_binary,
    ReaderStyle.WIEGAND: _wiegand,
    ReaderStyle.WIEGAND_TEXT: _wiegand_text,
    ReaderStyle.UID: _uid,
}


def _ascii(frame: bytes) -> str:
    try:
        return frame.decode("ascii")
    except UnicodeDecodeError as wrong:
        raise MalformedInput(
            "line", f"byte 0x{frame[wrong.start]:02x} at {wrong.start} is not ASCII"
        ) from wrong


def _hexadecimal(frame: bytes, lengths: range | tuple[int, ...]) -> str:
    """The digits in capitals: readers differ in case, one card is one text."""
    digits = _ascii(frame)
    if len(digits) not in lengths:
        wanted = (
            f"{lengths[0]} to {lengths[-1]}" if isinstance(lengths, range) else " or ".join(map(str, lengths))
        )
        raise MalformedInput(
            "digits", f"{wanted} hexadecimal digits expected, {len(digits)} characters found"
        )
    if not HEX.fullmatch(digits):
        raise MalformedInput("digits", "not hexadecimal")
    return digits.upper()
