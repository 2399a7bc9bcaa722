"""`lotgate decode`: what does this payload say? Prints one JSON object in the terms of drivers/mqtt/decoded.py.

Exit status: 0 it was understood; 1 it is malformed, and one line on standard error names the field and the problem; 2 the
command was used wrongly. A new format is one entry in `FORMATS`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from drivers.errors import MalformedInput
from drivers.mqtt.decoder_registry import decoder_of, devices
from drivers.mqtt.envelopes import Uplink, parse_chirpstack, parse_things_stack, readings_of
from drivers.ports import CodeReading, MalformedReading
from drivers.serial_port.lines import Heard, LineReader, ReaderStyle, ReaderTalk

LARGEST_INPUT_BYTES = 1024 * 1024
EXAMPLES = """\
examples:
  lotgate decode --format lorawan --device bosch/tps110 --fport 1 01
  lotgate decode --format chirpstack --device nwave/nps405 < message.json
  lotgate decode --format serial --reader em4100 0230313030363345394145323503
  lotgate decode --list
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked, after the arguments were found usable."""

    data: bytes
    device: str | None
    f_port: int | None
    topic: str | None
    reader: ReaderTalk


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How one format is asked for and answered."""

    answer: Callable[[Question], Mapping[str, object]]
    text: bool = False  # the input is the message itself and not its bytes in hexadecimal
    needs: tuple[str, ...] = ()  # options without which the question makes no sense


class WrongUsage(Exception):
    """The arguments do not make a question."""


def _lorawan(question: Question) -> Mapping[str, object]:
    device = question.device or ""
    return {"device": device, **decoder_of(device)(question.data, question.f_port or 0).as_json()}


def _chirpstack(question: Question) -> Mapping[str, object]:
    return _envelope(parse_chirpstack(question.data, question.topic), question)


def _things_stack(question: Question) -> Mapping[str, object]:
    return _envelope(parse_things_stack(question.data, question.topic), question)


def _envelope(uplink: Uplink, question: Question) -> Mapping[str, object]:
    """Readings need a decoder: that of `--device`, else that which the server's own profile is named after."""
    device = question.device or uplink.profile
    readings: list[dict[str, object]] = []
    if device in devices():
        for reading in readings_of(uplink, decoder_of(device)):
            said = {"occupied": reading.occupied} if reading.occupied is not None else {}
            readings.append(
                {"device": device, "kind": reading.attributes["kind"], **said, **reading.attributes}
            )
    return {
        "format": uplink.format,
        "event": uplink.event,
        "device_eui": uplink.device_eui,
        "device_name": uplink.device_name,
        "f_port": uplink.f_port,
        "f_cnt": uplink.f_cnt,
        "received_at": uplink.received_text,
        "duplicate_key": uplink.duplicate_key,
        "rssi_dbm": uplink.rssi_dbm,
        "snr_db": uplink.snr_db,
        "payload": uplink.payload.hex(),
        "readings": readings,
    }


def _serial(question: Question) -> Mapping[str, object]:
    reader = LineReader("reader", question.reader)
    readings = [_heard(heard) for heard in reader.feed(question.data)]
    return {
        "format": "serial",
        "reader": question.reader.style.value,
        "readings": readings,
        "incomplete": reader.waiting > 0,
        "skipped": reader.skipped,
    }


def _heard(heard: Heard) -> Mapping[str, object]:
    match heard:
        case MalformedReading():
            raise MalformedInput(heard.field, heard.problem)
        case CodeReading():
            symbology = {"symbology": heard.symbology} if heard.symbology else {}
            return {"text": heard.text, **symbology, **heard.attributes}
        case _:
            return {"format": "noread"}


FORMATS: dict[str, Format] = {
    "lorawan": Format(answer=_lorawan, needs=("--device", "--fport")),
    "chirpstack": Format(answer=_chirpstack, text=True),
    "tts": Format(answer=_things_stack, text=True),
    "serial": Format(answer=_serial),
}


def main(arguments: Sequence[str], standard_input: BinaryIO | None = None) -> int:
    """Run `lotgate decode …` (`arguments[0]` is "decode"); returns the exit status."""
    try:
        options = _parser().parse_args(arguments[1:])
    except SystemExit as told:  # argparse has printed its help or its complaint
        return int(told.code or 0)
    try:
        if options.list:
            _print(list(devices()) if options.json else None, lines=devices())
        else:
            _print(_answer(options, standard_input or sys.stdin.buffer))
    except WrongUsage as wrong:
        sys.stderr.write(f"lotgate decode: {wrong}\n")
        return 2
    except MalformedInput as wrong:
        sys.stderr.write(f"lotgate decode: {wrong}\n")
        return 1
    return 0


def _print(answer: object, *, lines: Sequence[str] = ()) -> None:
    sys.stdout.write("\n".join(lines) + "\n" if answer is None else json.dumps(answer) + "\n")


def _answer(options: argparse.Namespace, standard_input: BinaryIO) -> Mapping[str, object]:
    if options.format is None:
        raise WrongUsage(f"--format is missing: one of {', '.join(FORMATS)}")
    form = FORMATS[options.format]
    given = {"--device": options.device, "--fport": options.fport}
    for need in form.needs:
        if given[need] is None:
            raise WrongUsage(f"--format {options.format} needs {need}")
    if options.device is not None and options.device not in devices():
        raise WrongUsage(f"--device {options.device!r} is unknown, --list names those that are known")
    if form.text and options.payload != "-":
        raise WrongUsage(f"--format {options.format} reads the message from standard input")
    return form.answer(
        Question(
            data=_data(options.payload, standard_input, text=form.text),
            device=options.device,
            f_port=options.fport,
            topic=options.topic,
            reader=ReaderTalk(style=ReaderStyle(options.reader), code_id=options.code_id),
        )
    )


def _data(payload: str, standard_input: BinaryIO, *, text: bool) -> bytes:
    data = (
        payload.encode(errors="replace") if payload != "-" else standard_input.read(LARGEST_INPUT_BYTES + 1)
    )
    if len(data) > LARGEST_INPUT_BYTES:
        raise MalformedInput("input", f"more than {LARGEST_INPUT_BYTES} bytes")
    if text:
        return data
    try:
        return bytes.fromhex(data.decode("ascii"))
    except ValueError as wrong:
        raise MalformedInput("payload", "not hexadecimal, two digits a byte") from wrong


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= port <= 255:
        raise argparse.ArgumentTypeError(f"{text!r} is no LoRaWAN port, 0 to 255")
    return port


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lotgate decode",
        description="What does this payload say? Prints one JSON object.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "payload",
        nargs="?",
        default="-",
        metavar="HEX",
        help="the bytes in hexadecimal; - or nothing reads standard input, where an envelope always comes from",
    )
    parser.add_argument("--format", choices=FORMATS, help="what the input is")
    parser.add_argument("--device", metavar="VENDOR/MODEL", help="whose payload it is, see --list")
    parser.add_argument("--fport", type=_port, metavar="N", help="the LoRaWAN port it came on, 0 to 255")
    parser.add_argument(
        "--topic", metavar="T", help="the MQTT topic an envelope came on; its event is named there"
    )
    parser.add_argument(
        "--reader", choices=list(ReaderStyle), default=ReaderStyle.CODE, help="how a serial reader talks"
    )
    parser.add_argument("--code-id", action="store_true", help="a code identifier letter leads each scan")
    parser.add_argument("--list", action="store_true", help="list the devices that can be decoded")
    parser.add_argument("--json", action="store_true", help="list as JSON; all other output is JSON anyway")
    return parser
