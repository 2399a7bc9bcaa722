"""BTHome v2: the service data of UUID FCD2."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from drivers.ble.addresses import read_address
from drivers.ble.bthome import read_bthome
from drivers.errors import MalformedInput
from drivers.key_file import read_key
from edge.decode_question import Format, Option, Question, WrongUsage

ADDRESS = Option(
    flag="--address", metavar="MAC", help="the sender's address, needed to decrypt: A4:C1:38:8D:18:B2"
)
KEY_FILE = Option(flag="--key-file", metavar="FILE", help="32 hexadecimal digits: the device's bind key")


def said_by(data: bytes, question: Question) -> Mapping[str, object]:
    """One message of a BTHome device."""
    return read_bthome(data, address=_address(question), key=_key(question)).as_json()


def _address(question: Question) -> bytes:
    text = question.option("--address")
    if text is None:
        return b""
    try:
        return read_address(text)
    except ValueError as wrong:
        raise WrongUsage(f"--address {wrong}") from wrong


def _key(question: Question) -> bytes | None:
    path = question.option("--key-file")
    if path is None:
        return None
    try:
        return read_key(Path(path))
    except (OSError, MalformedInput) as refused:
        raise WrongUsage(f"--key-file {path}: {refused}") from refused


def _answer(question: Question) -> Mapping[str, object]:
    return {"format": "bthome", **said_by(question.data, question)}


FORMAT = Format(answer=_answer, options=(ADDRESS, KEY_FILE))
