"""Frames of a bus: our own few with what they mean, the collection beside this checkout where it is there, and any bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest, WriteSingleCoilRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, WriteSingleRegisterRequest

from drivers.modbus.frames import FrameCutter

SHARED = Path(__file__).parents[4] / ".." / "shared" / "vectors" / "modbus_rtu" / "frames.json"
OURS = {1: ReadCoilsRequest, 2: ReadDiscreteInputsRequest, 3: ReadHoldingRegistersRequest}

# MODBUS Application Protocol V1.1b3, sections 6.2, 6.5 and 7, with CRCs added.
INPUTS = bytes.fromhex("110203acdb352018")
ECHO = bytes.fromhex("110500acff004e8b")
REFUSED = bytes.fromhex("1185030354")


def answers(data: bytes) -> list[tuple[int, int]]:
    return [(pdu.dev_id, pdu.function_code) for pdu in FrameCutter().feed(data)]


def test_an_answer_is_taken_with_its_unit_and_its_function() -> None:
    (pdu,) = FrameCutter().feed(INPUTS)
    assert (pdu.dev_id, pdu.function_code) == (17, 2)
    assert [at for at, on in enumerate(pdu.bits) if on][:4] == [2, 3, 5, 7]


def test_two_answers_in_one_read_are_two() -> None:
    assert answers(ECHO + REFUSED + INPUTS) == [(17, 5), (17, 0x85), (17, 2)]


def test_noise_before_an_answer_costs_the_noise() -> None:
    assert answers(b"\x00\xff\x11\x02" + ECHO) == [(17, 5)]


@given(cuts=st.sets(st.integers(1, len(ECHO + REFUSED) - 1)))
def test_where_a_read_ends_means_nothing(cuts: set[int]) -> None:
    data, cutter = ECHO + REFUSED, FrameCutter()
    places = [0, *sorted(cuts), len(data)]
    found = [pdu.function_code for a, b in pairwise(places) for pdu in cutter.feed(data[a:b])]
    assert found == [5, 0x85]


@given(data=st.lists(st.binary(max_size=64), max_size=12))
def test_any_bytes_are_passed_over_and_an_answer_after_a_pause_is_understood(data: list[bytes]) -> None:
    cutter = FrameCutter()
    for part in data:
        cutter.feed(part)
    cutter.clear()  # a transaction begins
    assert [pdu.function_code for pdu in cutter.feed(ECHO)] == [5]


def _collection() -> Iterator[Any]:
    if SHARED.is_file():
        for vector in json.loads(SHARED.read_text(encoding="utf-8"))["vectors"]:
            yield pytest.param(vector, id=vector["id"])


@pytest.mark.skipif(
    not SHARED.is_file(), reason="The shared vectors are not beside this checkout (../shared/vectors)."
)
@pytest.mark.parametrize("vector", list(_collection()))
def test_a_frame_says_what_the_collection_says(vector: dict[str, Any]) -> None:
    frame, expected = bytes.fromhex(vector["frame_hex"]), vector["expected"]
    heard = FrameCutter().feed(frame)
    if not expected["valid"]:
        assert heard == []
    elif vector["direction"] == "request":
        _is_what_we_would_send(frame, expected)
    else:
        (pdu,) = heard
        _says(pdu, expected)


def _is_what_we_would_send(frame: bytes, expected: dict[str, Any]) -> None:
    """Requests go out only: those of functions that we use are ours to the byte; the others are only told apart by their unit."""
    function, unit = expected["function"], expected["unit"]
    request: ModbusPDU
    if function in OURS:
        request = OURS[function](address=expected["address"], count=expected["count"], dev_id=unit)
    elif function == 5 and "value" in expected:
        request = WriteSingleCoilRequest(address=expected["address"], bits=[expected["value"]], dev_id=unit)
    else:
        assert [pdu.dev_id for pdu in FrameCutter(is_server=True).feed(frame)] == [unit]
        return
    assert FramerRTU(DecodePDU(is_server=False)).buildFrame(request) == frame


def _says(pdu: ModbusPDU, expected: dict[str, Any]) -> None:
    exception = expected.get("exception")
    assert pdu.dev_id == expected["unit"]
    assert pdu.function_code & 0x7F == expected["function"]
    assert (pdu.function_code > 0x80) is (exception is not None)
    if exception is not None:
        assert getattr(pdu, "exception_code", None) == exception
    for name in ("coils_on", "inputs_on"):
        if name in expected:
            first = expected[name][0] - next(at for at, on in enumerate(pdu.bits) if on)
            assert [first + at for at, on in enumerate(pdu.bits) if on] == expected[name]
    if "registers" in expected:
        assert pdu.registers == expected["registers"]
    if isinstance(expected.get("value"), bool):
        assert (pdu.address, pdu.bits[:1]) == (expected["address"], [expected["value"]])
    elif "value" in expected:
        assert (pdu.address, pdu.registers) == (expected["address"], [expected["value"]])
        ours = WriteSingleRegisterRequest(address=pdu.address, registers=pdu.registers, dev_id=pdu.dev_id)
        assert ours.encode() == pdu.encode()
