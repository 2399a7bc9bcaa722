"""What a printer's bytes mean, from the tables of its makers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import MalformedInput
from drivers.ports import Condition
from drivers.printer.status import Heard, PrinterStyle, State, StatusReader, WorkedOff

# Epson: the four answers to DLE EOT 1..4, bits 1 and 4 always set.
ROUNDS = [
    ("12 12 12 12", set()),
    ("12 12 12 1e", {Condition.PAPER_LOW}),
    ("1a 32 12 7e", {Condition.PAPER_OUT, Condition.PAPER_LOW}),
    ("1a 16 12 12", {Condition.COVER_OPEN}),
    ("1a 52 1a 12", {Condition.PAPER_JAM}),
    ("1a 52 32 12", {Condition.FAULT}),
    ("1a 52 52 12", {Condition.FAULT}),
    ("1a 12 12 12", {Condition.FAULT}),  # offline, and no reason named
    ("1a 12 12 1e", {Condition.FAULT, Condition.PAPER_LOW}),
]
# Epson: four bytes by itself, bit 4 of the first always set.
BY_ITSELF = [
    ("10 00 00 0f", set()),
    ("14 00 00 0f", set()),  # the drawer's pin
    ("10 00 03 00", {Condition.PAPER_LOW}),
    ("18 00 0f 00", {Condition.PAPER_LOW, Condition.PAPER_OUT}),
    ("38 00 00 00", {Condition.COVER_OPEN}),
    ("18 08 00 00", {Condition.PAPER_JAM}),
    ("18 20 00 00", {Condition.FAULT}),
]
# Custom: six bytes to DLE EOT 20.
FULL = [
    ("10 0f 00 00 00 00", set()),
    ("10 0f 01 00 00 00", {Condition.PAPER_OUT}),
    ("10 0f 04 00 00 00", {Condition.PAPER_LOW}),
    ("10 0f 20 00 00 00", {Condition.NOT_TAKEN}),
    ("10 0f 80 60 20 00", set()),  # a notch, two keys, a command that it did not know
    ("10 0f 00 02 00 00", {Condition.COVER_OPEN}),
    ("10 0f 00 00 40 00", {Condition.PAPER_JAM}),
    ("10 0f 10 10 00 04", {Condition.FAULT}),
]


@pytest.mark.parametrize(("said", "means"), ROUNDS)
def test_a_round_of_answers_says_what_holds(said: str, means: set[Condition]) -> None:
    reader = StatusReader(PrinterStyle.EPSON)
    reader.asked()
    assert reader.feed(bytes.fromhex(said)) == [State(conditions=frozenset(means))]


@pytest.mark.parametrize(("said", "means"), BY_ITSELF)
def test_a_printer_tells_a_change_by_itself(said: str, means: set[Condition]) -> None:
    assert StatusReader(PrinterStyle.EPSON).feed(bytes.fromhex(said)) == [State(conditions=frozenset(means))]


@pytest.mark.parametrize(("said", "means"), FULL)
def test_a_kiosk_printer_says_all_in_six_bytes(said: str, means: set[Condition]) -> None:
    assert StatusReader(PrinterStyle.CUSTOM).feed(bytes.fromhex(said)) == [State(conditions=frozenset(means))]


def test_an_answer_that_nobody_asked_for_is_none() -> None:
    reader = StatusReader(PrinterStyle.EPSON)
    assert [type(heard) for heard in reader.feed(b"\x12")] == [MalformedInput]
    assert [type(heard) for heard in reader.feed(b"\x00")] == [MalformedInput]
    assert [type(heard) for heard in reader.feed(b"\xff")] == [MalformedInput]


def test_flow_control_is_passed_over() -> None:
    assert StatusReader(PrinterStyle.EPSON).feed(b"\x13\x11") == []


@pytest.mark.parametrize("style", PrinterStyle)
def test_what_is_worked_off_is_told_once_for_each_question(style: PrinterStyle) -> None:
    reader = StatusReader(style)
    reader.waits()
    assert reader.feed(b"\x03") == [WorkedOff()]
    assert [type(heard) for heard in reader.feed(b"\x03")] == [MalformedInput]


def test_a_state_that_breaks_off_is_told_and_the_next_one_is_understood() -> None:
    wrong, right = StatusReader(PrinterStyle.EPSON).feed(bytes.fromhex("18 00 10 00 03 00"))
    assert isinstance(wrong, MalformedInput)
    assert right == State(conditions=frozenset({Condition.PAPER_LOW}))


def test_answers_of_an_older_round_are_not_mixed_with_those_of_the_next() -> None:
    reader = StatusReader(PrinterStyle.EPSON)
    reader.asked()
    assert reader.feed(b"\x1a\x16") == []
    reader.asked()
    assert reader.feed(b"\x12\x12\x12\x12") == [State(conditions=frozenset())]


@given(style=st.sampled_from(PrinterStyle), data=st.binary(max_size=200), cuts=st.sets(st.integers(0, 200)))
def test_any_bytes_mean_the_same_however_reads_cut_them(
    style: PrinterStyle, data: bytes, cuts: set[int]
) -> None:
    def heard(parts: list[bytes]) -> list[str]:
        reader = StatusReader(style)
        reader.asked()
        reader.waits()
        found: list[Heard] = [one for part in parts for one in reader.feed(part)]
        return [str(one) for one in found]

    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    assert heard([data]) == heard([data[a:b] for a, b in pairwise(places)])
