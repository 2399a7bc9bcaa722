from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from drivers.ports import Move
from parking.clock import CivilScale, ScaledClock
from simulators.gate import Gate
from simulators.record import Record, read_record


class Hand:
    """A clock's hand that the test moves."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def scene(path: Path) -> tuple[Hand, Record, Gate]:
    hand = Hand()
    scale = CivilScale(anchor_at=datetime(2026, 11, 24, tzinfo=UTC), anchor_monotonic=0.0, speed=60.0)
    record = Record(path, ScaledClock(source=hand, scale=scale))
    return hand, record, Gate("entry-1", "gate-1", record, hand, travel_s=0.5)


def test_a_decision_is_measured_from_the_poll_that_tells_of_the_button_to_the_coil(tmp_path: Path) -> None:
    hand, record, gate = scene(tmp_path / "record")
    gate.button(pressed=True)
    hand.at += 0.030
    gate.inputs(hand.at)
    hand.at += 0.007
    gate.command(Move.OPEN, hand.at)
    decision = next(line for line in read_record(tmp_path / "record") if line["what"] == "decision")
    assert (decision["kind"], decision["ms"]) == ("button", pytest.approx(7.0))
    record.close()


def test_what_stood_on_the_safety_loop_is_written_with_each_move(tmp_path: Path) -> None:
    hand, record, gate = scene(tmp_path / "record")
    gate.command(Move.OPEN, hand.at)
    gate.safety(1)
    hand.at += 0.4
    gate.command(Move.CLOSE, hand.at)
    arms = [line for line in read_record(tmp_path / "record") if line["what"] == "arm"]
    assert [line["safety_loop_occupied_s"] for line in arms] == [None, pytest.approx(0.4)]
    record.close()


def test_an_arm_on_its_way_is_neither_up_nor_down(tmp_path: Path) -> None:
    hand, record, gate = scene(tmp_path / "record")
    assert gate.is_down
    gate.command(Move.OPEN, hand.at)
    assert not gate.is_down
    assert not gate.is_up
    hand.at += 0.51
    assert gate.is_up
    gate.command(Move.CLOSE, hand.at)
    assert not gate.is_up
    record.close()


async def test_waiting_for_the_arm_ends_when_it_arrives_or_when_time_is_up(tmp_path: Path) -> None:
    hand, record, gate = scene(tmp_path / "record")
    assert await gate.wait_down(1.0)
    gate.command(Move.OPEN, hand.at)
    hand.at += 0.6
    assert await gate.wait_up(1.0)
    assert not await gate.wait_down(0.0)
    record.close()


def test_the_record_outlives_a_line_that_was_cut_short(tmp_path: Path) -> None:
    _, record, gate = scene(tmp_path / "record")
    gate.arming(1)
    with (tmp_path / "record").open("a") as file:
        file.write('{"what": "arm", "t"')
    assert [line["what"] for line in read_record(tmp_path / "record")] == ["loop"]
    record.close()
