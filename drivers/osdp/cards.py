"""What a card at an OSDP reader says to the lot. Sans-IO.

The code is what stands on the card and on the permit: facility and number of a Wiegand card whose parity is right ("65,12345",
as readers with a serial line print it), else its bits in hexadecimal, else the characters that the reader sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.errors import MalformedInput
from drivers.ports import CodeReading, MalformedReading
from drivers.wiegand import LAYOUTS, Layout37, read_wiegand

RAW_UNSPECIFIED, RAW_WIEGAND, CHARACTERS = 0, 1, 2  # libosdp's card formats
LONGEST_BITS = 1024


def card_reading(
    device: str, event: Mapping[str, object], layout_37: Layout37
) -> CodeReading | MalformedReading:
    """Understand libosdp's card event: `format`, `length` (bits, or characters), `data`."""
    data = event.get("data")
    raw = data if isinstance(data, bytes) else b""
    try:
        return _understood(device, event, raw, layout_37)
    except MalformedInput as wrong:
        return MalformedReading(device=device, field=wrong.field, problem=wrong.problem, raw=raw[:4096])


def _understood(device: str, event: Mapping[str, object], data: bytes, layout_37: Layout37) -> CodeReading:
    card_format, length = event.get("format"), event.get("length")
    if card_format == CHARACTERS:
        return CodeReading(device=device, text=_characters(data), attributes={"format": "characters"})
    if not isinstance(length, int) or not 0 < length <= LONGEST_BITS or len(data) != (length + 7) // 8:
        raise MalformedInput("bits", f"{length} bits do not fit {len(data)} bytes")
    word = int.from_bytes(data, "big") >> (-length % 8)
    attributes: dict[str, object] = {"format": "wiegand", "bits": length, "raw": f"{word:X}"}
    if length not in LAYOUTS:
        return CodeReading(device=device, text=f"{word:0{(length + 3) // 4}X}", attributes=attributes)
    card = read_wiegand(word, length, layout_37)
    if card.facility is not None:
        attributes["facility"] = card.facility
    return CodeReading(
        device=device, text=card.text, attributes={**attributes, "card": card.card, "parity_ok": True}
    )


def _characters(data: bytes) -> str:
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as wrong:
        raise MalformedInput(
            "card", f"byte 0x{data[wrong.start]:02x} at {wrong.start} is not ASCII"
        ) from wrong
    if not text:
        raise MalformedInput("card", "no characters")
    return text
