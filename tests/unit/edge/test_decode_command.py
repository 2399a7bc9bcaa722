from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from drivers.mqtt.decoder_registry import devices
from edge.decode_command import FORMATS, main
from simulators.wire.envelopes import Transmission, chirpstack_up, things_stack_up
from simulators.wire.sensor_frames import SensorFrame

SENT = Transmission(
    device_eui="0004a30b001c0530",
    device="bosch/tps110",
    frame=SensorFrame(2, b"\x01\x12"),
    f_cnt=7,
    received_at=datetime(2026, 11, 24, 8, 15, 30, tzinfo=UTC),
    identity="3ac7e3c4",
)
STATUS = ["--format", "lorawan", "--device", "bosch/tps110", "--fport", "1"]


def _ask(capsys: pytest.CaptureFixture[str], *arguments: str, given: bytes = b"") -> Any:
    status = main(["decode", *arguments], io.BytesIO(given))
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    return json.loads(out)


def _fail(capsys: pytest.CaptureFixture[str], *arguments: str, given: bytes = b"") -> tuple[int, str]:
    status = main(["decode", *arguments], io.BytesIO(given))
    out, err = capsys.readouterr()
    assert out == ""
    return status, err


@pytest.mark.parametrize(("arguments", "given"), [(["01"], b""), (["-"], b"01\n"), ([], b" 01 ")])
def test_a_frame_is_printed_in_the_words_of_all_vendors(
    capsys: pytest.CaptureFixture[str], arguments: list[str], given: bytes
) -> None:
    assert _ask(capsys, *STATUS, *arguments, given=given) == {
        "device": "bosch/tps110",
        "kind": "status",
        "occupied": True,
    }


def test_an_envelope_is_printed_with_its_readings_where_the_profile_names_the_device(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = _ask(capsys, "--format", "chirpstack", given=chirpstack_up(SENT).body)
    assert said == {
        "format": "chirpstack",
        "event": "up",
        "device_eui": "0004a30b001c0530",
        "device_name": "0004a30b001c0530",
        "f_port": 2,
        "f_cnt": 7,
        "received_at": "2026-11-24T08:15:30Z",
        "duplicate_key": "3ac7e3c4",
        "rssi_dbm": -87,
        "snr_db": 7.5,
        "payload": "0112",
        "readings": [{"device": "bosch/tps110", "kind": "heartbeat", "occupied": True, "temperature_c": 18}],
    }


def test_the_device_that_was_given_wins_over_the_profile(capsys: pytest.CaptureFixture[str]) -> None:
    state = replace(SENT, frame=SensorFrame(1, b"\x01"))
    said = _ask(capsys, "--format", "tts", "--device", "nwave/nps310", given=things_stack_up(state).body)
    assert (said["event"], said["duplicate_key"]) == ("uplink_message", "3ac7e3c4:7")
    assert said["readings"] == [{"device": "nwave/nps310", "kind": "status", "occupied": True}]


def test_without_a_known_device_an_envelope_has_no_readings(capsys: pytest.CaptureFixture[str]) -> None:
    body = chirpstack_up(SENT).body.replace(b"bosch/tps110", b"something else")
    assert _ask(capsys, "--format", "chirpstack", given=body)["readings"] == []


def test_an_event_without_a_frame_is_named_by_its_topic(capsys: pytest.CaptureFixture[str]) -> None:
    body = b'{"deviceInfo": {"devEui": "0004a30b001c0530"}}'
    said = _ask(capsys, "--format", "chirpstack", "--topic", "application/1/device/2/event/join", given=body)
    assert (said["event"], said["f_port"], said["payload"], said["readings"]) == ("join", None, "", [])


def test_a_readers_line_is_printed_with_its_codes(capsys: pytest.CaptureFixture[str]) -> None:
    said = _ask(capsys, "--format", "serial", "5d51315431200d4e520d4142")
    assert said["readings"] == [
        {"text": "T1 ", "symbology": "QR", "format": "code", "aim": "]Q1"},
        {"format": "noread"},
    ]
    assert said["incomplete"] is True
    said = _ask(capsys, "--format", "serial", "--reader", "wiegand", "3832363037330d0a")
    assert said["readings"][0]["card"] == 12345


def test_a_message_that_is_text_may_be_the_argument(capsys: pytest.CaptureFixture[str]) -> None:
    said = _ask(capsys, "--format", "chirpstack", chirpstack_up(SENT).body.decode())
    assert said["f_cnt"] == 7


def test_raw_input_is_the_bytes_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    for argument, given in (("T1 \r", b""), ("-", b"T1 \r")):
        said = _ask(capsys, "--format", "serial", "--raw", argument, given=given)
        assert said["readings"] == [{"text": "T1 ", "format": "code"}]


def test_every_format_is_named_and_explains_its_options() -> None:
    assert set(FORMATS) >= {"chirpstack", "lorawan", "serial", "tts"}
    for form in FORMATS.values():
        flags = [option.flag for option in form.options]
        assert len(set(flags)) == len(flags)
        assert set(form.needs) <= set(flags)
        assert all(option.help and option.flag.startswith("--") for option in form.options)


def test_a_body_that_is_no_form_is_refused_in_one_line_and_nothing_is_logged(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    status, err = _fail(capsys, "--format", "anpr", given=b"--x\r\nbad[header\r\n")
    assert (status, err.count("\n"), caplog.records) == (1, 1, [])


def test_the_devices_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "--list"], io.BytesIO()) == 0
    assert capsys.readouterr().out.split() == list(devices())
    assert _ask(capsys, "--list", "--json") == list(devices())


@pytest.mark.parametrize(
    ("arguments", "given", "named"),
    [
        ([*STATUS, "0101"], b"", "payload"),
        ([*STATUS, "0g"], b"", "payload: not hexadecimal"),
        ([*STATUS, "0\udcff"], b"", "payload: not hexadecimal"),
        ([*STATUS], b"\xff", "payload: not hexadecimal"),
        ([*STATUS], b"0" * 1_100_000, "input"),
        (
            ["--format", "lorawan", "--device", "bosch/tps110", "--fport", "99", "01"],
            b"",
            "fPort: 99 is unknown",
        ),
        (["--format", "chirpstack"], b"{", "body: not JSON"),
        (
            ["--format", "chirpstack", "--device", "nwave/nps310"],
            chirpstack_up(SENT).body,
            "payload: 2 bytes",
        ),
        (["--format", "tts"], b"{}", "event"),
        (["--format", "serial", "--reader", "em4100", "02303103"], b"", "digits: 12 hexadecimal"),
    ],
)
def test_malformed_input_exits_1_with_one_line_that_names_what_is_wrong(
    capsys: pytest.CaptureFixture[str], arguments: list[str], given: bytes, named: str
) -> None:
    status, err = _fail(capsys, *arguments, given=given)
    assert status == 1
    assert err.startswith(f"lotgate decode: {named}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--format is missing"),
        (["--format", "morse"], "morse"),
        (["--format", "lorawan", "--fport", "1", "01"], "needs --device"),
        (["--format", "lorawan", "--device", "bosch/tps110", "01"], "needs --fport"),
        (["--format", "lorawan", "--device", "bosch/none", "--fport", "1", "01"], "--list"),
        (["--format", "lorawan", "--device", "bosch/tps110", "--fport", "256", "01"], "0 to 255"),
        (["--format", "lorawan", "--device", "bosch/tps110", "--fport", "²", "01"], "0 to 255"),
        (["--format", "serial", "--reader", "parrot", "01"], "none of code"),
        (["--format", "serial", "--topic", "a/b", "01"], "does not know --topic"),
        (["--volume", "11"], "--volume"),
    ],
)
def test_wrong_usage_exits_2(capsys: pytest.CaptureFixture[str], arguments: list[str], named: str) -> None:
    status, err = _fail(capsys, *arguments)
    assert status == 2
    assert named in err


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "--help"], io.BytesIO()) == 0
    assert "lotgate decode --format lorawan --device bosch/tps110 --fport 1 01" in capsys.readouterr().out
