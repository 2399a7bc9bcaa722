"""What a card says, from libosdp's words for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.osdp.cards import card_reading
from drivers.ports import CodeReading, MalformedReading
from drivers.wiegand import Layout37

W26 = bytes.fromhex("20981cc0")  # facility 65, card 12345, left-aligned
SAID = [
    ({"format": 1, "length": 26, "data": W26}, "65,12345"),
    ({"format": 0, "length": 26, "data": W26}, "65,12345"),
    ({"format": 1, "length": 32, "data": bytes.fromhex("04a1b2c3")}, "04A1B2C3"),
    ({"format": 1, "length": 12, "data": bytes.fromhex("abc0")}, "ABC"),
    ({"format": 2, "length": 11, "data": b"PERMIT 0042"}, "PERMIT 0042"),
]
REFUSED = [
    ({"format": 1, "length": 26, "data": bytes.fromhex("a0981cc0")}, "parity"),
    ({"format": 1, "length": 26, "data": b"\x01"}, "bits"),
    ({"format": 1, "length": 0, "data": b""}, "bits"),
    ({"format": 2, "length": 1, "data": b"\xff"}, "card"),
    ({"format": 2, "length": 0, "data": b""}, "card"),
    ({}, "bits"),
]


@pytest.mark.parametrize(("event", "text"), SAID)
def test_a_card_is_the_code_that_is_printed_on_it(event: dict[str, Any], text: str) -> None:
    reading = card_reading("north", event, Layout37.H10304)
    assert isinstance(reading, CodeReading)
    assert (reading.device, reading.text) == ("north", text)


@pytest.mark.parametrize(("event", "field"), REFUSED)
def test_what_is_no_card_is_named(event: dict[str, Any], field: str) -> None:
    reading = card_reading("north", event, Layout37.H10304)
    assert isinstance(reading, MalformedReading)
    assert reading.field == field
    assert reading.problem


@given(st.integers(-3, 5), st.integers(-10, 2000), st.binary(max_size=300), st.sampled_from(Layout37))
def test_any_event_is_a_card_or_named(card_format: int, length: int, data: bytes, layout: Layout37) -> None:
    reading = card_reading("north", {"format": card_format, "length": length, "data": data}, layout)
    assert isinstance(reading, CodeReading | MalformedReading)
    if isinstance(reading, CodeReading):
        assert reading.text
