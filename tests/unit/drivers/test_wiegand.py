"""Wiegand cards: every layout, and the errors that two parity bits can see."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import MalformedInput
from drivers.wiegand import LAYOUTS, Layout37, Wiegand, read_wiegand


def word(number: int, bits: int) -> int:
    """Put the parity bits around what a card's format holds."""
    half = {26: 13, 34: 17, 37: 19}[bits]
    middle = number << 1
    even = (middle >> (bits - half)).bit_count() % 2
    odd = 1 - (middle & ((1 << half) - 1)).bit_count() % 2
    return even << (bits - 1) | middle | odd


# (bits, layout, word, card): the word of the first is the one that readers of 125 kHz send for card 65,12345.
KNOWN = [
    (26, Layout37.H10304, 0x20981CC0 >> 6, Wiegand(bits=26, facility=65, card=12345)),
    (34, Layout37.H10304, word(0x1234_5678, 34), Wiegand(bits=34, facility=0x1234, card=0x5678)),
    (37, Layout37.H10304, word(1234 << 19 | 345678, 37), Wiegand(bits=37, facility=1234, card=345678)),
    (37, Layout37.H10302, word(12345678901, 37), Wiegand(bits=37, facility=None, card=12345678901)),
]


@pytest.mark.parametrize(("bits", "layout", "sent", "card"), KNOWN)
def test_a_card_says_its_facility_and_number(bits: int, layout: Layout37, sent: int, card: Wiegand) -> None:
    assert read_wiegand(sent, bits, layout) == card


@pytest.mark.parametrize("bits", LAYOUTS)
def test_one_flipped_bit_is_wrong_parity(bits: int) -> None:
    good = word(0x1_2345, bits)
    for at in range(bits):
        with pytest.raises(MalformedInput, match="wrong parity"):
            read_wiegand(good ^ 1 << at, bits)


@given(st.integers(-5, 2**40), st.integers(0, 64))
def test_any_word_is_a_card_or_refused_by_name(sent: int, bits: int) -> None:
    with suppress(MalformedInput):
        card = read_wiegand(sent, bits)
        assert card.text == f"{card.facility},{card.card}"
