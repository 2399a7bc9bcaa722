from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.chain import Envelope, genesis, next_hash, pack_envelope, unpack_envelope, verify
from sync.errors import LocalError, MalformedFrame
from sync.messages import MAX_ROW_BYTES, LogRow
from tests.unit.sync.refusals import refusal

bodies = st.dictionaries(
    st.text(max_size=8), st.integers(0, 2**40) | st.text(max_size=8) | st.none(), max_size=4
)
envelopes = st.builds(
    Envelope,
    epoch=st.integers(0, 9),
    seq=st.integers(1, 2**40),
    boot=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=36),
    since_boot_us=st.integers(0, 2**50),
    kind=st.text("abcdef_", min_size=1, max_size=20),
    body=bodies,
)


def chained(count: int, gateway: str = "gw-1") -> list[LogRow]:
    previous, rows = genesis(gateway, 1), []
    for seq in range(1, count + 1):
        body = pack_envelope(
            Envelope(epoch=1, seq=seq, boot="b", since_boot_us=seq, kind="boot", body={"at_us": seq})
        )
        previous = next_hash(previous, body)
        rows.append(LogRow(seq=seq, hash=previous, body=body))
    return rows


@given(envelopes)
def test_a_fact_comes_out_of_its_bytes_as_it_went_in(envelope: Envelope) -> None:
    assert unpack_envelope(pack_envelope(envelope)) == envelope


@given(st.binary(max_size=200))
def test_any_bytes_are_a_fact_or_a_named_error(data: bytes) -> None:
    refused = refusal(MalformedFrame, lambda: unpack_envelope(data))
    assert refused is None or refused.field.startswith("row")


@given(st.integers(0, 9), st.integers(0, 10_000))
def test_one_changed_byte_of_one_row_breaks_the_chain(which: int, where: int) -> None:
    rows = chained(10)
    body = bytearray(rows[which].body)
    body[where % len(body)] ^= 1
    rows[which] = replace(rows[which], body=bytes(body))
    with pytest.raises(MalformedFrame, match=rf"log\[{which + 1}\]"):
        verify(genesis("gw-1", 1), rows)


@given(st.integers(0, 8))
def test_a_row_taken_out_is_missed(which: int) -> None:
    rows = chained(10)
    del rows[which]
    with pytest.raises(MalformedFrame, match=r"gap|hash"):
        verify(genesis("gw-1", 1), rows)


def test_a_whole_chain_ends_with_the_hash_of_its_last_row() -> None:
    rows = chained(10)
    assert verify(genesis("gw-1", 1), rows) == rows[-1].hash


def test_the_logs_of_two_lots_and_of_two_epochs_never_continue_each_other() -> None:
    assert len({genesis("gw-1", 1), genesis("gw-2", 1), genesis("gw-1", 2)}) == 3


def test_an_instant_or_a_too_long_body_is_our_own_fault_before_it_is_written() -> None:
    fact = Envelope(epoch=1, seq=1, boot="b", since_boot_us=0, kind="boot", body={})
    with pytest.raises(LocalError, match="cannot be packed"):
        pack_envelope(replace(fact, body={"at": datetime(2026, 1, 1, tzinfo=UTC)}))
    with pytest.raises(LocalError, match="at most"):
        pack_envelope(replace(fact, body={"x": "x" * MAX_ROW_BYTES}))
