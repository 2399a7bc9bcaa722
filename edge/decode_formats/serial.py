"""What a reader of tickets, cards or codes sent over its serial line: the first one's words, then all that came."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.errors import MalformedInput
from drivers.ports import CodeReading, MalformedReading
from drivers.serial_port.guess import likely_style
from drivers.serial_port.lines import Heard, LineReader, ReaderStyle, ReaderTalk
from drivers.serial_port.wrapping import BARE, Checksum, Wrapping
from edge.decode_question import Format, Option, Question, WrongUsage


def _answer(question: Question) -> Mapping[str, object]:
    talk = ReaderTalk(
        style=_style(question), wrapping=_wrapping(question), code_id=question.option("--code-id") is not None
    )
    reader = LineReader("reader", talk)
    readings = [_heard(heard) for heard in reader.feed(question.data)]
    return {
        "format": "serial",
        **(readings[0] if readings else {}),
        "reader": talk.style.value,
        "reader_guessed": question.option("--reader") is None,
        "readings": readings,
        "texts": [reading["text"] for reading in readings if "text" in reading],
        "frames": len(readings),
        "incomplete": reader.waiting > 0,
        "ignored": not readings and not reader.waiting,
        "skipped": reader.skipped,
    }


def _style(question: Question) -> ReaderStyle:
    said = question.option("--reader")
    if said is None:
        is_code = question.option("--code-id") is not None or _wrapping(question) != BARE
        return ReaderStyle.CODE if is_code else likely_style(question.data)
    try:
        return ReaderStyle(said)
    except ValueError:
        raise WrongUsage(f"--reader {said!r} is none of {', '.join(ReaderStyle)}") from None


def _wrapping(question: Question) -> Wrapping:
    said = question.option("--checksum") or Checksum.NONE.value
    if said not in list(Checksum):
        raise WrongUsage(f"--checksum {said!r} is none of {', '.join(Checksum)}")
    return Wrapping(
        prefix=question.option("--prefix") or "",
        suffix=question.option("--suffix") or "",
        checksum=Checksum(said),
    )


def _heard(heard: Heard) -> Mapping[str, object]:
    match heard:
        case MalformedReading():
            raise MalformedInput(heard.field, heard.problem)
        case CodeReading():
            symbology = {"symbology": heard.symbology} if heard.symbology else {}
            return {"text": heard.text, **symbology, **heard.attributes}
        case _:
            return {"format": "noread"}


FORMAT = Format(
    answer=_answer,
    options=(
        Option(
            flag="--reader",
            metavar="STYLE",
            help=f"how the reader talks: {', '.join(ReaderStyle)}; left out, it is guessed",
        ),
        Option(flag="--prefix", metavar="TEXT", help="what the reader puts before each line"),
        Option(flag="--suffix", metavar="TEXT", help="what it puts after it, the line's end left out"),
        Option(
            flag="--checksum",
            metavar="KIND",
            help=f"two hexadecimal digits before the suffix: {', '.join(Checksum)}",
        ),
        Option(flag="--code-id", help="a code identifier letter leads each scan"),
    ),
)
