"""BTHome messages as the format's own pages print them, and any bytes at all."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given
from hypothesis import strategies as st

from drivers.ble.addresses import read_address
from drivers.ble.bthome import read_bthome
from drivers.ble.bthome_objects import ANSWERS, QUANTITIES

# bthome.io/encryption: the page's own example, key, address and message.
KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")
ADDRESS = read_address("54:48:E6:8F:80:A5")
ENCRYPTED = bytes.fromhex("41a47266c95f730011223378237214")

PLAIN = [
    ("4002ca0903bf13", {"temperature": 25.06, "humidity": 50.55}, {}),
    ("40230101640c020c", {"battery": 100, "voltage": 3.074}, {"occupancy": True}),
    ("402300", {}, {"occupancy": False}),
    ("4002ca0902cf09", {"temperature_1": 25.06, "temperature_2": 25.11}, {}),
]
PROBLEMS = [
    ("", "info"),
    ("00", "version"),
    ("40", None),
    ("40fe01", "object"),
    ("4002ca", "temperature"),
    ("403afe", "button"),
    ("40530187", "text"),
    ("42b218", "address"),
    ("41d2fcef", "length"),
    ("41" + "00" * 70_000, "length"),  # found by fuzzing: longer than any nonce allows
]


def encrypted(plain: bytes, counter: int, *, key: bytes = KEY, address: bytes = ADDRESS) -> bytes:
    """Make a message as a sensor would."""
    number = counter.to_bytes(4, "little")
    sealed = AESCCM(key, tag_length=4).encrypt(address + b"\xd2\xfc\x41" + number, plain, None)
    return b"\x41" + sealed[:-4] + number + sealed[-4:]


@pytest.mark.parametrize(("raw", "sensors", "binary"), PLAIN)
def test_a_plain_message_is_read_object_by_object(
    raw: str, sensors: dict[str, float], binary: dict[str, bool]
) -> None:
    said = read_bthome(bytes.fromhex(raw))
    assert (said.sensors, said.binary, said.problem) == (sensors, binary, None)


def test_the_published_encrypted_message_is_read_with_its_key() -> None:
    said = read_bthome(ENCRYPTED, address=ADDRESS, key=KEY)
    assert said.sensors == {"temperature": 25.06, "humidity": 50.55}
    assert (said.decrypted, said.counter) == (True, 0x33221100)


@pytest.mark.parametrize(("raw", "field"), PROBLEMS)
def test_what_cannot_be_read_is_named(raw: str, field: str | None) -> None:
    problem = read_bthome(bytes.fromhex(raw), address=ADDRESS, key=KEY).problem
    assert (None if problem is None else problem.field) == field


@given(
    st.binary(min_size=1, max_size=15), st.integers(0, 2**32 - 1), st.integers(0, 200), st.integers(1, 255)
)
def test_a_flipped_byte_of_an_encrypted_message_is_never_read(
    plain: bytes, counter: int, at: int, flip: int
) -> None:
    message = bytearray(encrypted(plain, counter))
    at = 1 + at % (len(message) - 1)
    message[at] ^= flip
    said = read_bthome(bytes(message), address=ADDRESS, key=KEY)
    assert not said.decrypted
    assert said.problem is not None


@given(st.binary(max_size=60), st.none() | st.just(KEY))
def test_any_bytes_are_read_or_named(raw: bytes, key: bytes | None) -> None:
    said = read_bthome(raw, address=ADDRESS, key=key)
    assert said.problem is None or said.problem.problem
    assert set(said.units) <= set(said.sensors)


@given(st.binary(max_size=30))
def test_what_is_read_plainly_is_read_encrypted_too(objects: bytes) -> None:
    plain = read_bthome(b"\x40" + objects)
    sealed = read_bthome(encrypted(objects, 7), address=ADDRESS, key=KEY) if objects else plain
    assert (sealed.sensors, sealed.binary, sealed.events) == (plain.sensors, plain.binary, plain.events)


def test_no_object_has_two_meanings() -> None:
    assert not set(QUANTITIES) & set(ANSWERS)
