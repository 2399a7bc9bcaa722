"""A LoRaWAN device's own frame, by the device's decoder."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.mqtt.decoder_registry import decoder_of, devices
from edge.decode_question import DEVICE, Format, Option, Question, WrongUsage

LAST_PORT = 255


def known_device(question: Question) -> str | None:
    """The device that `--device` names; None where it is not given.

    Raises:
        WrongUsage: nobody decodes it.
    """
    device = question.option("--device")
    if device is not None and device not in devices():
        raise WrongUsage(f"--device {device!r} is unknown, --list names those that are known")
    return device


def _answer(question: Question) -> Mapping[str, object]:
    device = known_device(question) or ""
    return {"device": device, **decoder_of(device)(question.data, _port(question)).as_json()}


def _port(question: Question) -> int:
    text = question.option("--fport") or ""
    port = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else -1
    if not 0 <= port <= LAST_PORT:
        raise WrongUsage(f"--fport {text!r} is no LoRaWAN port, 0 to {LAST_PORT}")
    return port


FORMAT = Format(
    answer=_answer,
    options=(DEVICE, Option(flag="--fport", metavar="N", help="the port it came on, 0 to 255")),
    needs=("--device", "--fport"),
)
