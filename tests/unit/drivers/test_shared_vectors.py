"""Every LoRaWAN and serial vector of the collection beside this repository, where it is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import MalformedInput
from drivers.mqtt.decoder_registry import decoder_of, devices
from drivers.mqtt.envelopes import ENVELOPES
from drivers.ports import CodeReading, MalformedReading
from drivers.serial_port.lines import LineReader, NoRead, ReaderStyle, ReaderTalk

SHARED = Path(__file__).parents[3] / ".." / "shared" / "vectors"
ENVELOPE_FILES = {"chirpstack_v4_uplink": "chirpstack", "tts_v3_uplink": "tts"}
STYLES = {
    "em4100": ReaderStyle.EM4100,
    "bin-bcc": ReaderStyle.EM4100_BINARY,
    "wiegand-w": ReaderStyle.WIEGAND,
    "wiegand-text": ReaderStyle.WIEGAND_TEXT,
    "mifare": ReaderStyle.UID,
    "uid": ReaderStyle.UID,
}
WRONG_FIELDS = {
    "checksum mismatch": "checksum",
    "12 hex digits expected": "digits",
    "not hexadecimal": "digits",
    "BCC mismatch": "BCC",
    "parity": "parity",
}

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="The shared vectors are not beside this checkout (../shared/vectors)."
)


def _vectors(folder: str) -> Iterator[Any]:
    for path in sorted((SHARED / folder).glob("*.json")):
        for vector in json.loads(path.read_text(encoding="utf-8"))["vectors"]:
            yield pytest.param(path.stem, vector, id=f"{path.stem}-{vector['id']}")


LORAWAN = list(_vectors("lorawan"))
FRAMES = [vector for vector in LORAWAN if vector.values[0] not in ENVELOPE_FILES]
ENVELOPE_MESSAGES = [vector for vector in LORAWAN if vector.values[0] in ENVELOPE_FILES]


@pytest.mark.parametrize(("file", "vector"), FRAMES)
def test_a_frame_says_what_the_collection_says(file: str, vector: dict[str, Any]) -> None:
    decode = decoder_of(file.replace("_", "/", 1))
    try:
        said: dict[str, object] = dict(decode(bytes.fromhex(vector["bytes_hex"]), vector["fPort"]).as_json())
    except MalformedInput:
        said = {"kind": "error"}
    assert {name: said.get(name, "missing") for name in vector["normalized"]} == vector["normalized"]


def test_every_device_of_the_collection_is_known() -> None:
    files = {path.stem for path in (SHARED / "lorawan").glob("*.json")} - set(ENVELOPE_FILES)
    assert {file.replace("_", "/", 1) for file in files} <= set(devices())


@pytest.mark.parametrize("with_topic", [True, False], ids=["topic", "no-topic"])
@pytest.mark.parametrize(("file", "vector"), ENVELOPE_MESSAGES)
def test_an_envelope_says_what_the_collection_says(
    file: str, vector: dict[str, Any], with_topic: bool
) -> None:
    body = json.dumps(vector["payload"]).encode()
    uplink = ENVELOPES[ENVELOPE_FILES[file]](body, vector["topic"] if with_topic else None)
    assert uplink.event == vector["event"]
    expected = vector.get("expected")
    if expected:
        assert uplink.device_eui == expected["dev_eui"]
        assert (uplink.f_port, uplink.f_cnt) == (expected["fPort"], expected["fCnt"])
        assert uplink.payload.hex() == expected["frm_payload_hex"]
        assert (uplink.rssi_dbm, uplink.snr_db) == (expected["rssi"], expected["snr"])
        assert uplink.received_text == (expected.get("time") or expected["received_at"])
        assert uplink.received_at is not None
        assert uplink.duplicate_key


@pytest.mark.parametrize(("file", "vector"), list(_vectors("serial")))
def test_a_line_says_what_the_collection_says(file: str, vector: dict[str, Any]) -> None:
    assert file == "lines"
    style = next((style for head, style in STYLES.items() if vector["id"].startswith(head)), ReaderStyle.CODE)
    reader = LineReader("reader", ReaderTalk(style=style, code_id=vector["id"].startswith("honeywell")))
    data = bytes.fromhex(vector["bytes_hex"])
    heard = [one for byte in data for one in reader.feed(bytes([byte]))]
    expected = vector["expected"]
    if "error" in expected or expected.get("parity_ok") is False:
        assert [one.field for one in heard if isinstance(one, MalformedReading)] == [
            WRONG_FIELDS[expected.get("error", "parity")]
        ]
        assert len(heard) == 1
    elif "incomplete" in expected:
        assert (heard, reader.waiting) == ([], len(data))
    elif "ignored" in expected:
        assert (heard, reader.waiting) == ([], 0)
    elif expected["format"] == "noread":
        assert heard == [NoRead(device="reader")]
    else:
        codes = [one for one in heard if isinstance(one, CodeReading)]
        assert len(codes) == len(heard) == expected.get("frames", len(expected.get("texts", [""])))
        assert reader.skipped == expected.get("skipped", 0)
        if "texts" in expected:
            assert [code.text for code in codes] == expected["texts"]
        for code in codes:
            said = {"text": code.text, "symbology": code.symbology, **code.attributes}
            asked = {
                name: said.get(name, "missing")
                for name in expected
                if name not in {"frames", "skipped", "texts"}
            }
            assert asked == {name: expected[name] for name in asked}
