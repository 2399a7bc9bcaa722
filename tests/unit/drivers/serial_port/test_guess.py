"""What a capture most likely is, where nobody says which reader it came from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial_port.guess import likely_style
from drivers.serial_port.lines import ReaderStyle


@pytest.mark.parametrize(
    ("line", "style"),
    [
        (b"\x02010063E9AE25\x03", ReaderStyle.EM4100),
        (b"\x00\xff\x02010063E9AE25\r\n\x03", ReaderStyle.EM4100),
        (b"\x02010063G9AE25\x03", ReaderStyle.EM4100),
        (b"\x02TICKET:7f3a91c2\x03", ReaderStyle.CODE),
        (bytes.fromhex("020a0206008e6d5db003"), ReaderStyle.EM4100_BINARY),
        (b"0826073\r\n", ReaderStyle.WIEGAND),
        (b"065,12345\r\n", ReaderStyle.WIEGAND_TEXT),
        (b"04A1B2C3D4E580\r\n", ReaderStyle.UID),
        (b"TICKET:7f3a91c2\r", ReaderStyle.CODE),
        (b"", ReaderStyle.CODE),
    ],
)
def test_a_line_is_guessed_by_its_marks_and_its_digits(line: bytes, style: ReaderStyle) -> None:
    assert likely_style(line) is style


@given(st.binary(max_size=60))
def test_any_bytes_are_guessed_to_be_something(data: bytes) -> None:
    assert likely_style(data) in ReaderStyle
