"""`lotgate decode` for card readers' lines and for the air: whole sessions, keys from files, faults by name."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from edge.decode_command import main

# SIA OSDP 2.1.7, annex E: POLL to reader 5, and its answer.
POLL, ACK = "5305080005608dba", "538508000540" + "3fbc"
IBEACON = "0201061aff4c000215f7826da64fa24e988024bc5b71e0893e00010011c5"
KEY = bytes(range(16))
ADDRESS = "54:48:E6:8F:80:A5"


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    status = main(["decode", *arguments], io.BytesIO())
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    return json.loads(out)


def fail(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(["decode", *arguments], io.BytesIO())
    return status, capsys.readouterr().err


def sealed(objects: bytes) -> str:
    address = bytes.fromhex(ADDRESS.replace(":", ""))
    number = (7).to_bytes(4, "little")
    made = AESCCM(KEY, tag_length=4).encrypt(address + b"\xd2\xfc\x41" + number, objects, None)
    return (b"\x41" + made[:-4] + number + made[-4:]).hex()


def test_one_packet_is_one_object_and_several_are_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    one = ask(capsys, "--format", "osdp", "ff" + POLL)
    assert (one["name"], one["address"], one["sequence"]) == ("POLL", 5, 1)
    both = ask(capsys, "--format", "osdp", POLL + ACK)
    assert [(each["dir"], each["name"]) for each in both["packets"]] == [
        ("command", "POLL"),
        ("reply", "ACK"),
    ]


def test_what_is_between_packets_is_told_as_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(capsys, "--format", "osdp", POLL + "0102" + ACK) == (
        1,
        "lotgate decode: SOM: bytes that are no packet\n",
    )


def test_a_session_that_began_before_is_not_followed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key = tmp_path / "reader.key"
    key.write_text(KEY.hex())
    signed = "53050e000e021560cfc0ec6ddde1"
    status, told = fail(capsys, "--format", "osdp", "--key-file", str(key), signed)
    assert (status, told) == (1, "lotgate decode: session: no challenge was heard before this packet\n")


def test_a_key_that_is_none_is_wrong_usage_and_is_never_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key = tmp_path / "reader.key"
    key.write_text("5ec2e7")
    status, told = fail(capsys, "--format", "osdp", "--key-file", str(key), POLL)
    assert (status, "5ec2e7" in told) == (2, False)


def test_an_encrypted_sensor_is_read_with_its_address_and_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key = tmp_path / "sensor.key"
    key.write_text(KEY.hex())
    known = ("--address", ADDRESS, "--key-file", str(key))
    said = ask(capsys, "--format", "bthome", *known, sealed(b"\x23\x01"))
    assert (said["decrypted"], said["binary"], said["problem"]) == (True, {"occupancy": True}, None)
    unknown = ask(capsys, "--format", "bthome", sealed(b"\x23\x01"))
    assert (unknown["decrypted"], unknown["problem"]) == (
        False,
        "key: the message is encrypted and no key is known",
    )
    assert fail(capsys, "--format", "bthome", "--address", "here", "40")[0] == 2


def test_an_advertisement_is_a_beacon_a_sensor_or_neither(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(capsys, "--format", "ble", IBEACON)["type"] == "ibeacon"
    assert ask(capsys, "--format", "ble", "0616d2fc402301")["binary"] == {"occupancy": True}
    assert ask(capsys, "--format", "ble", "020106") == {"format": "ble", "type": "unknown"}
    assert fail(capsys, "--format", "ble", "1fff") == (
        1,
        "lotgate decode: length: AD length runs past the packet\n",
    )
