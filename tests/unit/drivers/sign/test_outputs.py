"""What a sign shows of a picture, and how it stands on its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.sign.framing import FrameSettings
from drivers.sign.outputs import NOTHING_KNOWN, OutputSettings, Picture, Shown, Words

PICTURE = Picture(free={"regular": 12, "ev": 0, "disabled": None}, taken={"A-1": True, "A-2": None})
KNOWN = Picture(free={"regular": 12, "ev": 0})


@pytest.mark.parametrize(
    ("shows", "picture", "value"),
    [
        ("free:regular", PICTURE, 12),
        ("free:ev", PICTURE, 0),
        ("full:regular", PICTURE, False),
        ("full:ev", PICTURE, True),
        ("free:disabled", PICTURE, None),
        ("full:disabled", PICTURE, None),
        ("free:motorcycle", PICTURE, None),
        ("free", PICTURE, None),
        ("free", KNOWN, 12),
        ("full", KNOWN, False),
        ("full", Picture(free={"regular": 0}), True),
        ("spot:A-1", PICTURE, True),
        ("spot:A-2", PICTURE, None),
        ("spot:A-3", PICTURE, None),
        ("free", NOTHING_KNOWN, None),
        ("full", NOTHING_KNOWN, None),
    ],
)
def test_what_is_not_known_is_never_shown_as_a_number(shows: str, picture: Picture, value: Shown) -> None:
    shown = OutputSettings(shows=shows, at="1").value(picture)
    assert shown == value
    assert type(shown) is type(value)


@pytest.mark.parametrize(
    ("value", "words", "text"),
    [
        (12, Words(), " 12"),
        (0, Words(), "  0"),
        (0, Words(zero="FULL"), "FULL"),
        (12_345, Words(), "999"),
        (-3, Words(), "  0"),
        (None, Words(), "---"),
        (True, Words(yes="FULL", no="FREE"), "FULL"),
        (False, Words(yes="FULL", no="FREE", zero="X"), "FREE"),
    ],
)
def test_a_value_is_written_in_the_signs_own_words(value: Shown, words: Words, text: str) -> None:
    assert words.write(value) == text


@pytest.mark.parametrize(
    ("settings", "frame"),
    [
        (FrameSettings(), b"\x021 12\x03"),
        (FrameSettings(start="#", end="\r\n"), b"#1 12\r\n"),
        (FrameSettings(checksum="xor"), b"\x021 12\x0312"),  # 31 ^ 20 ^ 31 ^ 32
        (FrameSettings(checksum="sum"), b"\x021 12\x03B4"),
        (FrameSettings(checksum="lrc", written="byte"), b"\x021 12\x03\x4c"),
        (FrameSettings(checksum="xor", covers="text_and_end"), b"\x021 12\x0311"),
        (FrameSettings(checksum="xor", covers="all"), b"\x021 12\x0313"),
        (FrameSettings(checksum="sum", stands="before_end"), b"\x021 12B4\x03"),
    ],
)
def test_a_frame_is_guarded_as_the_sign_wants_it(settings: FrameSettings, frame: bytes) -> None:
    assert settings.frame("1 12") == frame


@given(text=st.text(max_size=40), settings=st.sampled_from(["none", "xor", "sum", "lrc"]))
def test_any_text_becomes_a_frame(text: str, settings: str) -> None:
    frame = FrameSettings.model_validate({"checksum": settings}).frame(text)
    assert frame[:1] == b"\x02"
    assert len(frame) == len(text) + (2 if settings == "none" else 4)
