"""Every OSDP vector of the collection beside this repository, where it is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import MalformedInput
from drivers.osdp.packet import decode_packet
from drivers.osdp.payloads import as_json
from drivers.osdp.secure_channel import Conversation, SessionKeys, diversified

SHARED = Path(__file__).parents[4] / ".." / "shared" / "vectors" / "osdp"

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="The shared vectors are not beside this checkout (../shared/vectors)."
)


def _vectors(file: str) -> list[Any]:
    if not SHARED.is_dir():
        return []
    return [
        pytest.param(vector, id=vector["id"])
        for vector in json.loads((SHARED / file).read_text(encoding="utf-8"))["vectors"]
    ]


SECURE = [vector.values[0] for vector in _vectors("secure_channel.json")]


@pytest.mark.parametrize("vector", _vectors("packets.json"))
def test_a_packet_says_what_the_collection_says(vector: dict[str, Any]) -> None:
    expected = vector["expected"]
    raw = bytes.fromhex(vector["packet_hex"])
    if "error" in expected:
        with pytest.raises(MalformedInput) as refused:
            decode_packet(raw)
        assert expected["error"] in refused.value.problem
        return
    said = as_json(decode_packet(raw))
    assert {name: said.get(name, "missing") for name in expected} == expected


@pytest.mark.parametrize(
    "vector", [each for each in SECURE if "cp_random" in each], ids=lambda each: each["id"]
)
def test_a_sessions_keys_are_those_of_the_collection(vector: dict[str, Any]) -> None:
    cp_random, pd_random = bytes.fromhex(vector["cp_random"]), bytes.fromhex(vector["pd_random"])
    keys = SessionKeys.derive(bytes.fromhex(vector["scbk"]), cp_random)
    cp_cryptogram = keys.cp_cryptogram(cp_random, pd_random)
    made = {
        "s_enc": keys.s_enc,
        "s_mac1": keys.s_mac1,
        "s_mac2": keys.s_mac2,
        "pd_cryptogram": keys.pd_cryptogram(cp_random, pd_random),
        "cp_cryptogram": cp_cryptogram,
        "rmac_i": keys.first_reply_mac(cp_cryptogram),
    }
    assert {name: value.hex() for name, value in made.items()} == vector["expected"]


@pytest.mark.parametrize(
    "vector", [each for each in SECURE if "master_key" in each], ids=lambda each: each["id"]
)
def test_a_readers_key_is_derived_from_the_sites(vector: dict[str, Any]) -> None:
    made = diversified(bytes.fromhex(vector["master_key"]), bytes.fromhex(vector["cuid"]))
    assert made.hex() == vector["expected"]["scbk"]


@pytest.mark.parametrize(
    "vector", [each for each in SECURE if "traffic" in each], ids=lambda each: each["id"]
)
def test_a_session_is_followed_from_its_challenge_to_its_last_packet(vector: dict[str, Any]) -> None:
    conversation = Conversation(bytes.fromhex(vector["scbk"]))
    for step in vector["handshake"]:
        packet = decode_packet(bytes.fromhex(step["packet_hex"]))
        assert as_json(packet)["name"] == step["name"]
        conversation.hear(packet)
    for step in vector["traffic"]:
        packet = decode_packet(bytes.fromhex(step["packet_hex"]))
        assert conversation.hear(packet).hex() == step["plain_data"]
        assert (packet.code, packet.mac.hex()) == (step["code"], step["mac"][:8])


@pytest.mark.parametrize(
    "vector", [each for each in SECURE if "session" in each], ids=lambda each: each["id"]
)
def test_a_mac_that_was_tampered_with_ends_the_session(vector: dict[str, Any]) -> None:
    session = next(each for each in SECURE if each["id"] == vector["session"])
    conversation = Conversation(bytes.fromhex(session["scbk"]))
    for step in [*session["handshake"], session["traffic"][0]]:
        conversation.hear(decode_packet(bytes.fromhex(step["packet_hex"])))
    with pytest.raises(MalformedInput) as refused:
        conversation.hear(decode_packet(bytes.fromhex(vector["packet_hex"])))
    assert refused.value.problem == vector["expected"]["error"]
