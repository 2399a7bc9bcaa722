"""What `lotgate decode` asks of a format, and what a format is. Next: edge/decode_formats/ (one per file).

A format is a module in `edge/decode_formats` that offers `FORMAT`; the module `ble` is `--format ble`. The folder is the
table: adding a format is one file, and no second place can be forgotten. The smallest one:

    def _answer(question: Question) -> Mapping[str, object]:
        return {"format": "morse", **read_morse(question.data, key=question.option("--key"))}

    FORMAT = Format(
        answer=_answer,
        options=(Option(flag="--key", metavar="HEX", help="the key of an encrypted message"),),
    )

`answer` is given the bytes and the options, and returns what is printed as one JSON object, in the words that the vectors of
the format call `normalized` where they have such. It raises `MalformedInput` where the bytes are not its protocol (exit
status 1), and `WrongUsage` where an option is (2). It opens nothing: a format is decoding, not hardware.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


class WrongUsage(Exception):
    """The arguments do not make a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option of the command line that a format reads. Two formats may name the same flag, each with its own help."""

    flag: str
    help: str
    metavar: str | None = None  # None: a switch, whose value is "yes" where it was given


DEVICE = Option(flag="--device", metavar="VENDOR/MODEL", help="whose payload it is, see --list")
TOPIC = Option(flag="--topic", metavar="T", help="the MQTT topic that it came on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked: the input's bytes, and the options that were given by their flags."""

    data: bytes
    options: Mapping[str, str] = field(default_factory=dict)

    def option(self, flag: str) -> str | None:
        """The option's value as it was written; None where it was not given."""
        return self.options.get(flag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How one format is asked for and answered."""

    answer: Callable[[Question], Mapping[str, object]]
    options: tuple[Option, ...] = ()
    needs: tuple[str, ...] = ()  # flags of options without which the question makes no sense
    text: bool = (
        False  # the input is the message itself; else its bytes in hexadecimal, unless --raw says otherwise
    )
