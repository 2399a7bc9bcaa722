"""The two ends against each other: what the link promises, with the line cut anywhere."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.chain import next_hash
from sync.codec import encode
from sync.edge_session import EdgeState
from sync.keys import SigningKey
from sync.messages import DocumentAck, Drain, Layout, Page, PageAck, States
from sync.pace import Pace, PaceSettings
from tests.unit.sync.two_ends import SIGN_OF_LIFE_S, CloudDisk, EdgeDisk, Line


def edge_with(rows: int, spots: int = 2) -> EdgeDisk:
    disk = EdgeDisk()
    for _ in range(rows):
        disk.log()
    for spot in range(spots):
        disk.sense(f"spot-{spot}", "free")
    return disk


def assert_one_system(edge: EdgeDisk, cloud: CloudDisk) -> None:
    assert cloud.applied + cloud.poison == sorted(cloud.applied) + cloud.poison
    assert sorted(cloud.applied + cloud.poison) == list(range(1, len(edge.rows) + 1))
    assert [cloud.inbox[row.seq].body for row in edge.rows] == [row.body for row in edge.rows]
    assert edge.acknowledged_seq == cloud.acknowledged_seq == len(edge.rows)
    assert [(d.n, d.kind, d.body) for d in edge.documents] == cloud.documents
    assert cloud.states == edge.states
    assert edge.dirty() == []


def test_everything_goes_over_one_quiet_line() -> None:
    edge, cloud = edge_with(1_203), CloudDisk()
    line = Line(edge, cloud)
    line.add_document("tariff", b"t1")
    line.settle()
    line.add_document("keys", b"k1")
    line.settle()
    assert_one_system(edge, cloud)
    assert line.refused == []


def test_a_lot_in_which_nothing_happens_still_shows_that_it_lives() -> None:
    line = Line(edge_with(3), CloudDisk())
    line.settle()
    told = sum(isinstance(frame, States) for frame in line.frames)
    line.wake(line.now_s + SIGN_OF_LIFE_S / 2)
    line.run()
    assert sum(isinstance(frame, States) for frame in line.frames) == told
    line.wake(line.now_s + SIGN_OF_LIFE_S)
    line.run()
    assert sum(isinstance(frame, States) for frame in line.frames) == told + 1


def test_the_layout_goes_first_and_only_where_the_centre_lacks_it() -> None:
    edge, cloud = edge_with(3), CloudDisk()
    first, second = Line(edge, cloud), None
    first.settle()
    ours = [f for f in first.frames if isinstance(f, Layout | States | Page)]
    assert isinstance(ours[0], Layout)
    second = Line(edge, cloud)
    second.settle()
    assert not any(isinstance(frame, Layout) for frame in second.frames)


def test_the_snapshot_goes_ahead_of_the_backlog() -> None:
    line = Line(edge_with(2_000, spots=4_500), CloudDisk())
    line.settle()
    kinds = [type(frame) for frame in line.frames if isinstance(frame, States | Page)]
    assert kinds[:4] == [States, States, States, Page]
    snapshot = [frame for frame in line.frames if isinstance(frame, States) and frame.snapshot]
    assert sum(len(frame.spots) for frame in snapshot) == 4_500
    assert {(frame.as_of_seq, frame.backlog) for frame in snapshot} == {(2_000, 2_000)}


def test_states_coalesce_and_the_last_one_arrives() -> None:
    edge, cloud = edge_with(0), CloudDisk()
    line = Line(edge, cloud)
    line.settle()
    before = len(line.frames)
    for n in range(50):
        edge.sense("spot-0", "occupied" if n % 2 else "free")
        line.wake(line.now_s + 0.01, states_changed=True)
        line.run()
    line.settle()
    assert cloud.states == edge.states
    assert sum(1 for frame in line.frames[before:] if isinstance(frame, States)) <= 7


@given(
    cuts=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3), st.booleans()), max_size=8),
    page_rows=st.integers(1, 7),
)
@settings(max_examples=150, deadline=None)
def test_cut_after_any_frame_and_reconnected_each_fact_is_applied_once_in_order(
    cuts: list[tuple[int, int, bool]], page_rows: int
) -> None:
    edge, cloud = edge_with(12), CloudDisk()
    for after, more, document in cuts:
        line = Line(edge, cloud, page_rows=page_rows)
        line.run(after)
        for _ in range(more):
            edge.log()
            edge.sense("spot-1", "occupied")
        if document:
            line.add_document("tariff", b"t")
        line.wake(states_changed=True)
        line.run(after // 2)
        line.cut()
    line = Line(edge, cloud, page_rows=page_rows)
    line.wake(states_changed=True)
    line.settle()
    assert_one_system(edge, cloud)


def test_cut_at_every_single_frame_of_a_session_nothing_is_lost_or_doubled() -> None:
    whole = Line(edge_with(30), CloudDisk(), page_rows=4)
    whole.add_document("tariff", b"t")
    for cut_at in range(whole.run()):
        edge, cloud = edge_with(30), CloudDisk()
        line = Line(edge, cloud, page_rows=4)
        line.add_document("tariff", b"t")
        line.run(cut_at)
        line.cut()
        Line(edge, cloud, page_rows=4).settle()
        assert_one_system(edge, cloud)


def lose_acknowledgements(cloud: CloudDisk) -> EdgeDisk:
    edge = edge_with(20)
    line = Line(edge, cloud, drop_down=lambda frame: isinstance(frame, PageAck))
    line.run()
    assert cloud.acknowledged_seq > 0 == edge.acknowledged_seq
    line.wake(60.0)
    assert line.closed == "no answer for 15 s"
    Line(edge, cloud).settle()
    return edge


def test_where_acknowledgements_are_lost_the_rows_come_again_and_are_applied_once() -> None:
    cloud = CloudDisk()
    assert_one_system(lose_acknowledgements(cloud), cloud)


def test_an_inbox_without_its_key_applies_twice_and_nothing_else_hides_it() -> None:
    cloud = CloudDisk(with_inbox_key=False)
    lose_acknowledgements(cloud)
    assert len(cloud.applied) > len(set(cloud.applied))


def test_a_line_that_stays_open_and_carries_nothing_is_given_up() -> None:
    edge = edge_with(5)
    line = Line(edge, CloudDisk())
    line.settle()
    line.drop_up = lambda _: True
    edge.log()
    line.wake(100.0)
    line.wake(114.9)
    assert line.closed is None
    assert line.edge.timer(114.9) == pytest.approx(115.0)
    line.wake(115.0)
    assert line.closed is not None


def test_a_quiet_open_session_asks_for_no_timer_but_that_of_its_next_sign_of_life() -> None:
    line = Line(edge_with(5), CloudDisk())
    line.settle()
    assert line.edge.timer(line.now_s) == line.now_s + SIGN_OF_LIFE_S


@pytest.mark.parametrize("body", [b"\xc1", b"\x80", b"not a map", b"\x81\xa1e\x01"])
def test_a_poison_row_is_kept_aside_and_the_rest_flows(body: bytes) -> None:
    edge, cloud = edge_with(5), CloudDisk()
    edge.log(body=body)
    edge.log()
    Line(edge, cloud).settle()
    assert_one_system(edge, cloud)
    assert cloud.poison == [6]
    assert cloud.inbox[6].body == body


def test_a_row_whose_bytes_rotted_on_the_card_does_not_jam_the_log() -> None:
    edge, cloud = edge_with(9), CloudDisk()
    edge.rows[4] = replace(edge.rows[4], body=b"rotten")
    Line(edge, cloud).settle()
    assert_one_system(edge, cloud)
    assert cloud.poison == [5]


def test_a_kind_of_event_that_the_centre_does_not_know_is_applied_like_any_other() -> None:
    edge, cloud = edge_with(2), CloudDisk()
    edge.log(kind="drone_landed")
    Line(edge, cloud).settle()
    assert cloud.applied == [1, 2, 3]


def test_a_centre_that_refuses_and_slows_gets_smaller_pages_later_and_loses_nothing() -> None:
    edge, cloud = edge_with(3_000), CloudDisk(busy=6)
    line = Line(edge, cloud)
    line.settle()
    assert_one_system(edge, cloud)
    sent_before_the_first_taken = [len(f.rows) for f in line.frames if isinstance(f, Page)][:7]
    assert sent_before_the_first_taken == [500, 250, 125, 62, 31, 15, 10]
    assert line.now_s >= 1 + 2 + 4 + 8 + 16 + 30


def test_a_drain_never_goes_faster_than_its_pace() -> None:
    edge, cloud = edge_with(5_000), CloudDisk()
    line = Line(edge, cloud, pace=Pace(PaceSettings(rate_per_s=100, burst=200), 0.0))
    line.settle()
    assert cloud.acknowledged_seq == 5_000
    assert line.now_s >= (5_000 - 200) / 100


def test_a_page_never_passes_the_bound_of_its_frame() -> None:
    edge, cloud = edge_with(0), CloudDisk()
    for _ in range(20):
        edge.log(body=b"\xc1" * 200_000)
    line = Line(edge, cloud)
    line.settle()
    assert cloud.poison == list(range(1, 21))
    assert max(len(encode(f)) for f in line.frames if isinstance(f, Page)) < 1_048_576


def test_an_old_image_of_the_card_is_fenced_and_applies_nothing() -> None:
    edge, cloud = edge_with(10), CloudDisk()
    Line(edge, cloud).settle()
    image = edge.copy()
    for _ in range(5):
        edge.log()
    Line(edge, cloud).settle()
    applied = list(cloud.applied)
    line = Line(image, cloud)
    line.settle()
    assert image.verdict == "fenced"
    assert line.edge.state is EdgeState.FENCED
    assert cloud.applied == applied
    assert not any(isinstance(frame, Page | States) for frame in line.frames)


def test_an_emptied_ledger_is_fenced() -> None:
    edge, cloud = edge_with(10), CloudDisk()
    Line(edge, cloud).settle()
    emptied = EdgeDisk()
    Line(emptied, cloud).settle()
    assert emptied.verdict == "fenced"
    assert "10" in cloud.quarantined


def test_an_old_image_that_went_on_by_itself_is_found_by_the_first_differing_row() -> None:
    edge, cloud = edge_with(10), CloudDisk()
    Line(edge, cloud).settle()
    image = edge.copy()
    for disk, kind in ((edge, "gate_moved"), (image, "override")):
        for _ in range(5):
            disk.log(kind)
    Line(edge, cloud).settle()
    applied = list(cloud.applied)
    image.log()
    Line(image, cloud).settle()
    assert image.verdict == "fenced"
    assert cloud.quarantined
    assert cloud.applied == applied
    again = Line(image, cloud)
    again.settle()
    assert again.edge.state is EdgeState.FENCED


def test_a_centre_restored_from_a_backup_asks_again_for_what_it_lacks() -> None:
    edge, cloud = edge_with(10), CloudDisk()
    Line(edge, cloud).settle()
    backup = cloud.copy()
    for _ in range(7):
        edge.log()
    Line(edge, cloud).settle()
    Line(edge, backup).settle()
    assert_one_system(edge, backup)
    assert edge.verdict == "ok"


def test_where_the_acknowledgement_of_a_document_is_lost_the_next_hello_gives_it() -> None:
    edge, cloud = edge_with(0), CloudDisk()
    line = Line(edge, cloud, drop_up=lambda frame: isinstance(frame, DocumentAck))
    line.add_document("tariff", b"t")
    line.settle()
    assert (len(edge.documents), cloud.documents_acknowledged) == (1, 0)
    Line(edge, cloud).settle()
    assert (len(edge.documents), cloud.documents_acknowledged) == (1, 1)


def test_a_session_that_was_replaced_changes_nothing() -> None:
    edge, cloud = edge_with(10), CloudDisk()
    old = Line(edge, cloud, page_rows=2)
    old.run(8)
    Line(edge, cloud).settle()
    applied = list(cloud.applied)
    old.run()
    assert old.closed is not None
    assert cloud.applied == applied
    assert_one_system(edge, cloud)


@pytest.mark.parametrize(("name", "value"), [("epoch", 7), ("session", 7)])
def test_frames_of_another_epoch_or_session_change_nothing(name: str, value: int) -> None:
    edge, cloud = edge_with(4), CloudDisk()
    line = Line(edge, cloud)
    line.settle()
    for frame in [f for f in line.frames if isinstance(f, Page | States | PageAck | Drain)]:
        stray = encode(replace(frame, **{name: value}))  # type: ignore[arg-type]  # the name is one of the frame's
        (line.down if isinstance(frame, PageAck | Drain) else line.up).append(stray)
    before = (edge.copy(), cloud.copy())
    line.run()
    assert (edge, cloud) == before
    assert {refused.code for refused in line.refused} == {"stale_session"}
    assert line.closed is None


def test_another_key_does_not_open_a_session() -> None:
    edge, cloud = edge_with(4), CloudDisk()
    line = Line(edge, cloud, key=SigningKey.from_seed(b"x" * 32))
    line.settle()
    assert line.closed is not None
    assert "not_authentic" in line.closed
    assert cloud.session == 0


@given(st.binary(max_size=60), st.booleans())
@settings(deadline=None)
def test_nonsense_on_the_line_is_answered_and_disturbs_nothing(data: bytes, up: bool) -> None:
    edge, cloud = edge_with(4), CloudDisk()
    line = Line(edge, cloud)
    line.settle()
    (line.up if up else line.down).append(data)
    edge.log()
    line.wake()
    line.settle()
    assert_one_system(edge, cloud)
    assert len(line.refused) == 1


def test_a_forged_acknowledgement_of_rows_that_were_never_sent_ends_the_session() -> None:
    edge = edge_with(4)
    line = Line(edge, CloudDisk())
    line.settle()
    line.down.append(encode(PageAck(epoch=1, session=1, seq=99, hash=next_hash(b"", b""))))
    line.run()
    assert line.closed is not None
    assert edge.acknowledged_seq == 4
