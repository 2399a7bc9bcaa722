"""Every frame in every state of both ends: either the table has it, or the session ends and says why."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from sync.cloud_session import CLOUD_TABLE, CloudSession, CloudSignal, CloudState
from sync.codec import encode, kind_of
from sync.edge_session import (
    EDGE_TABLE,
    EdgeFacts,
    EdgeSession,
    EdgeSignal,
    EdgeState,
    EdgeTimes,
    StatesContent,
)
from sync.errors import LocalError
from sync.incarnation import GatewayRecord
from sync.keys import SigningKey
from sync.layout import layout_hash
from sync.messages import (
    Answer,
    Challenge,
    CommandResult,
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
    States,
    StatesAck,
    Transfer,
    TransferRequest,
    Vote,
    Welcome,
)
from sync.outbox import AckMeaning, Outbox
from sync.pace import Pace, PaceSettings
from sync.session import (
    Acknowledged,
    Begin,
    Close,
    Deliver,
    FrameRefused,
    Identify,
    ReadPage,
    Send,
    hello_bytes,
)

KEY = SigningKey.from_seed(b"k" * 32)
HASH = b"h" * 32
S: dict[str, Any] = {"epoch": 1, "session": 1}
T: dict[str, Any] = {**S, "reservation": "r", "revision": 1}
FRAMES: tuple[Frame, ...] = (
    Challenge(nonce=b"n" * 32, cloud="lotgate", time_us=0),
    Hello(
        gateway="gw-1",
        epoch=1,
        boot="b",
        protocol=1,
        last_seq=0,
        acknowledged_seq=0,
        acknowledged_hash=b"",
        document_n=0,
        layout_hash=b"",
        time_us=0,
        clock_quality="synced",
        software="t",
        signature=bytes(64),
    ),
    Welcome(**S, acknowledged_seq=0, layout_hash=layout_hash(b"layout"), time_us=0),
    Layout(**S, hash=layout_hash(b"layout"), body=b"layout"),
    LayoutAck(**S, hash=layout_hash(b"layout")),
    States(**S, n=1, snapshot=True, as_of_seq=0, spots=(), counts=()),
    StatesAck(**S, n=1),
    Page(**S, first=1, previous_hash=HASH, rows=(LogRow(seq=1, hash=HASH, body=b""),)),
    PageAck(**S, seq=0, hash=b""),
    Document(**S, n=1, kind="tariff", body=b""),
    DocumentAck(**S, n=0),
    Prepare(**T, claim="c", type="regular", starts_us=0, ends_us=1, left_ms=8_000),
    Vote(**T, yes=False, claim="c", reason="full"),
    Decision(**T, outcome="aborted"),
    DecisionAck(**T),
    Inquiry(**T),
    Answer(**T, outcome="undecided"),
    TransferRequest(**S, request="q", type="regular", count=1),
    Transfer(**S, transfer="t", request="q", type="regular", spots=()),
    GateCommand(**S, command="g", lane="in", move="open", by="ada", reason="asked for help"),
    CommandResult(**S, command="g", result="done"),
    Drain(**S, delay_ms=1),
    Error(code="busy", field="f", message="m"),
    Error(code="protocol", field="f", message="m", fatal=True),
)


def word(frame: Frame) -> str:
    return "fatal_error" if isinstance(frame, Error) and frame.fatal else kind_of(frame)


def edge_in(state: EdgeState) -> EdgeSession:
    session = EdgeSession(
        EdgeFacts(
            gateway="gw-1",
            cloud="lotgate",
            epoch=1,
            boot="b",
            last_seq=0,
            acknowledged_seq=0,
            acknowledged_hash=b"",
            document_n=0,
            layout=b"layout",
            time_us=0,
            clock_quality="synced",
            software="t",
        ),
        sign=KEY.sign,
        pace=Pace(PaceSettings(), 0.0),
        now_s=0.0,
    )
    if state is EdgeState.AWAIT_CHALLENGE:
        return session
    session.receive(encode(FRAMES[0]), 0.0)
    if state in {EdgeState.LAYOUT, EdgeState.OPEN, EdgeState.FENCED}:
        session.receive(
            encode(
                Welcome(
                    **S,
                    acknowledged_seq=0,
                    layout_hash=b"" if state is EdgeState.LAYOUT else layout_hash(b"layout"),
                    time_us=0,
                    verdict="fenced" if state is EdgeState.FENCED else "ok",
                )
            ),
            0.0,
        )
    if state is EdgeState.CLOSED:
        session.lost()
    assert session.state is state
    return session


@pytest.mark.parametrize(("state", "frame"), list(product(EdgeState, FRAMES)))
def test_the_edge_takes_exactly_the_frames_of_its_table(state: EdgeState, frame: Frame) -> None:
    session = edge_in(state)
    effects = session.receive(encode(frame), 0.0)
    name = word(frame)
    expected = name in set(EdgeSignal) and (state, EdgeSignal(name)) in EDGE_TABLE
    if state is EdgeState.CLOSED:
        assert effects == []
    elif expected:
        assert not any(isinstance(effect, FrameRefused) for effect in effects)
    else:
        refused = [effect for effect in effects if isinstance(effect, FrameRefused)]
        assert len(refused) == 1
        ended = any(isinstance(effect, Close) for effect in effects)
        assert ended == (refused[0].code != "stale_session")
        assert (session.state is EdgeState.CLOSED) == ended


def cloud_in(state: CloudState) -> CloudSession:
    session = CloudSession(cloud="lotgate", nonce=b"n" * 32, time_us=0)
    challenge = FRAMES[0]
    assert isinstance(challenge, Challenge)
    session.start()
    hello = FRAMES[1]
    assert isinstance(hello, Hello)
    if state is CloudState.AWAIT_HELLO:
        return session
    signed = Hello(
        **{name: getattr(hello, name) for name in Hello.__slots__ if name != "signature"},
        signature=KEY.sign(hello_bytes(challenge, hello)),
    )
    assert session.receive(encode(signed)) == [Identify(hello=signed)]
    if state in {CloudState.OPENING, CloudState.OPEN, CloudState.FENCED}:
        record = GatewayRecord(
            gateway="gw-1",
            public_key=KEY.public,
            epoch=1,
            acknowledged_seq=0,
            acknowledged_hash=b"",
            hash_at_hello=None,
            layout_hash=b"",
            quarantined="because" if state is CloudState.FENCED else "",
        )
        assert isinstance(session.identified(record)[0], Begin)
    if state in {CloudState.OPEN, CloudState.FENCED}:
        session.begun(1, 0)
    if state is CloudState.CLOSED:
        session.drain(0)
    assert session.state is state
    return session


@pytest.mark.parametrize(("state", "frame"), list(product(CloudState, FRAMES)))
def test_the_cloud_takes_exactly_the_frames_of_its_table(state: CloudState, frame: Frame) -> None:
    session = cloud_in(state)
    effects = session.receive(encode(frame))
    name = word(frame)
    expected = name in set(CloudSignal) and (state, CloudSignal(name)) in CLOUD_TABLE
    if state is CloudState.CLOSED:
        assert effects == []
    elif not expected:
        assert isinstance(effects[-1], Close)
        assert session.state is CloudState.CLOSED
    elif state is CloudState.FENCED and not isinstance(frame, DocumentAck | Error):
        assert [effect.code for effect in effects if isinstance(effect, FrameRefused)] == ["quarantined"]
        assert session.state is CloudState.FENCED
    elif isinstance(frame, Page):
        assert any(isinstance(effect, Close) for effect in effects)  # this page is of another log
    else:
        assert not any(isinstance(effect, FrameRefused) for effect in effects)


def test_an_answer_that_nobody_asked_for_is_a_fault_of_the_shell() -> None:
    session = cloud_in(CloudState.OPEN)
    for answer in (session.page_applied, session.states_stored, lambda: session.identified(None)):
        with pytest.raises(LocalError):
            answer()
    with pytest.raises(LocalError, match="document 5"):
        edge_in(EdgeState.OPEN).document_applied(5)


def delivered(effects: list[Any]) -> list[Frame]:
    return [effect.frame for effect in effects if isinstance(effect, Deliver)]


@pytest.mark.parametrize("frame", FRAMES[FRAMES.index(Drain(**S, delay_ms=1)) - 10 :][:10])
def test_a_frame_of_the_commit_passes_only_through_an_open_session_of_its_epoch(frame: Any) -> None:
    from_lot = CloudSignal.__members__.values()
    if kind_of(frame) in set(from_lot):
        cloud, lot = cloud_in(CloudState.OPEN), edge_in(EdgeState.OPEN)
        assert delivered(cloud.receive(encode(frame))) == [frame]
        assert lot.say(replace(frame, session=0)) == [Send(frame=frame)]
        assert lot.say(replace(frame, session=0, epoch=2)) == (
            [] if isinstance(frame, Vote | TransferRequest) else [Send(frame=frame)]
        )
        assert delivered(cloud.receive(encode(replace(frame, session=2)))) == []
        assert delivered(cloud_in(CloudState.FENCED).receive(encode(frame))) == []
        assert edge_in(EdgeState.FENCED).say(frame) == []
    else:
        cloud, lot = cloud_in(CloudState.OPEN), edge_in(EdgeState.OPEN)
        assert delivered(lot.receive(encode(frame), 0.0)) == [frame]
        assert cloud.say(replace(frame, session=0)) == [Send(frame=frame)]
        assert cloud.say(replace(frame, session=0, epoch=2)) == (
            [] if isinstance(frame, Prepare | Transfer) else [Send(frame=frame)]
        )
        assert delivered(lot.receive(encode(replace(frame, epoch=2)), 0.0)) == []
        assert cloud_in(CloudState.FENCED).say(frame) == []
        assert cloud_in(CloudState.CLOSED).say(frame) == []


def asked_for_a_page() -> EdgeSession:
    session = edge_in(EdgeState.OPEN)
    session.wake(1.0, last_seq=3)
    content_effects = session.states_read(_nothing(), 1.0)
    assert content_effects[-1] == ReadPage(after_seq=0, limit=3)
    return session


def _nothing() -> StatesContent:
    return StatesContent(as_of_seq=0, spots=(), counts=())


def test_rows_that_are_not_durable_yet_are_waited_for_without_a_timer_of_their_own() -> None:
    session = asked_for_a_page()
    session.receive(encode(StatesAck(**S, n=1)), 1.0)
    assert session.page_read((), HASH, 1.0) == []
    assert session.timer(1.0) == 1.0 + EdgeTimes().states_at_least_s
    assert session.wake(1.0, last_seq=3) == [ReadPage(after_seq=0, limit=3)]


def test_a_hole_in_the_log_is_told_and_nothing_behind_it_goes_out_of_order() -> None:
    session = asked_for_a_page()
    (told,) = session.page_read((LogRow(seq=2, hash=HASH, body=b""),), HASH, 1.0)
    assert told == FrameRefused(code="hole_in_log", field="log[1]", about="page")


def test_a_page_without_the_hash_before_it_is_not_sent() -> None:
    session = asked_for_a_page()
    (told,) = session.page_read((LogRow(seq=1, hash=HASH, body=b""),), None, 1.0)
    assert told == FrameRefused(code="hole_in_log", field="log[0]", about="page")


def test_a_page_stops_at_a_hole() -> None:
    session = asked_for_a_page()
    rows = tuple(LogRow(seq=seq, hash=HASH, body=b"") for seq in (1, 3))
    send = session.page_read(rows, HASH, 1.0)[0]
    assert isinstance(send, Send)
    assert isinstance(send.frame, Page)
    assert [row.seq for row in send.frame.rows] == [1]


def test_the_centre_that_acknowledges_another_row_is_not_believed() -> None:
    session = asked_for_a_page()
    session.page_read((LogRow(seq=1, hash=HASH, body=b""),), HASH, 1.0)
    effects = session.receive(encode(PageAck(**S, seq=1, hash=b"x" * 32)), 1.0)
    assert not any(isinstance(effect, Acknowledged) for effect in effects)
    assert session.state is EdgeState.CLOSED


def test_the_outbox_names_what_each_acknowledgement_means() -> None:
    outbox = Outbox(acknowledged_seq=4, last_seq=9, pace=Pace(PaceSettings(), 0.0))
    outbox.sent((LogRow(seq=5, hash=HASH, body=b""),), 0.0)
    assert outbox.acknowledged(4, b"", 0.0) is AckMeaning.REPEATED
    assert outbox.acknowledged(6, HASH, 0.0) is AckMeaning.NEVER_SENT
    assert outbox.acknowledged(5, b"other", 0.0) is AckMeaning.OTHER_LOG
    assert outbox.acknowledged(5, HASH, 0.0) is AckMeaning.ADVANCED
    assert outbox.backlog == 4
