"""`lotgate decode`: what does this payload say? Prints one JSON object in the terms of its format.

Exit status: 0 it was understood; 1 it is malformed, and one line on standard error names the field and the problem; 2 the
command was used wrongly. A new format is one file in edge/decode_formats/, see edge/decode_question.py.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from drivers.errors import MalformedInput
from drivers.mqtt.decoder_registry import devices
from edge import decode_formats
from edge.decode_question import Format, Option, Question, WrongUsage

LARGEST_INPUT_BYTES = 1024 * 1024
EXAMPLES = """\
examples:
  lotgate decode --format lorawan --device bosch/tps110 --fport 1 01
  lotgate decode --format chirpstack --device nwave/nps405 < message.json
  lotgate decode --format zigbee2mqtt --topic zigbee2mqtt/gate '{"contact": true}'
  lotgate decode --format sparkplug --topic spBv1.0/STATE/lot-7 --raw '{"online": true, "timestamp": 1}'
  lotgate decode --format serial --reader em4100 0230313030363345394145323503
  lotgate decode --list
"""


def _found() -> dict[str, Format]:
    modules = sorted(module.name for module in pkgutil.iter_modules(decode_formats.__path__))
    return {name: importlib.import_module(f"{decode_formats.__name__}.{name}").FORMAT for name in modules}


FORMATS = _found()


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
    known = {option.flag for option in form.options}
    given: dict[str, str] = {
        flag: value for flag in _options() if (value := getattr(options, _name(flag))) is not None
    }
    for flag in given:
        if flag not in known:
            raise WrongUsage(f"--format {options.format} does not know {flag}")
    for need in form.needs:
        if need not in given:
            raise WrongUsage(f"--format {options.format} needs {need}")
    data = _data(options.payload, standard_input, raw=form.text or options.raw)
    return form.answer(Question(data=data, options=given))


def _data(payload: str, standard_input: BinaryIO, *, raw: bool) -> bytes:
    data = (
        payload.encode(errors="surrogateescape")
        if payload != "-"
        else standard_input.read(LARGEST_INPUT_BYTES + 1)
    )
    if len(data) > LARGEST_INPUT_BYTES:
        raise MalformedInput("input", f"more than {LARGEST_INPUT_BYTES} bytes")
    if raw:
        return data
    try:
        return bytes.fromhex(data.decode("ascii"))
    except ValueError as wrong:
        raise MalformedInput("payload", "not hexadecimal, two digits a byte") from wrong


def _options() -> Mapping[str, list[tuple[str, Option]]]:
    """Each flag, with the formats that know it."""
    found: dict[str, list[tuple[str, Option]]] = {}
    for name, form in FORMATS.items():
        for option in form.options:
            found.setdefault(option.flag, []).append((name, option))
    return found


def _name(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


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
        metavar="INPUT",
        help=f"bytes in hexadecimal; of {_texts()} the message itself; - or nothing reads standard input",
    )
    parser.add_argument("--format", choices=FORMATS, help="what the input is")
    parser.add_argument("--raw", action="store_true", help="the input is the bytes themselves, as they came")
    for flag, formats in _options().items():
        _add(parser, flag, formats)
    parser.add_argument("--list", action="store_true", help="list the devices that can be decoded")
    parser.add_argument("--json", action="store_true", help="list as JSON; all other output is JSON anyway")
    return parser


def _texts() -> str:
    return ", ".join(name for name, form in FORMATS.items() if form.text)


def _add(parser: argparse.ArgumentParser, flag: str, formats: Sequence[tuple[str, Option]]) -> None:
    by_help: dict[str, list[str]] = {}
    for name, option in formats:
        by_help.setdefault(option.help, []).append(name)
    text = "; ".join(f"{', '.join(names)}: {said}" for said, names in by_help.items()).replace("%", "%%")
    metavar = formats[0][1].metavar
    if metavar is None:
        parser.add_argument(flag, dest=_name(flag), action="store_const", const="yes", help=text)
    else:
        parser.add_argument(flag, dest=_name(flag), metavar=metavar, help=text)
