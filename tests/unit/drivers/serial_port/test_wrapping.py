"""What readers put around their lines is checked and taken off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ports import CodeReading, MalformedReading
from drivers.serial_port.lines import LineReader, ReaderStyle, ReaderTalk
from drivers.serial_port.wrapping import Checksum, Wrapping

WRAPPINGS = st.builds(
    Wrapping,
    prefix=st.sampled_from(["", "%", "UID=", "§"]),
    suffix=st.sampled_from(["", "?", ";1", "#"]),
    checksum=st.sampled_from(Checksum),
)


def _line(wrapping: Wrapping, content: str) -> bytes:
    digits = "" if wrapping.checksum is Checksum.NONE else f"{wrapping.checksum.of(content.encode()):02X}"
    return f"{wrapping.prefix}{content}{digits}{wrapping.suffix}\r".encode()


def _heard(wrapping: Wrapping, line: bytes, style: ReaderStyle = ReaderStyle.CODE) -> object:
    (heard,) = LineReader("reader", ReaderTalk(style=style, wrapping=wrapping)).feed(line)
    return heard


@given(wrapping=WRAPPINGS, content=st.text("AZ09 %?#;=", min_size=1, max_size=20))
def test_the_code_is_the_same_whatever_is_put_around_it(wrapping: Wrapping, content: str) -> None:
    heard = _heard(wrapping, _line(wrapping, content))
    assert isinstance(heard, CodeReading)
    assert heard.text == content


def test_a_checksum_is_that_of_the_content_alone() -> None:
    assert Checksum.XOR.of(b"0123") == 0x30 ^ 0x31 ^ 0x32 ^ 0x33
    assert (Checksum.SUM.of(b"0123") + sum(b"0123")) % 256 == 0
    heard = _heard(
        Wrapping(prefix="<", suffix=">", checksum=Checksum.SUM), b"<04A1B2C3FD>\r", ReaderStyle.UID
    )
    assert isinstance(heard, MalformedReading)
    right = f"<04A1B2C3{Checksum.SUM.of(b'04A1B2C3'):02x}>\r".encode()
    assert isinstance(
        _heard(Wrapping(prefix="<", suffix=">", checksum=Checksum.SUM), right, ReaderStyle.UID), CodeReading
    )


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"826073?\r", "prefix"),
        (b"%826073\r", "suffix"),
        (b"%?\r", "checksum"),
        (b"%82607300?\r", "checksum"),
        (b"%826073\xff\xff?\r", "checksum"),
        (b"%\r", "suffix"),
    ],
)
def test_a_line_that_is_wrapped_otherwise_is_refused_by_field_and_kept(line: bytes, field: str) -> None:
    heard = _heard(Wrapping(prefix="%", suffix="?", checksum=Checksum.XOR), line)
    assert isinstance(heard, MalformedReading)
    assert (heard.field, heard.raw) == (field, line.removesuffix(b"\r"))


@given(wrapping=WRAPPINGS, style=st.sampled_from(ReaderStyle), data=st.binary(max_size=60))
def test_any_bytes_are_a_code_or_refused_by_field(
    wrapping: Wrapping, style: ReaderStyle, data: bytes
) -> None:
    reader = LineReader("reader", ReaderTalk(style=style, wrapping=wrapping))
    for heard in (*reader.feed(data), *reader.quiet()):
        assert not isinstance(heard, MalformedReading) or (heard.field and heard.problem)
