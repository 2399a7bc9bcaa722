"""`lotgate decode` over the collection of vectors beside this repository, where it is there: the formats of MQTT, of readers and of cameras."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import MalformedInput
from drivers.mqtt.sparkplug import SparkplugHost, SparkplugSettings
from drivers.mqtt.sparkplug_topic import parse_topic
from drivers.ports import SpotReading
from edge.decode_command import main
from tests.unit.drivers.mqtt.test_sparkplug import NOW

SHARED = Path(__file__).parents[3] / ".." / "shared" / "vectors"
ENVELOPE_FILES = {"chirpstack_v4_uplink": "chirpstack", "tts_v3_uplink": "tts"}

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="The shared vectors are not beside this checkout (../shared/vectors)."
)


def _vectors(pattern: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(SHARED.glob(pattern)):
        for vector in json.loads(path.read_text(encoding="utf-8"))["vectors"]:
            yield path.stem, vector


def _params(pattern: str) -> list[Any]:
    return [pytest.param(file, vector, id=f"{file}-{vector['id']}") for file, vector in _vectors(pattern)]


def _decode(capsys: pytest.CaptureFixture[str], *arguments: str, given: bytes = b"") -> dict[str, Any]:
    """What was printed; the complaint as `error` where it was refused."""
    status = main(["decode", *arguments], io.BytesIO(given))
    out, err = capsys.readouterr()
    assert (status, err.count("\n"), out.count("\n")) in {(0, 0, 1), (1, 1, 0)}
    said: dict[str, Any] = {"error": err} if status else json.loads(out)
    return said


def _assert_says(said: dict[str, Any], expected: dict[str, Any]) -> None:
    if "error" in expected:
        assert ": " in said["error"].removeprefix("lotgate decode: "), "field and problem"
    else:
        assert {name: said.get(name, "missing") for name in expected} == expected


@pytest.mark.parametrize(("file", "vector"), _params("lorawan/*.json"))
def test_a_frame_or_an_envelope(
    capsys: pytest.CaptureFixture[str], file: str, vector: dict[str, Any]
) -> None:
    if file in ENVELOPE_FILES:
        arguments = ["--format", ENVELOPE_FILES[file], "--topic", vector["topic"]]
        said = _decode(capsys, *arguments, given=json.dumps(vector["payload"]).encode())
        assert said["event"] == vector["event"]
        return
    device = file.replace("_", "/", 1)
    arguments = ["--format", "lorawan", "--device", device, "--fport", str(vector["fPort"])]
    said = _decode(capsys, *arguments, given=vector["bytes_hex"].encode())
    normalized = vector["normalized"]
    _assert_says(said, {"error": ""} if normalized.get("kind") == "error" else normalized)


@pytest.mark.parametrize(("file", "vector"), _params("zigbee2mqtt/*.json"))
def test_a_message_of_zigbee2mqtt(
    capsys: pytest.CaptureFixture[str], file: str, vector: dict[str, Any]
) -> None:
    arguments = ["--format", "zigbee2mqtt", "--topic", vector["topic"]]
    _assert_says(_decode(capsys, *arguments, given=vector["payload"].encode()), vector["expected"])


@pytest.mark.parametrize(("file", "vector"), _params("serial/*.json"))
def test_a_readers_line_of_which_nobody_says_the_style(
    capsys: pytest.CaptureFixture[str], file: str, vector: dict[str, Any]
) -> None:
    assert file == "lines"
    switch = ["--code-id"] if "code_id" in vector["expected"] else []
    expected = {"error": ""} if vector["expected"].get("parity_ok") is False else vector["expected"]
    _assert_says(_decode(capsys, "--format", "serial", *switch, vector["bytes_hex"]), expected)


@pytest.mark.parametrize(("file", "vector"), _params("anpr/*.json"))
def test_a_cameras_request_of_which_nobody_says_the_vendor(
    capsys: pytest.CaptureFixture[str], file: str, vector: dict[str, Any]
) -> None:
    body = (SHARED / "anpr" / vector["body_file"]).read_bytes()
    said = _decode(capsys, "--format", "anpr", "--content-type", vector["content_type"], given=body)
    expected = vector["expected"]
    plain = {name: value for name, value in expected.items() if name not in {"events", "readings"}}
    _assert_says(said, plain)
    for name in ("events", "readings"):
        assert len(said.get(name, ())) == len(expected[name]) if name in expected else True
    if "error" not in expected:
        assert _decode(capsys, "--format", "anpr", given=body) == said


def _births_before() -> Iterator[Any]:
    """Each Sparkplug vector with the birth that stands before it in the story for its node or device."""
    births: dict[str | None, str] = {}
    for _, vector in _vectors("sparkplug_b/*.json"):
        if "valid_topic" in vector["expected"]:
            continue
        device = vector["topic"].split("/")[4] if vector["topic"].count("/") == 4 else None
        yield pytest.param(vector, births.get(device), id=vector["id"])
        if "BIRTH" in vector["topic"]:
            births[device] = vector["payload_hex"]


@pytest.mark.parametrize(("vector", "birth"), list(_births_before()))
def test_a_message_of_sparkplug(
    capsys: pytest.CaptureFixture[str], vector: dict[str, Any], birth: str | None
) -> None:
    arguments = ["--format", "sparkplug", "--topic", vector["topic"]]
    if "payload_text" in vector:
        said = _decode(capsys, *arguments, "--raw", given=vector["payload_text"].encode())
    else:
        arguments += [] if birth is None else ["--birth", birth]
        said = _decode(capsys, *arguments, given=vector["payload_hex"].encode())
    _assert_says(said, vector["expected"])


def test_a_topic_of_sparkplug_is_one_or_is_refused() -> None:
    for _, vector in _vectors("sparkplug_b/*.json"):
        valid = vector["expected"].get("valid_topic")
        if valid is True:
            parse_topic(vector["topic"])
        elif valid is False:
            with pytest.raises(MalformedInput):
                parse_topic(vector["topic"])


def test_a_host_that_hears_the_whole_story_of_sparkplug_asks_for_a_birth_where_it_must() -> None:
    clock = iter(range(0, 10_000, 100))
    settings = SparkplugSettings(spots=("spot/*/occupied",))
    host = SparkplugHost(settings, now=lambda: NOW, monotonic=lambda: float(next(clock)))
    asked: set[str] = set()
    said: list[bool | None] = []
    for _, vector in _vectors("sparkplug_b/*.json"):
        if "payload_hex" not in vector or "error" in vector["expected"]:
            continue
        body = bytes.fromhex(vector["payload_hex"])
        if not body:
            with pytest.raises(MalformedInput, match="seq"):
                host.hear(vector["topic"], body, retained=False)
            continue
        heard = host.hear(vector["topic"], body, retained=False)
        if heard.replies:
            asked.add(vector["id"])
        said += [reading.occupied for reading in heard.readings if isinstance(reading, SpotReading)]
    must = {
        vector["id"]
        for _, vector in _vectors("sparkplug_b/*.json")
        if "alias" in vector.get("expected_action", "") or "NCMD" in vector.get("expected_action", "")
    }
    assert must <= asked
    assert said[:3] == [False, True, False]
