"""OSDP packets and the secure channel, from frames that are printed in public and from any bytes at all."""

from __future__ import annotations

from binascii import crc_hqx
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import MalformedInput
from drivers.osdp.framing import PacketFramer
from drivers.osdp.packet import CRC_START, Packet, decode_packet
from drivers.osdp.payloads import as_json
from drivers.osdp.secure_channel import Conversation, SessionKeys
from drivers.serial_port.framing import LONGEST_FRAME_BYTES, Broken

# SIA OSDP 2.1.7, annex E, and the captures in libosdp's own tests: the bytes, and what they say.
KNOWN = {
    "537f0d00046e00802500006e38": {
        "dir": "command",
        "address": 127,
        "broadcast": True,
        "sequence": 0,
        "check": "crc",
        "code": 0x6E,
        "name": "COMSET",
        "payload": {"new_address": 0, "baud": 9600},
    },
    "5300080000610044": {
        "dir": "command",
        "address": 0,
        "sequence": 0,
        "check": "checksum",
        "code": 0x61,
        "name": "ID",
    },
    "53e50700014080": {
        "dir": "reply",
        "address": 101,
        "sequence": 1,
        "check": "checksum",
        "code": 0x40,
        "name": "ACK",
    },
}
REFUSED = {
    "": "no SOM 0x53",
    "54": "no SOM 0x53",
    "5300": "shorter than its length field",
    "5300ffff": "length 65535 exceeds the packet",
    "53000600": "6 bytes are no packet",
    "5300080000610045": "checksum mismatch",
    "530008000061004400": "longer than its length field",
}

# SIA OSDP 2.1.7, annex E: the base key and random bytes of its example session, and the keys that it prints.
EXAMPLE_SCBK = bytes.fromhex("303132333435363738393a3b3c3d3e3f")
EXAMPLE_CP_RANDOM = bytes.fromhex("b0b1b2b3b4b5b6b7")


def packet(address: int, code: int, data: bytes = b"", *, sequence: int = 0, scb: bytes = b"") -> bytes:
    control = sequence | 0x04 | (0x08 if scb else 0)
    body = bytes([0x53, address]) + (8 + len(scb) + len(data)).to_bytes(2, "little")
    body += bytes([control]) + scb + bytes([code]) + data
    return body + crc_hqx(body, CRC_START).to_bytes(2, "little")


PACKETS = st.builds(
    packet,
    st.integers(0, 255),
    st.integers(0, 255),
    st.binary(max_size=40),
    sequence=st.integers(0, 3),
)
NOISE = st.binary(max_size=20).map(lambda data: data.replace(b"\x53", b"\x00"))


@pytest.mark.parametrize(("raw", "said"), KNOWN.items())
def test_a_published_packet_says_what_is_printed_beside_it(raw: str, said: dict[str, object]) -> None:
    assert as_json(decode_packet(bytes.fromhex(raw))) == said


@pytest.mark.parametrize(("raw", "problem"), REFUSED.items())
def test_what_is_no_packet_is_refused_by_name(raw: str, problem: str) -> None:
    with pytest.raises(MalformedInput, match=problem):
        decode_packet(bytes.fromhex(raw))


def test_an_unknown_security_block_is_refused_by_its_type() -> None:
    with pytest.raises(MalformedInput, match="type 0x19 is not known"):
        decode_packet(packet(0xE5, 0x40, scb=b"\x02\x19"))


def test_the_example_session_of_the_standard_has_its_keys() -> None:
    keys = SessionKeys.derive(EXAMPLE_SCBK, EXAMPLE_CP_RANDOM)
    assert keys.s_enc.hex() == "bf8dc2a8329acb8c67c6d0cd9a451682"
    assert keys.s_mac1.hex() == "5e86c676603bdee2d8beafe178637332"
    assert keys.s_mac2.hex() == "6fda86e857777e81132035758239172e"


@given(st.lists(st.tuples(NOISE, PACKETS), max_size=6), st.data())
def test_packets_are_found_wherever_the_reads_end_and_whatever_noise_is_between(
    sent: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(noise + raw for noise, raw in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    framer = PacketFramer()
    found = [
        each
        for begins, ends in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for each in framer.feed(stream[begins:ends])
    ]
    assert [each for each in found if isinstance(each, Packet)] == [decode_packet(raw) for _, raw in sent]


@given(st.lists(st.binary(max_size=400), max_size=30))
def test_any_bytes_are_packets_or_told_and_never_kept_beyond_a_packet(reads: list[bytes]) -> None:
    framer = PacketFramer()
    for read in reads:
        for found in framer.feed(read):
            assert not isinstance(found, Broken) or 0 < len(found.raw) <= LONGEST_FRAME_BYTES
        assert framer.waiting <= 1440
    framer.quiet()
    assert framer.waiting == 0


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=48))
def test_any_data_under_any_code_is_told_or_refused_by_name(address: int, code: int, data: bytes) -> None:
    with suppress(MalformedInput):
        assert as_json(decode_packet(packet(address, code, data)))["code"] == code


@given(st.binary(max_size=80))
def test_any_bytes_decode_or_are_refused_by_name(raw: bytes) -> None:
    with suppress(MalformedInput):
        as_json(decode_packet(raw))


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([0x60, 0x76, 0x77, 0x78]), st.binary(max_size=40)),
        max_size=8,
    )
)
def test_a_conversation_takes_any_packets_in_any_order(packets: list[tuple[bool, int, bytes]]) -> None:
    conversation = Conversation(bytes(16))
    for is_reply, code, data in packets:
        for scb in (b"", b"\x03\x11\x01", b"\x02\x15", b"\x02\x18"):
            with suppress(MalformedInput):
                conversation.hear(decode_packet(packet(0x80 * is_reply, code, data, scb=scb)))
