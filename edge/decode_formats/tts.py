"""A message of The Things Stack v3, with the readings in its frame."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.mqtt.envelopes import parse_things_stack
from edge.decode_formats.chirpstack import enveloped
from edge.decode_question import DEVICE, TOPIC, Format, Question


def _answer(question: Question) -> Mapping[str, object]:
    return enveloped(parse_things_stack(question.data, question.option("--topic")), question)


FORMAT = Format(answer=_answer, options=(DEVICE, TOPIC), text=True)
