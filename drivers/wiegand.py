"""What the bits of a Wiegand card say: facility and card number, guarded by two parity bits.

The word is most significant bit first, as it comes from a reader. Sources: SIA AC-01 (26 bits, 1996); HID's format notes
for 34 (H10306) and 37 bits (H10304 with, H10302 without a facility): the first bit makes the first half even, the last
bit the second half odd; where the halves meet in one bit (37), both count it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from drivers.errors import MalformedInput


class Layout37(StrEnum):
    """How a lot's cards of 37 bits are made; the cards do not say it themselves."""

    H10304 = "h10304"
    H10302 = "h10302"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiegand:
    """One card. `facility` is None where the format has none."""

    bits: int
    facility: int | None
    card: int

    @property
    def text(self) -> str:
        """The card as it is printed and kept on a permit: "65,12345", or the number alone."""
        return str(self.card) if self.facility is None else f"{self.facility},{self.card}"


@dataclass(frozen=True, slots=True)
class _Layout:
    half: int  # bits under each of the two parities, parity included
    card_bits: int


LAYOUTS: Mapping[int, _Layout] = {26: _Layout(13, 16), 34: _Layout(17, 16), 37: _Layout(19, 19)}
NO_FACILITY = _Layout(19, 35)


def read_wiegand(word: int, bits: int, layout_37: Layout37 = Layout37.H10304) -> Wiegand:
    """Read a card of 26, 34 or 37 bits.

    Raises:
        MalformedInput: another number of bits, a word too long for them, or wrong parity.
    """
    layout = NO_FACILITY if bits == 37 and layout_37 is Layout37.H10302 else LAYOUTS.get(bits)
    if layout is None:
        raise MalformedInput("bits", f"{bits} is not one of {', '.join(map(str, LAYOUTS))}")
    if not 0 <= word < 1 << bits:
        raise MalformedInput("word", f"{word:X} does not fit {bits} bits")
    first, second = word >> (bits - layout.half), word & ((1 << layout.half) - 1)
    if first.bit_count() % 2 or not second.bit_count() % 2:
        raise MalformedInput("parity", f"{word:X} as {bits} bits has wrong parity")
    number = word >> 1 & ((1 << (bits - 2)) - 1)
    facility_bits = bits - 2 - layout.card_bits
    return Wiegand(
        bits=bits,
        facility=number >> layout.card_bits if facility_bits else None,
        card=number & ((1 << layout.card_bits) - 1),
    )
