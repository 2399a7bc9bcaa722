"""Readers' lines: bytes as the data sheets show them, and everything that a wire does to them."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ports import CodeReading, MalformedReading
from drivers.serial_port.framing import LONGEST_FRAME_BYTES
from drivers.serial_port.lines import Heard, LineReader, NoRead, ReaderStyle, ReaderTalk

STX, ETX = b"\x02", b"\x03"
TAG = b"010063E9AE25"  # printed number 0006547886, Arduino forum thread 251993
COUNTED = bytes.fromhex("020a0206008e6d5db003")  # a reader's data sheet, card 9334109
WIRE_BYTES = st.binary(max_size=80) | st.lists(
    st.sampled_from(
        [STX, ETX, b"\r", b"\n", b"\r\n", TAG, b"826073", b"]Q1", b" ", COUNTED, b"\x02\xff", b"NR"]
    ),
    max_size=12,
).map(b"".join)
CODE = ReaderTalk()


def _hear(talk: ReaderTalk, *reads: bytes) -> list[Heard]:
    reader = LineReader("reader", talk)
    return [heard for read in reads for heard in reader.feed(read)]


def _one(talk: ReaderTalk, data: bytes) -> CodeReading:
    (heard,) = _hear(talk, data)
    assert isinstance(heard, CodeReading), heard
    return heard


def _wrong(talk: ReaderTalk, data: bytes) -> MalformedReading:
    (heard,) = _hear(talk, data)
    assert isinstance(heard, MalformedReading), heard
    return heard


def _of(style: ReaderStyle) -> ReaderTalk:
    return ReaderTalk(style=style)


@pytest.mark.parametrize("suffix", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize("text", ["TICKET:7f3a91c2", " LG1: 7W*/% X ", "Zürich–Ω", "a\x1db"])
def test_a_code_is_passed_on_as_scanned_with_its_spaces(suffix: bytes, text: str) -> None:
    assert _one(CODE, text.encode() + suffix).text == text


def test_a_code_may_come_between_stx_and_etx() -> None:
    assert [heard.text for heard in _hear(CODE, STX + b"A1" + ETX + STX + b"B2" + ETX) if isinstance(heard, CodeReading)] == ["A1", "B2"]  # fmt: skip


def test_empty_lines_are_nothing() -> None:
    assert _hear(CODE, b"\r\n\r\n\n\x02\x03") == []


@pytest.mark.parametrize(
    ("line", "text", "symbology", "aim"),
    [
        (b"]Q1T1", "T1", "QR", "]Q1"),
        (b"]C0PARK-1", "PARK-1", "Code 128", "]C0"),
        (b"]E04012345678901", "4012345678901", "EAN-13", "]E0"),
        (b"]z0T1", "T1", "Aztec", "]z0"),
    ],
)
def test_an_aim_identifier_names_the_symbology_and_is_not_part_of_the_code(
    line: bytes, text: str, symbology: str, aim: str
) -> None:
    heard = _one(CODE, line + b"\r")
    assert (heard.text, heard.symbology, heard.attributes["aim"]) == (text, symbology, aim)


def test_brackets_that_are_no_identifier_belong_to_the_code() -> None:
    assert _one(CODE, b"]-1x\r").text == "]-1x"
    assert _one(CODE, b"]k1x\r").text == "]k1x"


def test_a_code_identifier_letter_is_read_only_where_the_scanner_sends_one() -> None:
    heard = _one(ReaderTalk(code_id=True), b"s7f3a\r")
    assert (heard.text, heard.symbology, heard.attributes["code_id"]) == ("7f3a", "QR", "s")
    assert _one(CODE, b"s7f3a\r").text == "s7f3a"


def test_a_gs1_code_is_taken_apart() -> None:
    heard = _one(CODE, b"]C10104012345678901\x1d21A17\x1d17261231\x1d99x\r")
    assert heard.text == "0104012345678901\x1d21A17\x1d17261231\x1d99x"
    assert heard.attributes["gs1"] == {"gtin": "04012345678901", "serial": "A17", "expires": "261231"}
    assert _one(CODE, b"]C10104\r").attributes["gs1"] == {}


@pytest.mark.parametrize("word", [b"NOREAD", b"NR"])
def test_a_failed_trigger_is_no_code(word: bytes) -> None:
    assert _hear(CODE, word + b"\r\n") == [NoRead(device="reader")]


@pytest.mark.parametrize("line", [b"\xff\xfe", b"a\x00b", b"a\x1bb", b"]Q1"])
def test_a_line_that_is_no_text_is_malformed_and_kept(line: bytes) -> None:
    wrong = _wrong(CODE, line + b"\r")
    assert (wrong.field, wrong.raw) == ("code", line)


def test_an_em4100_tag_gives_the_number_printed_on_the_card() -> None:
    heard = _one(_of(ReaderStyle.EM4100), STX + TAG + ETX)
    assert heard.text == "010063E9AE"
    assert heard.attributes == {
        "format": "em4100",
        "tag": "010063E9AE",
        "version": 1,
        "card_number": 6547886,
        "printed": "0006547886",
        "facility": 99,
        "card": 59822,
        "checksum_ok": True,
    }


@pytest.mark.parametrize(
    "frame", [STX + TAG.lower() + ETX, STX + TAG + b"\r\n" + ETX, b"\x00\xff03" + STX + TAG + ETX]
)
def test_one_card_is_one_text_whatever_the_reader_adds(frame: bytes) -> None:
    assert _one(_of(ReaderStyle.EM4100), frame).text == "010063E9AE"


def test_bytes_outside_a_frame_are_counted_as_skipped() -> None:
    reader = LineReader("reader", _of(ReaderStyle.EM4100))
    assert len(reader.feed(b"\x00\xff00\x03" + STX + TAG + ETX)) == 1
    assert reader.skipped == 5


@given(
    tag=st.binary(min_size=5, max_size=5),
    digit=st.integers(0, 11),
    other=st.sampled_from(b"0123456789ABCDEF"),
)
def test_a_tag_with_one_wrong_digit_never_passes_for_a_card(tag: bytes, digit: int, other: int) -> None:
    frame = bytearray((tag + bytes([reduce(xor, tag)])).hex().upper().encode())
    right = frame[digit] == other
    frame[digit] = other
    (heard,) = _hear(_of(ReaderStyle.EM4100), STX + bytes(frame) + ETX)
    assert isinstance(heard, CodeReading) is right


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"010063E9AE26", "checksum"),
        (b"010063E", "digits"),
        (b"010063G9AE25", "digits"),
        (b"0x_063E9AE25", "digits"),
    ],
)
def test_a_damaged_tag_is_refused_by_field(content: bytes, field: str) -> None:
    assert _wrong(_of(ReaderStyle.EM4100), STX + content + ETX).field == field


def test_a_counted_frame_gives_the_same_text_as_the_tag_in_ascii_would() -> None:
    heard = _one(_of(ReaderStyle.EM4100_BINARY), COUNTED)
    assert (heard.text, heard.attributes["card_number"], heard.attributes["batch"]) == (
        "06008E6D5D",
        9334109,
        6,
    )


def test_a_counted_frame_is_found_again_after_noise_with_a_false_start() -> None:
    heard = _hear(_of(ReaderStyle.EM4100_BINARY), b"\x00\x02\x01\x02\x06abcdef" + COUNTED + COUNTED)
    assert [type(one) for one in heard] == [MalformedReading, CodeReading, CodeReading]


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        ("020a0206008e6d5db103", "BCC"),
        ("020a0306008e6d5db103", "card type"),
        ("0205020703", "length"),
    ],
)
def test_a_damaged_counted_frame_is_refused_by_field(frame: str, field: str) -> None:
    assert _wrong(_of(ReaderStyle.EM4100_BINARY), bytes.fromhex(frame)).field == field


@pytest.mark.parametrize("bits", [26, 34])
@given(data=st.data())
def test_a_wiegand_word_gives_facility_and_card_and_one_flipped_bit_is_refused(
    bits: int, data: st.DataObject
) -> None:
    facility = data.draw(st.integers(0, 0xFF if bits == 26 else 0xFFFF))
    card = data.draw(st.integers(0, 0xFFFF))
    half = bits // 2
    body = facility << 16 | card
    first = body >> (half - 1)
    second = body & ((1 << (half - 1)) - 1)
    word = (first.bit_count() % 2) << (bits - 1) | body << 1 | (second.bit_count() + 1) % 2
    digits = 7 if bits == 26 else 9
    talk = _of(ReaderStyle.WIEGAND)
    heard = _one(talk, f"{word:0{digits}X}\r\n".encode())
    assert (heard.attributes["bits"], heard.attributes["facility"], heard.attributes["card"]) == (
        bits,
        facility,
        card,
    )
    flipped = word ^ 1 << data.draw(st.integers(0, bits - 1))
    assert _wrong(talk, f"{flipped:0{digits}X}\r\n".encode()).field == "parity"


@pytest.mark.parametrize(
    ("style", "line", "field"),
    [
        (ReaderStyle.WIEGAND, b"FFFFFFF", "word"),
        (ReaderStyle.WIEGAND, b"0123456789", "digits"),
        (ReaderStyle.WIEGAND, b"82607G", "digits"),
        (ReaderStyle.WIEGAND_TEXT, b"065;12345", "card"),
        (ReaderStyle.WIEGAND_TEXT, b"065,70000", "card"),
        (ReaderStyle.UID, b"04A1B2", "digits"),
        (ReaderStyle.UID, b"\xe4A1B2C3", "line"),
    ],
)
def test_a_line_of_another_style_is_refused_by_field(style: ReaderStyle, line: bytes, field: str) -> None:
    assert _wrong(_of(style), line + b"\r\n").field == field


def test_a_card_number_as_printed_and_a_uid_are_read() -> None:
    printed = _one(_of(ReaderStyle.WIEGAND_TEXT), b"065,12345\r\n")
    assert (printed.attributes["facility"], printed.attributes["card"]) == (65, 12345)
    uid = _one(_of(ReaderStyle.UID), b"04a1b2c3\r\n")
    assert (uid.text, uid.attributes["decimal_be"], uid.attributes["decimal_le"]) == (
        "04A1B2C3",
        77705923,
        3283263748,
    )
    assert _one(_of(ReaderStyle.UID), b"04A1B2C3D4E580\r\n").text == "04A1B2C3D4E580"


def test_a_line_without_its_end_waits_and_is_given_up_when_the_line_is_quiet() -> None:
    reader = LineReader("reader", CODE)
    assert reader.feed(b"TICKET:7f3a") == []
    assert reader.waiting == 11
    (wrong,) = reader.quiet()
    assert isinstance(wrong, MalformedReading)
    assert (wrong.field, wrong.raw) == ("suffix", b"TICKET:7f3a")
    assert reader.quiet() == []
    assert len(reader.feed(b"A1\r")) == 1


def test_a_new_start_reports_what_it_cut_off() -> None:
    first, second = _hear(CODE, b"half" + STX + b"A1" + ETX)
    assert isinstance(first, MalformedReading)
    assert first.raw == b"half"
    assert isinstance(second, CodeReading)


@pytest.mark.parametrize("style", ReaderStyle)
@given(data=st.binary(max_size=40))
def test_memory_is_bounded_and_the_reader_recovers_from_a_flood(style: ReaderStyle, data: bytes) -> None:
    reader = LineReader("reader", _of(style))
    reader.feed(data)
    flood = reader.feed(b"7" * (2 * LONGEST_FRAME_BYTES))
    assert reader.waiting <= LONGEST_FRAME_BYTES
    assert all(
        len(heard.raw) <= LONGEST_FRAME_BYTES for heard in flood if isinstance(heard, MalformedReading)
    )
    reader.quiet()
    last = reader.feed(COUNTED if style is ReaderStyle.EM4100_BINARY else STX + TAG + ETX)
    assert len(last) == 1


@pytest.mark.parametrize("style", ReaderStyle)
@given(data=WIRE_BYTES, cuts=st.lists(st.integers(0, 200), max_size=8))
def test_what_is_heard_does_not_depend_on_where_reads_end(
    style: ReaderStyle, data: bytes, cuts: list[int]
) -> None:
    talk = ReaderTalk(style=style, code_id=len(cuts) % 2 == 0)
    ends = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    whole, pieces = LineReader("reader", talk), LineReader("reader", talk)
    heard = whole.feed(data)
    assert [one for start, end in pairwise(ends) for one in pieces.feed(data[start:end])] == heard
    assert (pieces.waiting, pieces.skipped) == (whole.waiting, whole.skipped)
    assert pieces.quiet() == whole.quiet()
