from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import MalformedInput
from drivers.terminal.messages import Answer, Lookup, Pay, Ping, Result, read_answer, read_request


@pytest.mark.parametrize("request_", [Pay(key="k", amount_minor=1, currency="EUR"), Lookup(key="k"), Ping()])
def test_a_request_reads_as_it_was_written(request_: Pay | Lookup | Ping) -> None:
    assert read_request(request_.line()) == request_


@given(st.builds(Answer))
def test_an_answer_reads_as_it_was_written_and_is_one_line(answer: Answer) -> None:
    line = answer.line()
    assert line.count(b"\n") == 1
    assert read_answer(line) == answer


@given(st.binary(max_size=200))
def test_whatever_comes_is_an_answer_or_malformed(line: bytes) -> None:
    for read in (read_answer, read_request):
        with suppress(MalformedInput):
            assert isinstance(read(line), Answer | Pay | Lookup | Ping)


def test_a_malformed_answer_names_the_field() -> None:
    with pytest.raises(MalformedInput) as wrong:
        read_answer(b'{"result": "perhaps"}')
    assert wrong.value.field == "result"
    assert Result.APPROVED.value == "approved"
