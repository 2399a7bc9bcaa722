"""What a plate camera sent by HTTP: the request's body, and its content type where it is multipart."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.camera.understanding import names, recognise, understand
from edge.decode_question import Format, Option, Question, WrongUsage


def _answer(question: Question) -> Mapping[str, object]:
    camera = question.option("--camera")
    content_type = question.option("--content-type") or _boundary_of(question.data)
    if camera is None:
        return recognise(content_type, question.data).as_json()
    if camera not in names():
        raise WrongUsage(f"--camera {camera!r} is none of {', '.join(names())}")
    return understand(camera, content_type, question.data).as_json()


def _boundary_of(body: bytes) -> str:
    """A multipart body says itself what its parts are divided by: its first line."""
    first = body.lstrip(b"\r\n")[:128].split(b"\r\n", 1)[0]
    if not first.startswith(b"--") or len(first) < 3:
        return ""
    return f'multipart/form-data; boundary="{first[2:].decode("latin-1")}"'


FORMAT = Format(
    answer=_answer,
    text=True,
    options=(
        Option(
            flag="--camera",
            metavar="FORMAT",
            help=f"whose body it is: {', '.join(names())}; left out, the first that knows it",
        ),
        Option(
            flag="--content-type",
            metavar="TYPE",
            help="the request's Content-Type; left out, a multipart body's first line tells",
        ),
    ),
)
