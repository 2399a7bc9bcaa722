from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync.codec import decode, encode, kind_of
from sync.errors import FrameTooLarge, LocalError, MalformedFrame, RemoteError, UnknownKind
from sync.messages import (
    MAX_FRAME_BYTES,
    MAX_PAGE_ROWS,
    MAX_TRANSFER_SPOTS,
    Answer,
    Challenge,
    CommandResult,
    CountRow,
    Decision,
    DecisionAck,
    Document,
    DocumentAck,
    Drain,
    Error,
    Frame,
    GateCommand,
    Hello,
    Inquiry,
    Layout,
    LayoutAck,
    LogRow,
    Page,
    PageAck,
    Prepare,
    SpotStateRow,
    States,
    StatesAck,
    Transfer,
    TransferRequest,
    Vote,
    Welcome,
)
from tests.unit.sync.refusals import refusal

seqs = st.integers(0, 2**63 - 1)
small = st.integers(0, 2**31 - 1)
times = st.integers(0, 2**50)
hashes = st.binary(min_size=32, max_size=32)
loose_hashes = st.just(b"") | hashes
words = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=40)
in_session: dict[str, Any] = {"epoch": small, "session": seqs}
log_rows = st.builds(LogRow, seq=st.integers(1, 2**63 - 1), hash=hashes, body=st.binary(max_size=80))
spot_rows = st.builds(
    SpotStateRow,
    spot=words,
    n=seqs,
    state=words,
    source=words,
    occurred_us=times,
    confidence_1e4=st.integers(0, 10_000),
)
count_rows = st.builds(CountRow, type=words, total=small, sellable=small, holds_until_us=st.none() | times)


of_transaction: dict[str, Any] = {**in_session, "reservation": words, "revision": st.integers(1, 2**31 - 1)}
spots = st.lists(words, max_size=4).map(tuple)
claims = st.fixed_dictionaries(
    {
        "id": words,
        "spot": st.none() | words,
        "type": st.sampled_from(["regular", "ev"]),
        "starts_us": st.integers(0, 10**9),
        "ends_us": st.none() | st.integers(10**9 + 1, 10**12),
        "kind": st.just("booking"),
        "holder_kind": st.just("reservation"),
        "holder_id": words,
        "state": st.sampled_from(["held", "firm", "released"]),
        "sold_by": st.just("cloud"),
        "epoch": small,
        "version": st.integers(1, 100),
    }
)


def rows_of(of: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[Any]:
    return st.lists(of, min_size=least, max_size=4).map(tuple)


frames: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Challenge, nonce=hashes, cloud=words, time_us=times),
    st.builds(
        Hello,
        gateway=words,
        epoch=small,
        boot=words,
        protocol=st.integers(1, 100),
        last_seq=seqs,
        acknowledged_seq=seqs,
        acknowledged_hash=loose_hashes,
        document_n=seqs,
        layout_hash=loose_hashes,
        time_us=times,
        clock_quality=words,
        software=words,
        signature=st.binary(min_size=64, max_size=64),
    ),
    st.builds(
        Welcome,
        **in_session,
        acknowledged_seq=seqs,
        layout_hash=loose_hashes,
        time_us=times,
        verdict=words,
        reason=words,
    ),
    st.builds(Layout, **in_session, hash=hashes, body=st.binary(max_size=200)),
    st.builds(LayoutAck, **in_session, hash=hashes),
    st.builds(
        States,
        **in_session,
        n=seqs,
        snapshot=st.booleans(),
        as_of_seq=seqs,
        spots=rows_of(spot_rows),
        counts=rows_of(count_rows),
        lanes=rows_of(st.tuples(words, words)),
        unexplained=st.integers(-1000, 1000),
        backlog=seqs,
    ),
    st.builds(StatesAck, **in_session, n=seqs),
    st.builds(
        Page, **in_session, first=st.integers(1, 2**40), previous_hash=hashes, rows=rows_of(log_rows, 1)
    ),
    st.builds(PageAck, **in_session, seq=seqs, hash=loose_hashes),
    st.builds(Document, **in_session, n=st.integers(1, 2**40), kind=words, body=st.binary(max_size=200)),
    st.builds(DocumentAck, **in_session, n=seqs),
    st.builds(
        Prepare,
        **of_transaction,
        claim=words,
        type=words,
        starts_us=st.integers(0, 10**9),
        ends_us=st.integers(10**9 + 1, 10**12),
        left_ms=st.integers(0, 3_600_000),
        spot=st.none() | words,
    ),
    st.builds(
        Vote,
        **of_transaction,
        yes=st.just(True),
        claim=words,
        spot=words,
        starts_us=st.integers(0, 10**9),
        ends_us=st.integers(10**9 + 1, 10**12),
        log_seq_before=seqs,
    ),
    st.builds(Vote, **of_transaction, yes=st.just(False), claim=words, reason=words),
    st.builds(
        Decision,
        **of_transaction,
        outcome=st.sampled_from(["committed", "aborted"]),
        reason=words,
        claim=st.none() | claims,
    ),
    st.builds(DecisionAck, **of_transaction),
    st.builds(Inquiry, **of_transaction, prepared_us=times),
    st.builds(
        Answer,
        **of_transaction,
        outcome=st.sampled_from(["committed", "aborted", "undecided"]),
        reason=words,
    ),
    st.builds(
        TransferRequest, **in_session, request=words, type=words, count=st.integers(1, MAX_TRANSFER_SPOTS)
    ),
    st.builds(Transfer, **in_session, transfer=words, request=words, type=words, spots=spots, reason=words),
    st.builds(GateCommand, **in_session, command=words, lane=words, move=words, by=words, reason=words),
    st.builds(CommandResult, **in_session, command=words, result=words, detail=words),
    st.builds(Drain, **in_session, delay_ms=st.integers(0, 3_600_000)),
    st.builds(Error, code=words, field=words, message=words, about=words, fatal=st.booleans(), **in_session),
)


@given(frames)
def test_a_frame_comes_out_of_its_bytes_as_it_went_in(frame: Frame) -> None:
    assert decode(encode(frame)) == frame


@given(st.binary(max_size=400))
@example(b"\x81\xa1v\x01")
@example(b"\xdf\xff\xff\xff\xff")
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\xc6\xff\xff\xff\xff")
@example(b"\x91" * 2_000)
@example(b"\xd6\xff\x00\x00\x00\x00")
def test_any_bytes_are_a_frame_or_a_remote_error_that_names_a_field(data: bytes) -> None:
    refused = refusal(RemoteError, lambda: decode(data))
    assert refused is None or refused.field


@given(frames, st.data())
def test_a_frame_cut_short_or_with_changed_bytes_disturbs_nothing(frame: Frame, data: st.DataObject) -> None:
    sent = bytearray(encode(frame))
    for _ in range(data.draw(st.integers(0, 3))):
        sent[data.draw(st.integers(0, len(sent) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(sent[: data.draw(st.integers(0, len(sent)))])
    refused = refusal(RemoteError, lambda: decode(encode(decode(cut))))
    assert refused is None or refused.field


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=6)
    | st.binary(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(frames, st.data(), values)
def test_any_value_in_any_field_gives_a_frame_or_an_error_that_names_the_kind(
    frame: Frame, data: st.DataObject, value: object
) -> None:
    wire = msgpack.unpackb(encode(frame))
    name = data.draw(st.sampled_from(sorted(set(wire) - {"v", "kind"})))
    refused = refusal(RemoteError, lambda: decode(msgpack.packb(wire | {name: value})))
    assert refused is None or refused.field.split(".")[0] == kind_of(frame)


@given(frames)
def test_fields_of_a_newer_version_are_ignored(frame: Frame) -> None:
    wire = msgpack.unpackb(encode(frame))
    assert decode(msgpack.packb(wire | {"v": 2, "weather": {"rain": [1]}})) == frame


def test_rows_of_a_newer_version_may_be_longer() -> None:
    page = Page(
        epoch=1, session=1, first=1, previous_hash=b"p" * 32, rows=(LogRow(seq=1, hash=b"h" * 32, body=b"x"),)
    )
    wire = msgpack.unpackb(encode(page))
    wire["rows"][0].append("new")
    assert decode(msgpack.packb(wire)) == page


def test_fields_that_an_older_version_did_not_send_take_their_defaults() -> None:
    states = States(epoch=1, session=1, n=1, snapshot=True, as_of_seq=0, spots=(), counts=())
    wire = msgpack.unpackb(encode(states))
    for name in ("lanes", "unexplained", "backlog"):
        del wire[name]
    assert decode(msgpack.packb(wire)) == states


@given(frames, st.data())
def test_a_missing_field_without_a_default_is_named(frame: Frame, data: st.DataObject) -> None:
    wire = msgpack.unpackb(encode(frame))
    name = data.draw(st.sampled_from(sorted(set(wire) - {"v", "kind"})))
    del wire[name]
    refused = refusal(MalformedFrame, lambda: decode(msgpack.packb(wire)))
    assert refused is None or refused.field == f"{kind_of(frame)}.{name}"


def test_an_unknown_kind_is_told_apart_from_a_broken_frame() -> None:
    with pytest.raises(UnknownKind, match="weather"):
        decode(msgpack.packb({"v": 1, "kind": "weather", "rain": 7}))


def test_each_kind_has_its_own_bound() -> None:
    ack = msgpack.unpackb(encode(StatesAck(epoch=1, session=1, n=1)))
    with pytest.raises(FrameTooLarge, match="states_ack"):
        decode(msgpack.packb(ack | {"padding": "x" * 1_000}))
    with pytest.raises(FrameTooLarge, match="frame"):
        decode(b"x" * (MAX_FRAME_BYTES + 1))


@pytest.mark.parametrize("missing", ["spot", "starts_us", "ends_us"])
def test_a_yes_without_its_place_is_refused_by_the_field(missing: str) -> None:
    place = {"spot": "s", "starts_us": 1, "ends_us": 2, missing: None}
    wire = {"v": 1, "kind": "vote", "epoch": 1, "session": 1, "reservation": "r", "revision": 1, "yes": True}
    rest = {"claim": "c", "reason": "", "log_seq_before": 0}
    with pytest.raises(MalformedFrame, match=rf"vote\.{missing}"):
        decode(msgpack.packb(wire | rest | place))


def test_windows_that_end_before_they_start_and_words_outside_the_protocol_are_refused() -> None:
    of: dict[str, Any] = {"epoch": 1, "session": 1, "reservation": "r", "revision": 1}
    for frame, field in (
        (Prepare(**of, claim="c", type="regular", starts_us=2, ends_us=2, left_ms=1), r"prepare\.ends_us"),
        (Vote(**of, yes=True, claim="c", spot="s", starts_us=2, ends_us=1), r"vote\.ends_us"),
        (Decision(**of, outcome="undecided"), r"decision\.outcome"),
        (Decision(**of, outcome="committed", claim={"id": "c"}), r"decision\.claim"),
        (Answer(**of, outcome="perhaps"), r"answer\.outcome"),
    ):
        with pytest.raises(LocalError, match=field):
            encode(frame)


def test_a_page_of_too_many_rows_is_refused() -> None:
    row = [1, b"h" * 32, b""]
    wire = {"v": 1, "kind": "page", "epoch": 1, "session": 1, "first": 1, "previous_hash": b"p" * 32}
    with pytest.raises(MalformedFrame, match=r"page\.rows"):
        decode(msgpack.packb(wire | {"rows": [row] * (MAX_PAGE_ROWS + 1)}))


def test_what_we_send_is_checked_before_it_leaves() -> None:
    page = Page(epoch=1, session=1, first=1, previous_hash=b"", rows=())
    with pytest.raises(LocalError, match=r"page\.previous_hash"):
        encode(page)
    big = LogRow(seq=1, hash=b"h" * 32, body=b"x" * 262_144)
    with pytest.raises(LocalError, match="bound"):
        encode(replace(page, previous_hash=b"p" * 32, rows=(big,) * 5))
